"""The first shape: layers with their time columns, loads, keys and observations."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring an empty database to this revision."""
    for name in ("0001_base.sql", "0001_functions.sql"):
        script = Path(__file__).with_name(name).read_text(encoding="utf-8")
        # The driver reads a lone % as a placeholder.
        op.get_bind().exec_driver_sql(script.replace("%", "%%"))
