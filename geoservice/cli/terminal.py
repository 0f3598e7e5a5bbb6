"""Texts of files and of people on a terminal: shown as they are, never obeyed."""

from __future__ import annotations

from rich.markup import escape


def shown(text: object) -> str:
    """A text for Rich's markup, in which nothing is markup and nothing steers the terminal.

    A file may name its columns ``[/bold]``, or hold escape sequences that move the cursor.
    """
    return escape(printable(str(text)))


def printable(text: str) -> str:
    """A text whose control characters are written out in hexadecimal; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
