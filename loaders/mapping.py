"""Which column of a file fills which attribute of a layer.

An attribute takes the column that the mapping names, else the one that bears its English name, else
the first that bears one of its aliases. Names are compared case folded, without spaces, hyphens and
underscores, in Unicode NFKC; in a DBF also by the 10 bytes that it keeps of a field's name. A
column is used once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layers.base import Attribute, Layer
from layers.errors import InvalidMapping, MissingColumn

DBF_NAME_BYTES = 10
COORDINATE_ROLES = ("x", "y", "geometry")
"""Keys besides attribute names by which a mapping may name columns: easting or longitude, northing
or latitude, and WKT."""


@dataclass(frozen=True)
class Mapping:
    """What a user says about columns and values.

    Attributes:
        columns: Attribute (or ``x``, ``y``, ``geometry``) to column.
        values: Attribute to text in the file to text meant.
        constants: Attribute to the one value of all rows.
    """

    columns: MappingABC[str, str] = field(default_factory=dict)
    values: MappingABC[str, MappingABC[str, str]] = field(default_factory=dict)
    constants: MappingABC[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The mapping as plain dictionaries."""
        return {
            "columns": dict(self.columns),
            "values": {name: dict(words) for name, words in self.values.items()},
            "constants": dict(self.constants),
        }


def parse_mapping(document: object) -> Mapping:
    """The mapping that a parsed YAML or JSON document describes.

    Args:
        document: An object with any of ``columns``, ``values`` and ``constants``.

    Raises:
        InvalidMapping: another shape, or another key.
    """
    if not isinstance(document, dict) or set(document) - {"columns", "values", "constants"}:
        message = "a mapping is an object with columns, values and constants"
        raise InvalidMapping(message)
    values = _object(document, "values")
    return Mapping(
        _texts(_object(document, "columns"), "columns"),
        {str(name): _texts(words, f"values.{name}") for name, words in values.items()},
        _texts(_object(document, "constants"), "constants"),
    )


def _object(document: dict[str, object], name: str) -> dict[object, object]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        message = f"{name} of a mapping is an object"
        raise InvalidMapping(message)
    return value


def _texts(value: object, name: str) -> dict[str, str]:
    plain = (str, int, float)
    if not isinstance(value, dict) or not all(isinstance(item, plain) for item in value.values()):
        message = f"{name} of a mapping is an object of texts and numbers"
        raise InvalidMapping(message)
    return {str(key): _plain_text(item) for key, item in value.items()}


def _plain_text(value: object) -> str:
    # YAML reads yes and no as booleans; the words are what the file holds.
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class ColumnPlan:
    """How the columns of one file fill a layer.

    Attributes:
        columns: Attribute to column.
        constants: Attribute to the value of all rows.
        values: Attribute to text in the file to text meant.
        key_attributes: Attributes whose values, joined by ``-``, are the natural key.
        key_columns: The same as columns of the file, where the user named columns.
        unmapped: Columns that fill nothing.
    """

    columns: MappingABC[str, str]
    constants: MappingABC[str, str]
    values: MappingABC[str, MappingABC[str, str]]
    key_attributes: tuple[str, ...]
    key_columns: tuple[str, ...]
    unmapped: tuple[str, ...]


def plan_columns(
    layer: Layer,
    columns: Sequence[str],
    mapping: Mapping,
    *,
    source: Path,
    key: tuple[str, ...] | None = None,
    dbf_encoding: str | None = None,
) -> ColumnPlan:
    """Decide which column fills which attribute.

    Args:
        columns: Names of the file's columns, without those of coordinates.
        key: What the user said identifies a feature, as attributes or columns.
        dbf_encoding: Encoding in which field names were cut to 10 bytes; None for other formats.

    Raises:
        InvalidMapping: the mapping names an attribute that the layer has not, or a derived one.
        MissingColumn: the mapping, the key or a required attribute needs a column that is missing.
    """
    _check_names(layer, mapping)
    chosen = _mapped(columns, mapping, source)
    free = [a for a in layer.attributes if a.derived is None and a.name not in mapping.constants]
    _match(chosen, free, columns, dbf_encoding)
    for attribute in free:
        if attribute.required and attribute.name not in chosen:
            raise MissingColumn(source, attribute.name, columns)
    filled = {*chosen, *mapping.constants}
    key_attributes, key_columns = _key(layer, filled, columns, key, source)
    used = {*chosen.values(), *key_columns}
    return ColumnPlan(
        chosen,
        mapping.constants,
        mapping.values,
        key_attributes,
        key_columns,
        tuple(column for column in columns if column not in used),
    )


def _check_names(layer: Layer, mapping: Mapping) -> None:
    fillable = {a.name for a in layer.attributes if a.derived is None}
    for part in (mapping.columns, mapping.values, mapping.constants):
        for name in part:
            if name not in fillable and not (part is mapping.columns and name in COORDINATE_ROLES):
                known = ", ".join(sorted(fillable))
                message = f"{layer.name} has no attribute {name!r} to fill; it has: {known}"
                raise InvalidMapping(message)


def _mapped(columns: Sequence[str], mapping: Mapping, source: Path) -> dict[str, str]:
    by_name = {normal_name(column): column for column in reversed(columns)}
    chosen: dict[str, str] = {}
    for name, wanted in mapping.columns.items():
        column = wanted if wanted in columns else by_name.get(normal_name(wanted))
        if name in COORDINATE_ROLES:
            continue
        if column is None:
            raise MissingColumn(source, name, columns, wanted)
        chosen[name] = column
    return chosen


def _match(
    chosen: dict[str, str],
    attributes: Sequence[Attribute],
    columns: Sequence[str],
    dbf_encoding: str | None,
) -> None:
    """Fill ``chosen`` by names, then aliases, then names cut to a DBF's length."""
    used = set(chosen.values())
    unused = {normal_name(c): c for c in reversed(columns) if c not in used}

    def take(words: MappingABC[str, Sequence[str]]) -> None:
        for attribute, names in words.items():
            found = next((n for n in names if n in unused), None)
            if attribute not in chosen and found is not None:
                chosen[attribute] = unused.pop(found)

    take({a.name: [normal_name(a.name)] for a in attributes})
    take({a.name: [normal_name(alias) for alias in a.aliases] for a in attributes})
    if dbf_encoding is not None:
        take({a.name: _cut_names((a.name, *a.aliases), dbf_encoding) for a in attributes})


def normal_name(name: str) -> str:
    """A column's name as it is compared."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in plain if not c.isspace() and c not in "_-")


def _cut_names(names: Sequence[str], encoding: str) -> list[str]:
    cut = (n.encode(encoding, "ignore")[:DBF_NAME_BYTES].decode(encoding, "ignore") for n in names)
    return [normal_name(name) for name in cut]


def _key(
    layer: Layer,
    filled: set[str],
    columns: Sequence[str],
    key: tuple[str, ...] | None,
    source: Path,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if key is None:
        known = (names for names in layer.natural_keys if filled.issuperset(names))
        return next(known, ()), ()
    if filled.issuperset(key):
        return key, ()
    by_name = {normal_name(column): column for column in reversed(columns)}
    named = [name if name in columns else by_name.get(normal_name(name)) for name in key]
    for name, column in zip(key, named, strict=True):
        if column is None:
            raise MissingColumn(source, name, columns)
    return (), tuple(column for column in named if column is not None)
