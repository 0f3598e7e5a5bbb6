"""How surely a column fills an attribute by its name alone."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher, get_close_matches
from functools import cache

from layers.base import Attribute, Title
from loaders.mapping import DBF_NAME_BYTES, normal_name
from loaders.quantities import unit_in_name

_ALIKE = 0.75


def rate_name(attribute: Attribute, column: str, cut_encoding: str | None) -> tuple[float, str]:
    """How surely a column fills an attribute by its name alone, 0 to 1, and why.

    Args:
        cut_encoding: Encoding in which a DBF has cut names to 10 bytes; None for other formats.
    """
    title, unit = unit_in_name(column)
    plain, bare = normal_name(column), normal_name(title)
    names, titles = _names_of(attribute.name, attribute.aliases, attribute.title)
    if plain == normal_name(attribute.name):
        return 1.0, "it bears the name of the attribute"
    if plain in names:
        return 0.95, f"its name is known: {names[plain]}"
    if bare in names and unit is not None:
        return 0.9, f"its name is known: {names[bare]}, in {unit.name}"
    if cut_encoding is not None and (whole := _whole_name(column, names, cut_encoding)):
        return 0.9, f"its name is {whole}, cut to {DBF_NAME_BYTES} bytes"
    if bare in titles:
        return 0.9, "it bears the title of the attribute"
    return _by_likeness(bare, {**titles, **names})


@cache
def _names_of(
    name: str, aliases: tuple[str, ...], title: Title
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Names and titles of an attribute as they are compared, to how they are written."""
    names = {normal_name(word): word for word in (name, *aliases)}
    return names, {normal_name(word): word for word in (title.zh, title.en)}


def _whole_name(column: str, names: Mapping[str, str], encoding: str) -> str | None:
    cut = column.encode(encoding, "ignore")
    if len(cut) < DBF_NAME_BYTES - 2:
        return None
    whole = (w for w in names.values() if w.encode(encoding, "ignore").startswith(cut))
    return next(whole, None)


def _by_likeness(plain: str, names: Mapping[str, str]) -> tuple[float, str]:
    best, like = 0.0, ""
    for name in get_close_matches(plain, names, n=1, cutoff=_ALIKE):
        best, like = SequenceMatcher(None, name, plain).ratio(), names[name]
    for name, word in names.items():
        # Two Chinese characters are a word; two Latin letters are in many.
        if len(name) >= (4 if name.isascii() else 2) and name in plain:
            likeness = _ALIKE + 0.2 * len(name) / len(plain)
            if likeness > best:
                best, like = likeness, word
    return (0.7 * best, f"its name is like {like}") if best >= _ALIKE else (0.0, "")
