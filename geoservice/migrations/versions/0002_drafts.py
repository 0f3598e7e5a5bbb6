"""Drafts: partitions of held versions that are filled apart and put in the place of empty ones."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver reads a lone % as a placeholder.
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
