"""``geoservice keys``: credentials, their clearance and what they may do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from geoservice.cli.terminal import minute, shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.keys import create_key, list_keys, revoke_key
from geoservice.settings import Settings
from layers.access import Clearance, Grant
from layers.errors import InvalidParameter
from layers.roles import Role

app = typer.Typer(help="API keys: made once, shown once, kept as a hash.", no_args_is_help=True)

_UNIT = {"h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """The duration of a text such as ``12h``, ``90d`` or ``4w``.

    Raises:
        InvalidParameter: it is none.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([hdw])", text)
    if match is None:
        raise InvalidParameter("expires", text, "needs a number and h, d or w, such as 90d")
    return timedelta(**{_UNIT[match[2]]: int(match[1])})


@app.command()
def create(
    clearance: Annotated[str, typer.Option(help="public, enterprise, government or restricted")],
    allow: Annotated[
        list[str] | None, typer.Option(help="ACTION or ACTION:SCOPE, such as observe:parking")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="After how long, such as 90d")] = None,
    label: Annotated[str, typer.Option(help="Who or what it is for")] = "",
) -> None:
    """Make a key and print it, this once."""
    grants = [Grant.parse(text) for text in allow or []]
    expires_at = datetime.now(UTC) + parse_duration(expires) if expires else None
    with DatabaseAddress(Settings.read().database).connect(Role.OWNER) as connection:
        key = create_key(
            connection,
            label=label,
            clearance=Clearance.from_label(clearance),
            grants=grants,
            expires_at=expires_at,
        )
        connection.commit()
    print(key)  # the one time that the key is shown, alone on its line


@app.command("list")
def list_command() -> None:
    """List the keys; the keys themselves are not kept."""
    with DatabaseAddress(Settings.read().database).connect(Role.OWNER) as connection:
        records = list_keys(connection)
    table = Table("id", "label", "clearance", "allows", "created", "expires", "revoked")
    for one in records:
        instants = (one.created_at, one.expires_at, one.revoked_at)
        table.add_row(
            str(one.key_id),
            shown(one.label),
            one.clearance.label,
            shown(", ".join(one.grants)),
            *map(minute, instants),
        )
    table_console().print(table)


@app.command()
def revoke(
    key_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Its id in the list")],
) -> None:
    """Make a key worthless; workers notice within two seconds."""
    with DatabaseAddress(Settings.read().database).connect(Role.OWNER) as connection:
        found = revoke_key(connection, key_id)
        connection.commit()
    if not found:
        raise InvalidParameter("key_id", key_id, "is no key in force")
