"""Markdown pages, sections and tables."""

from __future__ import annotations

from collections.abc import Iterable

_NOTE = "<!-- Written by python -P -m geoservice.reference: change the code, not this page. -->"


def page(title: str, parts: Iterable[str]) -> str:
    """A page: its title, a note on where it comes from, and its parts."""
    return "\n\n".join([f"# {title}", _NOTE, *parts]) + "\n"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table; cells may hold any text of one line."""
    lines = [header, ("---",) * len(header), *rows]
    cells = ((cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def code(text: str) -> str:
    """Text to be shown as it is typed."""
    return f"`{text}`"


def first_line(documented: object) -> str:
    """The first line of a docstring."""
    return (documented.__doc__ or "").partition("\n")[0].replace("``", "`")
