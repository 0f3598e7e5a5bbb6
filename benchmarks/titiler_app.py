"""titiler as its documentation sets it up, for ``uvicorn titiler_app:app`` in ``.venv-bench``."""

from fastapi import FastAPI
from titiler.core.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
