"""The layer descriptor: what a layer of the city is, said once, in one frozen object.

Tables, views, grants, column mapping, checks, collections, queryables, tile SQL, TileJSON, styles
and the pages of the reference are all derived from a ``Layer``. A descriptor holds facts only; it
opens no connection and knows no file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from layers.access import Clearance

STORAGE_SRID = 4490
TILE_SRID = 3857

CITY_SCHEMA = "city"
"""Schema of the tables of typed layers, and of all that is no layer."""

THEME_SCHEMA = "themes"
"""Schema of the tables of layers that were made from files."""


class AttributeType(StrEnum):
    """Types that an attribute may have, whatever file it comes from."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class GeometryType(StrEnum):
    """Geometry types of layers; a trailing Z means that every vertex has an elevation."""

    POINT = "Point"
    POINT_Z = "PointZ"
    MULTI_POINT = "MultiPoint"
    MULTI_POINT_Z = "MultiPointZ"
    LINE_STRING_Z = "LineStringZ"
    MULTI_LINE_STRING = "MultiLineString"
    MULTI_LINE_STRING_Z = "MultiLineStringZ"
    MULTI_POLYGON = "MultiPolygon"
    MULTI_POLYGON_Z = "MultiPolygonZ"

    @property
    def has_z(self) -> bool:
        """Whether vertices carry an elevation in metres."""
        return self.value.endswith("Z")

    @property
    def is_multi(self) -> bool:
        """Whether single parts are promoted to a collection of one."""
        return self.value.startswith("Multi")

    @property
    def dimension(self) -> int:
        """0 for points, 1 for lines, 2 for areas."""
        return {"Point": 0, "LineString": 1, "Polygon": 2}[self.simple_name]

    @property
    def simple_name(self) -> str:
        """The type without Multi and Z, such as ``LineString``."""
        return self.value.removeprefix("Multi").removesuffix("Z")


@dataclass(frozen=True)
class Title:
    """A name for people, in English and in Chinese."""

    en: str
    zh: str

    def as_json(self) -> dict[str, str]:
        """``{"en": ..., "zh": ...}``."""
        return {"en": self.en, "zh": self.zh}


@dataclass(frozen=True)
class Code:
    """One entry of a code list; ``color`` is ``#rrggbb`` where a standard fixes one."""

    code: str
    title: Title
    color: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodeList:
    """A closed or open list of codes; values outside a closed list are rejected."""

    name: str
    codes: tuple[Code, ...]
    source: str
    closed: bool = True

    @cached_property
    def by_word(self) -> Mapping[str, str]:
        """Every word that means a code (the code, its titles, its aliases), case folded."""
        words: dict[str, str] = {}
        for entry in self.codes:
            for word in (entry.code, entry.title.zh, entry.title.en, *entry.aliases):
                words.setdefault(word.casefold(), entry.code)
        return words

    @cached_property
    def by_code(self) -> Mapping[str, Code]:
        """The entries by their code."""
        return {entry.code: entry for entry in self.codes}


@dataclass(frozen=True)
class Derived:
    """An attribute that follows from another one, never from a file's column.

    Attributes:
        attribute: The attribute it follows from.
        mapping: Value of that attribute to value of this one; a missing one gives null.
        prefix: Else: so many leading characters of it.
    """

    attribute: str
    mapping: Mapping[str, str] | None = None
    prefix: int | None = None


@dataclass(frozen=True)
class Attribute:
    """One attribute of a layer.

    Attributes:
        name: Column name; carries the unit where the type has none (``diameter_mm``).
        aliases: Column names by which files know it, English and Chinese; compared case folded and
            without spaces and underscores, and to the 10 bytes that a DBF keeps.
        clearance: The level from which the attribute may be read; None means the layer's own.
        in_tile: Whether tiles carry it (what the style or a label needs), so tiles stay small.
        minimum: Least value allowed, in ``unit``.
        maximum: Greatest value allowed, in ``unit``.
        pattern: Regular expression (RE2 syntax) that the whole text must match.
        section: Attribute that takes what a column of this one gives as width by height
            (``300*400``); its texts are in its own unit.
        stored_as: Column of the tables; None means that it is called as the attribute. Readers see
            the name in any case.
    """

    name: str
    type: AttributeType
    title: Title
    aliases: tuple[str, ...] = ()
    unit: str | None = None
    codes: CodeList | None = None
    clearance: Clearance | None = None
    required: bool = False
    in_tile: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    derived: Derived | None = None
    section: str | None = None
    stored_as: str | None = None

    @property
    def column(self) -> str:
        """Name of the column in the tables and in staging."""
        return self.stored_as or self.name


@dataclass(frozen=True)
class RowClearance:
    """How the clearance of a row follows from a coded attribute."""

    attribute: str
    by_code: Mapping[str, Clearance]
    default: Clearance = Clearance.RESTRICTED

    def of(self, code: str | None) -> Clearance:
        """The clearance of a row whose attribute has this code; unknown codes get the default."""
        return self.by_code.get(code or "", self.default)


@dataclass(frozen=True)
class EndNodes:
    """A segment whose file gives no geometry gets it from its two nodes.

    The axis elevation at each end is the elevation given, or ground minus depth, moved from crown
    or invert to the axis by half the height of the pipe.
    """

    layer: str
    start: str
    end: str


@dataclass(frozen=True)
class LabelRank:
    """How the names of the features of one code are written.

    Attributes:
        size_px: Height of the letters.
        minzoom: Zoom from which they are drawn.
        maxzoom: Zoom from which they are drawn no more.
    """

    code: str
    size_px: float
    minzoom: int
    maxzoom: int = 24


