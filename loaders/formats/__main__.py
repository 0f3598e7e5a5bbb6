"""Start of the bounded process: makes this folder a package without the project around it."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FOLDER = Path(__file__).parent
_PACKAGE = "formats"


def _start() -> int:
    start = _FOLDER / "__init__.py"
    spec = spec_from_file_location(_PACKAGE, start, submodule_search_locations=[str(_FOLDER)])
    assert spec is not None  # noqa: S101  # for mypy: the file is there
    sys.modules[_PACKAGE] = module_from_spec(spec)
    status: int = import_module(f"{_PACKAGE}.child").main()
    return status


if __name__ == "__main__":
    sys.exit(_start())
