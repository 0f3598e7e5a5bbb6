"""First loads are copied straight into drafts, and reads of the past find versions by their end."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver reads a lone % as a placeholder.
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