@dataclass(frozen=True)
class Style:
    """How a layer is drawn, apart from any renderer.

    Attributes:
        color: ``#rrggbb`` where no code decides.
        color_by: Attribute whose code list carries the colours.
        legend_by: Attribute derived from ``color_by`` by which the legend sums up its codes.
        width_px: Line width, outline of an area, or diameter of a point, at zoom 16.
        width_by: Attribute whose codes make a line or an outline wider or thinner.
        width_factors: By how much, for each code; 1 for the others.
        opacity: 0 to 1.
        label: Attribute drawn as text.
        label_minzoom: Zoom from which labels are drawn.
        label_tail: How many of the last characters are drawn; None draws all.
        label_color: ``#rrggbb`` of labels.
        label_by: Attribute whose codes may be written in ranks of their own.
        label_ranks: Those codes, most important first; ``label_minzoom`` is for the others.
        live: Whether the colour follows the live status of the feature.
        live_minzoom: Zoom from which it does; further out there are too many features to ask for.
        dashed: Whether lines are dashed.
        minzoom: Zoom from which it is drawn; tiles hold it from further out on, where an overview
            of it would only make the map restless.
        symbol_by: Attribute whose values have symbols.
        symbols: Names of the symbols by value; those there are stand in ``tiles/symbols.py``.
        symbol_minzoom: Zoom from which symbols are drawn.
    """

    color: str
    color_by: str | None = None
    legend_by: str | None = None
    width_px: float = 1.5
    width_by: str | None = None
    width_factors: Mapping[str, float] = field(default_factory=dict)
    opacity: float = 1.0
    outline: str | None = None
    label: str | None = None
    label_minzoom: int = 15
    label_tail: int | None = None
    label_color: str = "#333333"
    label_by: str | None = None
    label_ranks: tuple[LabelRank, ...] = ()
    live: bool = False
    live_minzoom: int = 14
    dashed: bool = False
    minzoom: int = 0
    symbol_by: str | None = None
    symbols: Mapping[str, str] = field(default_factory=dict)
    symbol_minzoom: int = 15


@dataclass(frozen=True)
class Generalisation:
    """How a layer is drawn at zooms at which a tile cannot hold all of it.

    Lines rank by length and areas by size, and the first are kept; points are drawn as clusters.
    Attributes that are more secret than the layer are not looked at: what is kept would tell.

    Attributes:
        weight: Numeric attribute whose value multiplies the rank; nothing and less than 1 count
            as 1.
        weight_by: Attribute whose codes multiply the rank.
        factors: By how much, for each code; 1 for the others.
        cluster_by: Attribute by whose codes the points of a cluster are counted; None takes the
            one that colours them.
    """

    weight: str | None = None
    weight_by: str | None = None
    factors: Mapping[str, float] = field(default_factory=dict)
    cluster_by: str | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of the city. See ``docs/how-to/add-a-layer.md`` for a worked example.

    Attributes:
        natural_keys: Attribute tuples that identify a feature, best first; the first whose columns
            a file has is used.
        valid_from: Date attribute from which a feature that is new to the database holds true.
        clearance: Reading level of the layer: below it the layer does not exist.
        row_clearance: How rows get their own level; None gives every row the layer's.
        knn_by: Attribute by which nearest-neighbour searches are limited (indexed together).
        lookup_by: Attribute by which held features are looked up, besides by key (indexed).
        generalisation: How it is drawn where a tile cannot hold all of it.
        minzoom: First zoom at which tiles hold the layer; the style says from where it is drawn.
        maxzoom: Last zoom at which tiles are made; clients scale beyond it.
        schema: Schema of the tables.
        stored_as: Name of the table of held versions; None means that it is called as the layer.
            Readers see the layer's name in any case.
    """

    name: str
    title: Title
    description: Title
    geometry_type: GeometryType
    attributes: tuple[Attribute, ...]
    natural_keys: tuple[tuple[str, ...], ...]
    style: Style
    clearance: Clearance = Clearance.RESTRICTED
    row_clearance: RowClearance | None = None
    valid_from: str | None = None
    end_nodes: EndNodes | None = None
    knn_by: str | None = None
    lookup_by: str | None = None
    generalisation: Generalisation = field(default_factory=Generalisation)
    minzoom: int = 0
    maxzoom: int = 17
    group: Title = field(default=Title("Other", "其他"))
    schema: str = CITY_SCHEMA
    stored_as: str | None = None

    @cached_property
    def attribute(self) -> Mapping[str, Attribute]:
        """The attributes by name."""
        return {attribute.name: attribute for attribute in self.attributes}

    @property
    def drawn_from(self) -> int:
        """The zoom from which maps draw the layer."""
        return max(self.minzoom, self.style.minzoom)

    def clearance_of(self, attribute: Attribute) -> Clearance:
        """The level from which an attribute may be read: the higher of layer's and its own."""
        return max(self.clearance, attribute.clearance or Clearance.PUBLIC)

    def attributes_at(self, level: Clearance) -> tuple[Attribute, ...]:
        """The attributes that a level may read, in order; none below the layer's clearance."""
        return tuple(a for a in self.attributes if self.clearance_of(a) <= level)

    def tile_attributes_at(self, level: Clearance) -> tuple[Attribute, ...]:
        """The attributes that tiles carry at a level."""
        return tuple(a for a in self.attributes_at(level) if a.in_tile)
