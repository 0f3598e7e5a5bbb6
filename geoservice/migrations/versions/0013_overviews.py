"""Overviews: what tiles of low zooms read, of every layer and theme."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    for name in ("0013_overviews.sql", "0013_functions.sql"):
        script = Path(__file__).with_name(name).read_text(encoding="utf-8")
        # The driver reads a lone % as a placeholder.
        op.get_bind().exec_driver_sql(script.replace("%", "%%"))
