"""Drawings (DXF, text and binary) through ezdxf: entities as rows of up to four layers.

Layers of the file are ``points`` (points and blocks), ``lines``, ``polygons`` and ``texts``;
the drawing's own layers are the column ``layer``. Attributes of a block are columns of its point,
and what survey programs attach to an entity is one column for each application, ``xdata_NAME``.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import shapely
from ezdxf import filemanagement, recover
from ezdxf.document import Drawing
from ezdxf.entities.dxfentity import DXFEntity
from ezdxf.lldxf.const import DXFError, InvalidGeoDataException
from ezdxf.lldxf.encoding import decode_mif_to_unicode
from ezdxf.lldxf.validator import is_binary_dxf_file, is_dxf_file

from .dxf_shapes import LINES, POINTS, POLYGONS, TEXTS, shape_of
from .stream import Contents, Reading, Refused, choose, text_batches, texts_schema

_LAYERS = {POINTS: "Point Z", LINES: "LineString Z", POLYGONS: "Polygon Z", TEXTS: "Point Z"}
_COLUMNS = ("layer", "entity_type", "block", "text", "color", "linetype", "rotation", "handle")
_UNICODE_SINCE = "AC1021"
_DEFAULT_ENCODING = "cp1252"
_BY_BLOCK, _BY_LAYER = 0, 256
_OF_THE_PROGRAM = "ACAD"
"""Application whose attached data say how an entity is drawn, not what it is."""

_SURVEY_CODES = (1000, 1005, 1040, 1070, 1071)
"""Group codes of attached data that are texts, handles and numbers."""


@dataclass
class _Row:
    """One entity."""

    values: dict[str, str | None]
    defect: str | None
    wkb: bytes


@dataclass
class _Drawing:
    """A drawing, its entities sorted into layers."""

    document: Drawing
    notes: list[str]
    rows: dict[str, list[_Row]] = field(default_factory=lambda: {name: [] for name in _LAYERS})

    @cached_property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """Columns of each layer: the common ones, then those that some entity has."""
        found: dict[str, tuple[str, ...]] = {}
        for name, rows in self.rows.items():
            seen = dict.fromkeys(_COLUMNS)
            for row in rows:
                seen.update(dict.fromkeys(row.values))
            found[name] = tuple(seen)
        return found


def layers(request: dict[str, Any]) -> list[Contents]:
    """Those of the four layers that have rows."""
    drawing = _read(request)
    return [
        Contents(name, drawing.columns[name], _LAYERS[name], len(rows))
        for name, rows in drawing.rows.items()
        if rows
    ]


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of a layer."""
    drawing = _read(request)
    crs, move = _place(drawing)
    name = choose([name for name, rows in drawing.rows.items() if rows], request["layer"])
    columns = drawing.columns[name]
    rows = (
        (tuple(row.values.get(c) for c in columns), row.defect, _moved(row.wkb, move))
        for row in drawing.rows[name]
    )
    yield Reading(
        columns,
        text_batches(columns, rows),
        crs,
        len(drawing.rows[name]),
        tuple(drawing.notes),
        texts_schema(columns),
    )


def _read(request: dict[str, Any]) -> _Drawing:
    logging.getLogger("ezdxf").setLevel(logging.ERROR)
    path = request["path"]
    drawing = _Drawing(*_document(path, request["encoding"]))
    model = drawing.document.modelspace()
    left_out: Counter[str] = Counter()
    for entity in model:
        name = _sort(drawing, entity)
        if name is not None:
            left_out[name] += 1
    if left_out:
        named = ", ".join(f"{count} {kind}" for kind, count in left_out.most_common(10))
        drawing.notes.append(f"entities of kinds that are not read: {named}")
    papers = (layout for layout in drawing.document.layouts if layout is not model)
    on_paper = sum(len(layout) for layout in papers)
    if on_paper:
        drawing.notes.append(f"{on_paper} entities of paper layouts were not read")
    return drawing


def _document(path: str, encoding: str | None) -> tuple[Drawing, list[str]]:
    """The drawing as it stands, else as it can be recovered."""
    is_binary = is_binary_dxf_file(path)
    if not is_binary and not is_dxf_file(path):
        message = "is not what its extension says: no DXF file"
        raise Refused(message)
    notes: list[str] = []
    try:
        if not is_binary:
            encoding = encoding or _encoding(path)
            notes.append(f"texts were read as {encoding}")
        try:
            return filemanagement.readfile(path, encoding), notes
        except (DXFError, ValueError, KeyError, IndexError, AttributeError, TypeError):
            document, auditor = recover.readfile(path)
    except (DXFError, OSError, LookupError, ValueError, AttributeError, TypeError) as error:
        message = f"cannot be read as a drawing: {error}"
        raise Refused(message) from error
    found = [entry.message for entry in (*auditor.errors, *auditor.fixes)]
    lost = "; ".join(message for message in found if message.startswith("Removed "))
    notes.append(f"the drawing has {len(found)} flaws and was recovered as far as it goes")
    return document, [*notes, *([lost[:500]] if lost else [])]


