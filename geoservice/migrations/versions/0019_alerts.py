"""Rules by which figures raise alerts, and the alerts."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    script = Path(__file__).with_name("0019_alerts.sql").read_text(encoding="utf-8")
    # The driver reads a lone % as a placeholder.
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
