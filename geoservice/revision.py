"""Writing a migration: freezes the DDL of layers that have no tables yet into a new revision."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Connection

from geoservice.schema import MIGRATIONS, new_layers_ddl
from layers.errors import MigrationError

_TEMPLATE = '''"""{title}."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database to this revision."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
'''


def write_revision(connection: Connection, title: str) -> Path:
    """Write the files of the next migration and return the Python one.

    Raises:
        MigrationError: every layer of the registry has its tables.
    """
    statements = new_layers_ddl(connection)
    if not statements:
        message = "every layer of the registry has its tables; there is nothing to write"
        raise MigrationError(message)
    versions = MIGRATIONS / "versions"
    last = max(int(path.name[:4]) for path in versions.glob("[0-9]*.py"))
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    path = versions / f"{last + 1:04d}_{slug}.py"
    path.write_text(
        _TEMPLATE.format(title=title, revision=f"{last + 1:04d}", down_revision=f"{last:04d}"),
        encoding="utf-8",
    )
    path.with_suffix(".sql").write_text(sql_text(statements), encoding="utf-8")
    return path


def sql_text(statements: list[str]) -> str:
    """Statements as one script."""
    return "".join(f"{statement};\n\n" for statement in statements)
