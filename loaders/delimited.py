"""Delimited text (CSV, TSV, TXT): its separator, its header, and which columns are coordinates."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.errors import MissingColumn, UnreadableSource
from loaders.encodings import Encoding
from loaders.mapping import Mapping, normal_name

_SEPARATORS = ",;\t|"
_MAX_HEADER_CHARS = 1_000_000

_LON = ("lon", "lng", "long", "longitude", "经度", "lo")
_LAT = ("lat", "latitude", "纬度", "la")
_X = ("x", "x坐标", "横坐标", "东坐标", "easting", "east")
_Y = ("y", "y坐标", "纵坐标", "北坐标", "northing", "north")
_WKT = ("wkt", "geometry", "geom", "the_geom", "shape")
# Names of a direction are sure; X and Y are not, because a survey calls the northing X.
_PAIRS = ((_LON, _LAT, True), (_X, _Y, False))
_UNAMBIGUOUS = frozenset({"横坐标", "东坐标", "easting", "east"})


@dataclass(frozen=True)
class CoordinateColumns:
    """Where the positions of a table are.

    Attributes:
        x: Column of easting or longitude, if positions are in two columns.
        y: Column of northing or latitude.
        wkt: Column of WKT, if geometries are written out.
        order_known: Whether x is sure to be easting; a survey's X is the northing.
    """

    x: str | None = None
    y: str | None = None
    wkt: str | None = None
    order_known: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that hold positions."""
        return tuple(c for c in (self.x, self.y, self.wkt) if c is not None)


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is written.

    Attributes:
        faults: What is wrong with the header, each as a rule and its detail.
    """

    separator: str
    columns: tuple[str, ...]
    faults: tuple[str, ...] = ()


def sniff(path: Path, encoding: Encoding, max_fields: int) -> Dialect:
    """The separator and the columns of a delimited text, from its first line.

    Raises:
        UnreadableSource: empty, or with more than ``max_fields`` columns.
    """
    with path.open(encoding=encoding.name, newline="") as file:
        head = file.readline(_MAX_HEADER_CHARS)
    counts = Counter({s: len(_fields(head, s)) for s in _SEPARATORS})
    separator, columns = counts.most_common(1)[0]
    if not head.strip():
        raise UnreadableSource(path, "is empty")
    if columns == 0:
        raise UnreadableSource(path, "its first line is no header: a name is longer than any is")
    if columns > max_fields:
        raise UnreadableSource(path, f"has {columns} columns, more than {max_fields}")
    header = _fields(head.rstrip("\r\n"), separator)
    return Dialect(separator, _unique(header), _faults(header))


def _faults(header: Sequence[str]) -> tuple[str, ...]:
    names = [raw.strip() for raw in header]
    unnamed = (f"unnamed_column: {at}" for at, name in enumerate(names, start=1) if not name)
    repeated = (name for name, count in Counter(names).items() if name and count > 1)
    return (*unnamed, *(f"repeated_column: {name}" for name in repeated))


def _fields(line: str, separator: str) -> list[str]:
    """The fields of a line; none where one is longer than a field may be."""
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names: list[str] = []
    for number, raw in enumerate(header, start=1):
        name = raw.strip() or f"column_{number}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(names)


def coordinate_columns(
    columns: Sequence[str], mapping: Mapping, source: Path
) -> CoordinateColumns | None:
    """Which columns hold positions: those that the mapping names, else those known by name.

    Returns:
        None where there are none, as in a table of segments between surveyed points.

    Raises:
        MissingColumn: the mapping names a column that the file has not.
    """
    named = _mapped(columns, mapping, source)
    if named is not None:
        return named
    by_name = {normal_name(column): column for column in reversed(columns)}
    for x_names, y_names, order_known in _PAIRS:
        x = next((by_name[n] for n in x_names if n in by_name), None)
        y = next((by_name[n] for n in y_names if n in by_name), None)
        if x is not None and y is not None:
            known = order_known or normal_name(x) in _UNAMBIGUOUS
            return CoordinateColumns(x=x, y=y, order_known=known)
    wkt = next((by_name[n] for n in map(normal_name, _WKT) if n in by_name), None)
    return CoordinateColumns(wkt=wkt) if wkt is not None else None


def _mapped(columns: Sequence[str], mapping: Mapping, source: Path) -> CoordinateColumns | None:
    roles = {r: mapping.columns[r] for r in ("x", "y", "geometry") if r in mapping.columns}
    for role, column in roles.items():
        if column not in columns:
            raise MissingColumn(source, role, columns, column)
    if "geometry" in roles:
        return CoordinateColumns(wkt=roles["geometry"])
    if roles:
        for role in ("x", "y"):
            if role not in roles:
                raise MissingColumn(source, role, columns)
        return CoordinateColumns(x=roles["x"], y=roles["y"])
    return None
