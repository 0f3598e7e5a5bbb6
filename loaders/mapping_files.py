"""A proposal as a YAML file for a person to edit, with the reason for every line."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from loaders.proposal import Match, Proposal

_MAX_HINTS = 12


def write_mapping(proposal: Proposal, title: str, command: str) -> str:
    """The text of a mapping that ``geoservice load --map`` takes, with comments.

    Args:
        title: What it was made of.
        command: The load that takes it.
    """
    lines = [
        f"# {_plain(title)}",
        "# Proposed from names and values: look at every line. What is commented out is a guess.",
        f"# {_plain(command)}",
        "",
        *_columns(proposal),
        *_values(proposal),
        *_pairs("units", "of numbers that bear none", proposal),
        *_pairs("dates", "dmy, mdy, excel or excel-1904", proposal),
        "# Texts for nothing besides the usual ones, in all columns:",
        "nodata: []",
    ]
    if proposal.unused:
        lines += ["", f"# Not used: {_plain(', '.join(proposal.unused))}"]
    return "\n".join(lines) + "\n"


def _columns(proposal: Proposal) -> Iterator[str]:
    yield "# Attribute: column of the file, with the confidence of the proposal from 0 to 1."
    yield "columns:" if proposal.matches else "columns: {}"
    for match in proposal.matches:
        yield f"  {match.attribute}: {_scalar(match.column)}{_because(match)}"
    for match in proposal.hints[:_MAX_HINTS]:
        yield f"  # {match.attribute}: {_scalar(match.column)}{_because(match)}"
    key = ", ".join(proposal.key) or "none: it would be derived from the geometry"
    yield f"# What identifies a feature: {key}"
    yield ""


def _because(match: Match) -> str:
    reasons = "; ".join((*match.reasons, *match.warnings))
    return f"  # {match.confidence:.2f} {_plain(reasons)}"


def _values(proposal: Proposal) -> Iterator[str]:
    coded = [match for match in proposal.matches if match.values]
    if not coded:
        return
    yield "# Text in the file: code meant."
    yield "values:"
    for match in coded:
        yield f"  {match.attribute}:"
        for word, code in match.values.items():
            yield f"    {_scalar(word)}: {_scalar(code)}"
    yield ""


def _pairs(name: str, note: str, proposal: Proposal) -> Iterator[str]:
    words = {m.attribute: m.unit if name == "units" else m.dates for m in proposal.matches}
    said = {attribute: word for attribute, word in words.items() if word}
    if said:
        yield f"# {note}"
        yield f"{name}:"
        yield from (f"  {attribute}: {word}" for attribute, word in said.items())
        yield ""


def _scalar(text: str) -> str:
    """A text as YAML in one line, quoted where it has to be."""
    dumped = yaml.safe_dump(text, allow_unicode=True, width=float("inf"), default_style=None)
    plain = dumped.removesuffix("\n").removesuffix("\n...")
    return plain if "\n" not in plain else yaml.safe_dump(text, default_style='"').strip()


def _plain(text: str) -> str:
    """A text that cannot leave its comment."""
    return "".join(c if c.isprintable() else " " for c in text)