def _encoding(path: str) -> str:
    """UTF-8 from R2007 on; before, what the header says, or if it says nothing, what fits."""
    info = filemanagement.dxf_file_info(path)
    if info.version >= _UNICODE_SINCE:
        return "utf-8"
    if info.encoding != _DEFAULT_ENCODING:
        # GB18030 reads all that GBK does, and the rare characters that offices write besides.
        return "gb18030" if info.encoding in ("gbk", "gb2312", "cp936") else info.encoding
    with io.FileIO(path) as file:
        data = file.readall()
    names = ("utf-8",) if b"DWGCODEPAGE" in data else ("utf-8", "gb18030")
    for name in names:
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return _DEFAULT_ENCODING


def _sort(drawing: _Drawing, entity: DXFEntity) -> str | None:
    """Put an entity into its layer; its kind, where that is not read."""
    try:
        shape = shape_of(entity)
    except (DXFError, ValueError, ArithmeticError, AttributeError, TypeError, IndexError) as error:
        # A broken entity is a row with a defect of the layer that takes any geometry.
        drawing.rows[LINES].append(_row(drawing, entity, b"", f"is broken: {error}"))
        return None
    if shape is None:
        return entity.dxftype()
    name, geometry = shape
    wkb: bytes = shapely.to_wkb(geometry, output_dimension=3)
    drawing.rows[name].append(_row(drawing, entity, wkb, None))
    return None


def _row(drawing: _Drawing, entity: DXFEntity, wkb: bytes, defect: str | None) -> _Row:
    dxf = entity.dxf
    values: dict[str, str | None] = {
        "layer": dxf.get("layer", "0"),
        "entity_type": entity.dxftype(),
        "block": dxf.get("name") if entity.dxftype() == "INSERT" else None,
        "text": _text(entity),
        "color": _color(drawing.document, entity),
        "linetype": dxf.get("linetype"),
        "rotation": _number(dxf.get("rotation") if dxf.is_supported("rotation") else None),
        "handle": dxf.get("handle"),
    }
    for attribute in getattr(entity, "attribs", ()):
        values[_free(attribute.dxf.get("tag", ""), values)] = _text(attribute)
    for application, tags in (entity.xdata.data if entity.xdata else {}).items():
        if application == _OF_THE_PROGRAM:
            continue
        told = [str(tag.value) for tag in tags if tag.code in _SURVEY_CODES]
        values[_free(f"xdata_{application}", values)] = "|".join(told) or None
    return _readable(values, defect, wkb)


def _free(name: str, values: dict[str, str | None]) -> str:
    """The name, or one after it where the row has it already."""
    plain, number = name.strip() or "attribute", 2
    free = plain
    while free in values:
        free, number = f"{plain}_{number}", number + 1
    return free


def _text(entity: DXFEntity) -> str | None:
    if entity.dxftype() == "MTEXT":
        return str(entity.plain_text())  # type: ignore[attr-defined]  # of this kind
    if entity.dxftype() in ("TEXT", "ATTRIB", "ATTDEF"):
        return str(entity.plain_text())  # type: ignore[attr-defined]  # of these kinds
    return None


def _color(document: Drawing, entity: DXFEntity) -> str | None:
    """``#rrggbb`` where it is given so, else the number of AutoCAD's colour index."""
    rgb = getattr(entity, "rgb", None)
    if rgb is not None:
        return "#{:02x}{:02x}{:02x}".format(*rgb)
    color = entity.dxf.get("color", _BY_LAYER)
    if color == _BY_LAYER:
        layer = entity.dxf.get("layer", "0")
        if not document.layers.has_entry(layer):
            return None
        color = abs(document.layers.get(layer).color)
    return None if color == _BY_BLOCK else str(color)


def _number(value: float | None) -> str | None:
    return None if value is None else repr(float(value))


def _readable(values: dict[str, str | None], defect: str | None, wkb: bytes) -> _Row:
    """Texts that Arrow can hold; what is not in the drawing's encoding is a defect."""
    clean: dict[str, str | None] = {}
    for name, value in values.items():
        text, is_whole = _decoded(value)
        clean[_decoded(name)[0] or ""] = text
        if not is_whole:
            defect = (
                defect
                or f"{name} is not in the encoding of the drawing".encode(
                    "utf-8", "replace"
                ).decode()
            )
    return _Row(clean, defect, wkb)


def _decoded(text: str | None) -> tuple[str | None, bool]:
    if text is None:
        return None, True
    decoded = decode_mif_to_unicode(text)
    try:
        decoded.encode()
    except UnicodeEncodeError:
        return decoded.encode("utf-8", "replace").decode(), False
    return decoded, True


def _place(drawing: _Drawing) -> tuple[str | None, Any]:
    """The system that the drawing states, and the way of its coordinates there."""
    geodata = drawing.document.modelspace().get_geodata()
    if geodata is None:
        return None, None
    try:
        matrix, epsg = geodata.get_crs_transformation()
    except InvalidGeoDataException as error:
        reason = str(error).partition("\n")[0][:200]
        drawing.notes.append(f"its statement of the coordinate system cannot be used: {reason}")
        return None, None
    return f"EPSG:{epsg}", matrix


def _moved(wkb: bytes, matrix: Any) -> bytes:
    if matrix is None or not wkb:
        return wkb

    def forward(coordinates: Any) -> Any:
        return [tuple(vertex) for vertex in matrix.transform_vertices(coordinates)]

    moved = shapely.transform(shapely.from_wkb(wkb), forward, include_z=True)
    made: bytes = shapely.to_wkb(moved, output_dimension=3)
    return made
