"""Which column of a file fills which attribute of a layer, and how its values are written.

An attribute takes the column that the mapping names, else the one that bears its English name, else
the first that bears one of its aliases, else one of those with a unit after it (``管径(mm)``).
Names are compared case folded, without spaces, hyphens and underscores, in Unicode NFKC; in a DBF
also by the 10 bytes that it keeps of a field's name. A column is used once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layers.base import Attribute, Layer
from layers.errors import InvalidMapping, MissingColumn
from loaders.columns import USUAL, Forms
from loaders.dates import DATE_FORMS, DateForm
from loaders.quantities import UNIT_NAMES, UNITS, DecimalMark, Unit, find_unit, unit_in_name

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
        units: Attribute to unit of the numbers that bear none.
        dates: Attribute to form of its days, see ``loaders.dates.DateForm``.
        nodata: Texts for "nothing" besides the usual ones, in all columns.
        decimal_mark: Of all numbers; the other of point and comma stands between thousands.
    """

    columns: MappingABC[str, str] = field(default_factory=dict)
    values: MappingABC[str, MappingABC[str, str]] = field(default_factory=dict)
    constants: MappingABC[str, str] = field(default_factory=dict)
    units: MappingABC[str, str] = field(default_factory=dict)
    dates: MappingABC[str, DateForm] = field(default_factory=dict)
    nodata: tuple[str, ...] = ()
    decimal_mark: DecimalMark = "."

    def as_json(self) -> dict[str, object]:
        """The mapping as plain dictionaries and lists, as ``parse_mapping`` takes them."""
        return {
            "columns": dict(self.columns),
            "values": {name: dict(words) for name, words in self.values.items()},
            "constants": dict(self.constants),
            "units": dict(self.units),
            "dates": dict(self.dates),
            "nodata": list(self.nodata),
            "decimal_mark": self.decimal_mark,
        }

    def over(self, other: Mapping) -> Mapping:
        """This mapping over another one: what both say, this one decides."""
        return Mapping(
            {**other.columns, **self.columns},
            {**other.values, **self.values},
            {**other.constants, **self.constants},
            {**other.units, **self.units},
            {**other.dates, **self.dates},
            tuple(dict.fromkeys((*other.nodata, *self.nodata))),
            self.decimal_mark if self.decimal_mark != "." else other.decimal_mark,
        )


_KEYS = tuple(Mapping().as_json())


def parse_mapping(document: object) -> Mapping:
    """The mapping that a parsed YAML or JSON document describes.

    Args:
        document: An object with any of the attributes of ``Mapping``, or nothing.

    Raises:
        InvalidMapping: another shape, another key, or no such unit, form of days or decimal mark.
    """
    document = {} if document is None else document
    if not isinstance(document, dict) or set(document) - set(_KEYS):
        message = f"a mapping is an object with any of {', '.join(_KEYS)}"
        raise InvalidMapping(message)
    values = _object(document, "values")
    return Mapping(
        _texts(_object(document, "columns"), "columns"),
        {str(name): _texts(words, f"values.{name}") for name, words in values.items()},
        _texts(_object(document, "constants"), "constants"),
        {name: _unit(name, word) for name, word in _words(document, "units")},
        {name: _date_form(name, word) for name, word in _words(document, "dates")},
        _list(document, "nodata"),
        _decimal_mark(document.get("decimal_mark", ".")),
    )


def _words(document: dict[str, object], name: str) -> list[tuple[str, str]]:
    return list(_texts(_object(document, name), name).items())


def _unit(attribute: str, word: str) -> str:
    unit = find_unit(word)
    if unit is None:
        message = f"units.{attribute}: {word!r} is no unit; known: {', '.join(UNIT_NAMES)}"
        raise InvalidMapping(message)
    return unit.name


def _date_form(attribute: str, word: str) -> DateForm:
    if word not in DATE_FORMS:
        message = f"dates.{attribute}: {word!r} is none of {', '.join(DATE_FORMS)}"
        raise InvalidMapping(message)
    return word


def _list(document: dict[str, object], name: str) -> tuple[str, ...]:
    value = document.get(name) or []
    if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
        message = f"{name} of a mapping is a list of texts and numbers"
        raise InvalidMapping(message)
    return tuple(_plain_text(item) for item in value)


def _decimal_mark(value: object) -> DecimalMark:
    if value == ".":
        return "."
    if value == ",":
        return ","
    message = "decimal_mark of a mapping is . or ,"
    raise InvalidMapping(message)


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
        forms: Attribute to how its values are written.
    """

    columns: MappingABC[str, str]
    constants: MappingABC[str, str]
    values: MappingABC[str, MappingABC[str, str]]
    key_attributes: tuple[str, ...]
    key_columns: tuple[str, ...]
    unmapped: tuple[str, ...]
    forms: MappingABC[str, Forms]

    def forms_of(self, attribute: str) -> Forms:
        """How the values of an attribute are written."""
        return self.forms.get(attribute, USUAL)


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
        {a.name: _forms(a, chosen.get(a.name), mapping) for a in free},
    )


def _forms(attribute: Attribute, column: str | None, mapping: Mapping) -> Forms:
    """How the values of an attribute are written: the mapping decides, then the column's name."""
    said = mapping.units.get(attribute.name)
    unit = UNITS[said] if said is not None else _unit_of_column(attribute, column)
    return Forms(
        unit,
        mapping.dates.get(attribute.name, "ymd"),
        frozenset(word.strip().casefold() for word in mapping.nodata),
        mapping.decimal_mark,
    )


def _unit_of_column(attribute: Attribute, column: str | None) -> Unit | None:
    """The unit in the name of a column, if it is one of the attribute's dimension."""
    if column is None or attribute.unit is None:
        return None
    unit = unit_in_name(column)[1]
    return unit if unit is not None and _same_dimension(unit, attribute) else None


def _same_dimension(unit: Unit, attribute: Attribute) -> bool:
    own = UNITS.get(attribute.unit or "")
    return own is not None and own.dimension == unit.dimension


def _check_names(layer: Layer, mapping: Mapping) -> None:
    fillable = {a.name for a in layer.attributes if a.derived is None}
    parts = (mapping.columns, mapping.values, mapping.constants, mapping.units, mapping.dates)
    for part in parts:
        for name in part:
            if name not in fillable and not (part is mapping.columns and name in COORDINATE_ROLES):
                known = ", ".join(sorted(fillable))
                message = f"{layer.name} has no attribute {name!r} to fill; it has: {known}"
                raise InvalidMapping(message)
    for name, word in mapping.units.items():
        if not _same_dimension(UNITS[word], layer.attribute[name]):
            own = layer.attribute[name].unit or "no unit"
            message = f"units.{name}: {word} cannot be brought to {own}"
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
    _match_with_units(chosen, attributes, unused)


def _match_with_units(
    chosen: dict[str, str], attributes: Sequence[Attribute], unused: dict[str, str]
) -> None:
    """Fill ``chosen`` by names after which a unit of the attribute's dimension stands."""
    for attribute in attributes:
        words = {normal_name(word) for word in (attribute.name, *attribute.aliases)}
        for plain, column in list(unused.items()):
            title, unit = unit_in_name(column)
            fits = unit is not None and _same_dimension(unit, attribute)
            if attribute.name not in chosen and fits and normal_name(title) in words:
                chosen[attribute.name] = unused.pop(plain)


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
