"""Addresses to which events are sent, and what became of each that was."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    script = Path(__file__).with_name("0016_subscriptions.sql").read_text(encoding="utf-8")
    # The driver reads a lone % as a placeholder.
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
