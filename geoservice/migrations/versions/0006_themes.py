"""Themes: layers made from files, and who changed them, with a schema for their tables."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    for name in ("0006_themes.sql", "0006_functions.sql"):
        script = Path(__file__).with_name(name).read_text(encoding="utf-8")
        # The driver reads a lone % as a placeholder.
        op.get_bind().exec_driver_sql(script.replace("%", "%%"))
