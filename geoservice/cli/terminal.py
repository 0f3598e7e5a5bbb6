"""Texts of files and of people on a terminal: shown as they are, never obeyed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

_PIPED_WIDTH = 200
"""Columns of a table that goes into a file or a pipe, where no window sets a width."""


def table_console() -> Console:
    """Where tables are printed: as wide as the window, and wide where there is none."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def minute(instant: datetime | None) -> str:
    """An instant to the minute, in UTC; empty if there is none."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%MZ}" if instant else ""


def shown(text: object) -> str:
    """A text for Rich's markup, in which nothing is markup and nothing steers the terminal.

    A file may name its columns ``[/bold]``, or hold escape sequences that move the cursor.
    """
    return escape(printable(str(text)))


def printable(text: str) -> str:
    """A text whose control characters are written out in hexadecimal; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
