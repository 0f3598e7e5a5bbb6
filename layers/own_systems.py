"""Coordinate systems and datum parameters that only an installation knows.

Parameters between the national datums of China, and between them and the grid of a city, are
secrets of the survey office. They come from a file of the operator, are never shown, logged or
stored: an operation that uses them is known by its name and its accuracy alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from layers.crs_texts import parse_crs

FloatArray = npt.NDArray[np.float64]
Forward = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]

MAX_ACCURACY_M = 10.0
"""An operation that is worse than this is none."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_RESERVED = re.compile(r"epsg|gcj-?02|bd-?09|ogc|esri|wgs84|iau.*|igne?f")
_GRID_PATH = re.compile(r"/[\w./-]+")
_STORAGE_ELLIPSOID = "+ellps=GRS80"
_ARC_SECONDS_PER_RADIAN = 180 * 3600 / math.pi


@dataclass(frozen=True)
class DatumShift:
    """A way from one datum to CGCS2000, known to this installation.

    Attributes:
        kind: What may be said of it: ``3 parameters``, ``7 parameters`` or ``grid``.
        accuracy_m: As the survey office says.
        steps: Of a PROJ pipeline, between geocentric or geographic coordinates; secret.
        is_grid: Whether the steps take longitude and latitude, not geocentric coordinates.
    """

    kind: str
    accuracy_m: float
    steps: str = field(repr=False)
    is_grid: bool = False

    def forward(self, crs: CRS) -> Forward:
        """The shift of longitude and latitude in degrees, always that order.

        Args:
            crs: A system on the datum, whose ellipsoid is taken.

        Raises:
            ValueError: PROJ cannot make it, as where a grid is missing.
        """
        ellipsoid = crs.ellipsoid
        if ellipsoid is None:
            message = "a system without an ellipsoid cannot be shifted"
            raise ValueError(message)
        own = f"+a={ellipsoid.semi_major_metre!r} +rf={ellipsoid.inverse_flattening!r}"
        inner = (
            self.steps
            if self.is_grid
            else f"+step +proj=cart {own} {self.steps} +step +inv +proj=cart {_STORAGE_ELLIPSOID}"
        )
        pipeline = (
            "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
            f"{inner} +step +proj=unitconvert +xy_in=rad +xy_out=deg"
        )
        try:
            transformer = Transformer.from_pipeline(pipeline)
        except ProjError:
            message = "the parameters of this installation cannot be used"
            raise ValueError(message) from None  # what PROJ says holds the parameters

        def forward(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
            lon, lat, *_ = transformer.transform(x, y, np.zeros_like(x), errcheck=False)
            return lon, lat

        return forward


@dataclass(frozen=True)
class PlaneShift:
    """A plane affine transformation: ``x' = a x + b y + c`` and ``y' = d x + e y + f``."""

    numbers: tuple[float, float, float, float, float, float] = field(repr=False)

    def forward(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Positions in the base system."""
        a, b, c, d, e, f = self.numbers
        return a * x + b * y + c, d * x + e * y + f


@dataclass(frozen=True)
class OwnSystem:
    """A system of coordinates that has a name in this installation only.

    Attributes:
        title: For people.
        kind: ``projection``, ``affine`` or ``helmert_2d``.
        base: Definition of the system that ``shift`` leads to, or of the system itself; secret
            where it is a PROJ string.
        accuracy_m: Of the way to CGCS2000, as the survey office says.
        stands_for: A system that files state, such as ``EPSG:2383``, and that is read as this one.
        datum: Plain name of the datum that ``base`` is on, where its own definition names none.
    """

    name: str
    title: str
    kind: str
    base: str = field(repr=False)
    accuracy_m: float
    shift: PlaneShift | None = field(default=None, repr=False)
    stands_for: str | None = None
    datum: str | None = None


@dataclass(frozen=True)
class OwnSystems:
    """What an installation knows besides PROJ; nothing by default.

    Attributes:
        shifts: Plain name of a datum to its way to CGCS2000.
        systems: By name.
    """

    shifts: Mapping[str, DatumShift] = field(default_factory=dict, repr=False)
    systems: Mapping[str, OwnSystem] = field(default_factory=dict)

    def shift_of(self, crs: CRS) -> DatumShift | None:
        """The way from the datum of a system, if one is known."""
        return self.shifts.get(plain_datum(crs))

    def system_of(self, name: str) -> OwnSystem | None:
        """The system of a name, or the one that stands for a system that files state."""
        plain = name.casefold()
        found = self.systems.get(plain)
        return found or next((s for s in self.systems.values() if s.stands_for == plain), None)


def plain_datum(crs: CRS) -> str:
    """The name of a datum as it is compared: ``D_Beijing_1954`` is ``Beijing 1954``."""
    name = crs.datum.name if crs.datum else ""
    return re.sub(r"[^a-z0-9]", "", name.casefold().removeprefix("d_"))


def parse_own_systems(document: object, folder: Path) -> OwnSystems:
    """What a parsed YAML document of the operator says.

    Args:
        document: An object with any of ``datums`` and ``systems``, see the page on coordinates.
        folder: Of the file, for paths of grids that are not absolute.

    Raises:
        ValueError: naming the entry that is wrong, never a value of it.
    """
    if document is None:
        return OwnSystems()
    if not isinstance(document, dict) or set(document) - {"datums", "systems"}:
        message = "needs an object with datums and systems"
        raise ValueError(message)
    datums = _object(document.get("datums"), "datums")
    systems = _object(document.get("systems"), "systems")
    shifts = {
        plain_datum(_geographic(name, f"datums.{name}")): _shift(entry, f"datums.{name}", folder)
        for name, entry in datums.items()
    }
    found = {name: _system(name, entry) for name, entry in systems.items()}
    for system in found.values():
        if system.datum is not None and system.datum not in shifts:
            message = f"systems.{system.name}.datum: has no entry under datums"
            raise ValueError(message)
    return OwnSystems(shifts, found)


def _object(value: object, where: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        message = f"{where}: needs an object"
        raise ValueError(message)
    return value


def _geographic(name: str, where: str) -> CRS:
    try:
        crs = parse_crs(name)
    except ValueError:
        crs = None
    if crs is None or not crs.is_geographic:
        message = f"{where}: needs the code of a geographic system, such as EPSG:4214"
        raise ValueError(message)
    return crs


_HELMERT = ("x_m", "y_m", "z_m", "rx_s", "ry_s", "rz_s", "scale_ppm")
_CONVENTIONS = ("position_vector", "coordinate_frame")


def _shift(entry: object, where: str, folder: Path) -> DatumShift:
    """A shift by ``x_m``, ``y_m``, ``z_m`` (and four more with ``convention``), or by ``grid``."""
    facts = _object(entry, where)
    known = {"accuracy_m", "grid"} if "grid" in facts else {"accuracy_m", "convention", *_HELMERT}
    _check_keys(facts, known, where)
    accuracy = _accuracy(facts, where)
    if "grid" in facts:
        return DatumShift("grid", accuracy, f"+step {_grid(facts['grid'], where, folder)}", True)
    x, y, z = (_number(facts, name, where) for name in _HELMERT[:3])
    step = f"+step +proj=helmert +x={x!r} +y={y!r} +z={z!r}"
    if not set(facts) & set(_HELMERT[3:]):
        return DatumShift("3 parameters", accuracy, step)
    rx, ry, rz, scale = (_number(facts, name, where) for name in _HELMERT[3:])
    convention = facts.get("convention")
    if convention not in _CONVENTIONS:
        message = f"{where}.convention: needs {' or '.join(_CONVENTIONS)}; they differ in sign"
        raise ValueError(message)
    turned = f"+rx={rx!r} +ry={ry!r} +rz={rz!r} +s={scale!r} +convention={convention}"
    return DatumShift("7 parameters", accuracy, f"{step} {turned}")


def _grid(value: object, where: str, folder: Path) -> str:
    path = folder / str(value)
    if not _GRID_PATH.fullmatch(str(path)) or not path.is_file():
        message = f"{where}.grid: needs the path of a grid file, without spaces"
        raise ValueError(message)
    return f"+proj=hgridshift +grids={path}"


_KINDS = ("projection", "affine", "helmert_2d")


def _system(name: str, entry: object) -> OwnSystem:
    where = f"systems.{name}"
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        message = (
            f"{where}: a name is of small letters, digits, - and _, and none of another system"
        )
        raise ValueError(message)
    facts = _object(entry, where)
    kinds = [kind for kind in _KINDS if kind in facts]
    if len(kinds) != 1:
        message = f"{where}: needs one of {', '.join(_KINDS)}"
        raise ValueError(message)
    (kind,) = kinds
    _check_keys(facts, {kind, "base", "title", "accuracy_m", "stands_for", "datum"}, where)
    base = facts[kind] if kind == "projection" else facts.get("base")
    _check_base(base, where)
    stands_for, datum = facts.get("stands_for"), facts.get("datum")
    return OwnSystem(
        name,
        str(facts.get("title", name)),
        kind,
        str(base),
        _accuracy(facts, where),
        _plane(kind, facts[kind], where),
        None if stands_for is None else str(stands_for).casefold(),
        None if datum is None else plain_datum(_geographic(str(datum), f"{where}.datum")),
    )


def _check_base(base: object, where: str) -> None:
    try:
        parse_crs(str(base))
    except ValueError:
        message = f"{where}: its projection or base is not a coordinate reference system"
        raise ValueError(message) from None


def _plane(kind: str, entry: object, where: str) -> PlaneShift | None:
    if kind == "projection":
        return None
    facts = _object(entry, f"{where}.{kind}")
    if kind == "affine":
        names = ("a", "b", "c", "d", "e", "f")
        _check_keys(facts, set(names), f"{where}.affine")
        a, b, c, d, e, f = (_number(facts, name, f"{where}.affine") for name in names)
        if a * e == b * d:
            message = f"{where}.affine: maps the plane onto a line"
            raise ValueError(message)
        return PlaneShift((a, b, c, d, e, f))
    four = ("x_m", "y_m", "rotation_s", "scale_ppm")
    _check_keys(facts, set(four), f"{where}.helmert_2d")
    x, y, rotation, scale = (_number(facts, name, f"{where}.helmert_2d") for name in four)
    turn = rotation / _ARC_SECONDS_PER_RADIAN
    cos, sin = (1 + scale * 1e-6) * math.cos(turn), (1 + scale * 1e-6) * math.sin(turn)
    return PlaneShift((cos, -sin, x, sin, cos, y))


def _check_keys(facts: Mapping[str, object], known: set[str], where: str) -> None:
    unknown = set(facts) - known
    if unknown:
        message = f"{where}: knows no {', '.join(sorted(unknown))}"
        raise ValueError(message)


def _accuracy(facts: Mapping[str, object], where: str) -> float:
    accuracy = _number(facts, "accuracy_m", where)
    if not 0 < accuracy <= MAX_ACCURACY_M:
        message = f"{where}.accuracy_m: needs to be above 0 and at most {MAX_ACCURACY_M:g}"
        raise ValueError(message)
    return accuracy


def _number(facts: Mapping[str, object], name: str, where: str) -> float:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        message = f"{where}.{name}: needs a number"
        raise ValueError(message)
    return float(value)
