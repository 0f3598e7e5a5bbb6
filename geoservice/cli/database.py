"""``geoservice db``: the database that the settings name.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

import os
import subprocess
from typing import Annotated

import typer
from rich import print as show
from rich.console import Console
from rich.table import Table

from geoservice.cluster import Cluster, admin_sql
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from layers.errors import ClusterError
from layers.roles import Role

app = typer.Typer(help="The database: embedded, or the one of GEOSERVICE_DATABASE__URL.")

RoleOption = Annotated[Role, typer.Option(help="Role to log in as.")]


def _cluster(address: DatabaseAddress) -> Cluster:
    if address.cluster is None:
        message = "a database is given by GEOSERVICE_DATABASE__URL; its server is not ours to run"
        raise ClusterError(message)
    return address.cluster


@app.command()
def url(role: RoleOption = Role.OWNER) -> None:
    """Print the address of the database for one role."""
    print(DatabaseAddress(Settings.read().database).libpq_url(role))  # for scripts


@app.command()
def status() -> None:
    """Tell whether the embedded cluster runs, where, and which databases it holds."""
    found = _cluster(DatabaseAddress(Settings.read().database)).status()
    state = f"runs as process {found.pid}" if found.running else "does not run"
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("server", f"PostgreSQL {found.version}, {state}" if found.version else "not made yet"),
        ("folder", found.folder),
        ("socket", f"{found.socket_directory}, port {found.port}"),
        ("databases", ", ".join(found.databases) or "none"),
    ):
        table.add_row(name, str(value))
    Console(soft_wrap=True).print(table, markup=False, highlight=False)


@app.command()
def migrate() -> None:
    """Have the database running and in the shape of this version."""
    from geoservice.server import prepare_database

    prepare_database(Settings.read())


@app.command()
def stop() -> None:
    """Stop the embedded cluster; the data stay."""
    _cluster(DatabaseAddress(Settings.read().database)).stop()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, role: RoleOption = Role.OWNER) -> None:
    """Open psql on the database; further arguments go to psql."""
    address = DatabaseAddress(Settings.read().database)
    command = ["psql", address.libpq_url(role), *context.args]
    raise typer.Exit(subprocess.run(command, check=False, env=os.environ).returncode)


@app.command("admin-sql")
def admin_sql_command() -> None:
    """Print what the administrator of a given database must run once."""
    print(admin_sql(DatabaseAddress(Settings.read().database).database))  # for scripts


@app.command()
def revision(title: Annotated[str, typer.Argument(help="What changes, in a few words.")]) -> None:
    """Write a migration for layers that have no tables yet (for developers)."""
    from geoservice.revision import write_revision
    from geoservice.schema import upgrade_tables

    address = DatabaseAddress(Settings.read().database)
    address.prepare()
    with address.connect(Role.OWNER) as connection:
        upgrade_tables(connection)
        connection.commit()
        show(f"wrote {write_revision(connection, title)}")
