"""Layers made from files with no code: everything a descriptor says, inferred from what is there.

The files are read once for this, before they are loaded, and nothing is kept of them but counts.
What cannot be known is not guessed: a theme is ``restricted`` until a person lowers it, and has a
real key only if one is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layers.access import Clearance
from layers.base import Attribute, AttributeType, Code, CodeList, Layer, Title
from layers.codes import ELEVATION_SOURCES
from layers.errors import MissingColumn, SourceError
from layers.names import attribute_name
from layers.registry import LAYERS
from layers.theme_changes import WIDER
from layers.theme_documents import (
    KEY_TYPES,
    MAX_ATTRIBUTES,
    MAX_COLUMN_CHARS,
    parse_theme,
    theme_document,
)
from loaders.folders import private_folder
from loaders.inference import InferredColumn
from loaders.mapping import normal_name
from loaders.options import LoadOptions
from loaders.theme_evidence import Evidence, gather
from loaders.theme_style import coded_column, color_of, label_column, style_of

GROUP = Title("Themes", "专题图层")
Z_SOURCE = "z_source"
MAX_WORD_CHARS = 200
MAX_ZOOM = 17


@dataclass(frozen=True)
class ThemeRequest:
    """What a person says of a new theme; the rest is inferred.

    Attributes:
        name: Of the layer; see ``layers.names``.
        title_zh: Chinese title; None takes the English one.
        title_en: English title; None makes one of the name.
        clearance: Level from which all of it may be read; None is ``restricted``.
        key: Columns of the files that identify a feature.
    """

    name: str
    title_zh: str | None = None
    title_en: str | None = None
    clearance: Clearance | None = None
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class InferredTheme:
    """A theme that is not made yet, and what its maker should know."""

    layer: Layer
    notes: tuple[str, ...]


def infer_theme(
    files: Sequence[Path], options: LoadOptions, request: ThemeRequest
) -> InferredTheme:
    """The theme that some files describe.

    Args:
        files: Read one after another, as if they were one.

    Raises:
        SourceError: a file cannot be read, or has no geometry.
        InvalidTheme: what was requested cannot be a theme.
    """
    evidence = _read(files, options)
    notes = list(evidence.notes())
    columns = _distinct(evidence.columns, notes)
    attributes = _attributes(columns, request.key, notes)
    key = _key(request.key, columns, attributes, files[0])
    if evidence.geometry_type.has_z:
        attributes.append(_z_source(attributes))
    label, coded = label_column(columns), coded_column(columns)
    named = dict(zip((column.name for column in columns), attributes, strict=False))
    if coded is not None:
        named[coded.name] = replace(
            named[coded.name], codes=_codes(request.name, coded), in_tile=True
        )
    if label is not None:
        named[label.name] = replace(named[label.name], in_tile=True)
    attributes[: len(named)] = named.values()
    described = Layer(
        name=request.name,
        title=_title(request),
        description=_description(files),
        group=GROUP,
        geometry_type=evidence.geometry_type,
        attributes=tuple(attributes),
        natural_keys=(key,) if key else (),
        style=style_of(
            request.name,
            evidence.geometry_type,
            label=named[label.name].name if label else None,
            color_by=named[coded.name].name if coded else None,
        ),
        clearance=Clearance.RESTRICTED if request.clearance is None else request.clearance,
        minzoom=evidence.minzoom(),
        maxzoom=MAX_ZOOM,
    )
    if not key:
        notes += _possible_keys(columns)
    # Through the document, so that what is made can also be read again.
    return InferredTheme(parse_theme(_without_columns(described)), tuple(notes))


def widen_theme(theme: Layer, files: Sequence[Path], options: LoadOptions) -> InferredTheme:
    """The theme with types that hold what some more files give, where they do not yet.

    A type becomes wider if the values of a file are of another kind; if only a few of them are
    (``InferredColumn.nearly``), these are mistakes, and their rows go to quarantine.

    Raises:
        SourceError: a file cannot be read.
    """
    if not theme.attributes:
        return InferredTheme(theme, ())
    found = {normal_name(column.name): column for column in _read(files, options).columns}
    attributes, notes = [], []
    for attribute in theme.attributes:
        words = (attribute.name, *attribute.aliases)
        column = next((found[w] for w in map(normal_name, words) if w in found), None)
        kind = attribute.type if column is None else _wide_enough(theme, attribute, column)
        if kind is not attribute.type:
            notes.append(f"{attribute.name} is now {kind}, was {attribute.type}: {_seen(column)}")
            attribute = replace(attribute, type=kind, unit=_unit_of(attribute, kind))
        attributes.append(attribute)
    return InferredTheme(_copy(theme, tuple(attributes)) if notes else theme, tuple(notes))


def _read(files: Sequence[Path], options: LoadOptions) -> Evidence:
    with private_folder() as folder:
        return gather(files, options, folder)


def _copy(theme: Layer, attributes: tuple[Attribute, ...]) -> Layer:
    return replace(theme, attributes=attributes)


def _wide_enough(theme: Layer, attribute: Attribute, column: InferredColumn) -> AttributeType:
    """The narrowest type that holds both what is held and what a column gives."""
    if not column.filled or attribute.codes is not None:
        return attribute.type
    given = column.nearly or column.type
    if given is attribute.type or attribute.type is AttributeType.TEXT:
        return attribute.type
    if (given, attribute.type) in _READ_AS or _is_truth(column, attribute):
        return attribute.type
    is_key = attribute.name in {name for key in theme.natural_keys for name in key}
    wider = WIDER[attribute.type]
    return given if given in wider and not (is_key and given not in KEY_TYPES) else wider[-1]


_READ_AS = frozenset(
    (
        (AttributeType.INTEGER, AttributeType.NUMBER),
        (AttributeType.DATE, AttributeType.TIMESTAMP),
    )
)
"""Types of values that are read as another type as they are."""


def _is_truth(column: InferredColumn, attribute: Attribute) -> bool:
    """Whether the numbers of a column are 0 and 1, as files write truths."""
    is_bit = column.minimum in (0, 1) and column.maximum in (0, 1)
    return attribute.type is AttributeType.BOOLEAN and is_bit


def _seen(column: InferredColumn | None) -> str:
    return f"the file has {', '.join(map(repr, column.samples[:3]))}" if column else ""


def _unit_of(attribute: Attribute, kind: AttributeType) -> str | None:
    return None if kind is AttributeType.TEXT else attribute.unit


def _distinct(columns: Sequence[InferredColumn], notes: list[str]) -> list[InferredColumn]:
    """Columns that a later file can be matched with: of names that differ by case or spaces one."""
    kept: dict[str, InferredColumn] = {}
    for column in columns:
        if not (normal_name(column.name) and len(column.name) <= MAX_COLUMN_CHARS):
            notes.append(f"column {column.name[:20]!r} is left out: it has no name to know it by")
            continue
        first = kept.setdefault(normal_name(column.name), column)
        if first is not column:
            notes.append(f"column {column.name!r} is left out: it is called as {first.name!r} is")
    if len(kept) >= MAX_ATTRIBUTES:
        message = f"{len(kept)} columns are more than a theme can have ({MAX_ATTRIBUTES - 1})"
        raise SourceError(message)
    return list(kept.values())


def _attributes(
    columns: Sequence[InferredColumn], key: Sequence[str], notes: list[str]
) -> list[Attribute]:
    known = _known_words()
    keys = {normal_name(name) for name in key}
    taken: set[str] = {Z_SOURCE}
    made = []
    for number, column in enumerate(columns, start=1):
        like = known.get(normal_name(column.title)) if column.unit is None else None
        name = attribute_name(like.name if like else column.name, taken, f"a{number}")
        taken.add(name)
        kind = column.type
        if normal_name(column.name) in keys and kind not in KEY_TYPES:
            kind = AttributeType.TEXT
        if column.nearly is not None:
            odd = ", ".join(map(repr, column.exceptions))
            notes.append(f"column {column.name!r} would be {column.nearly} but for {odd}")
        title = like.title if like else Title(_word(column.title), _word(column.title))
        unit = column.unit if kind in (AttributeType.INTEGER, AttributeType.NUMBER) else None
        made.append(Attribute(name, kind, title, aliases=(column.name,), unit=unit))
    return made


def _known_words() -> Mapping[str, Attribute]:
    """What words of files mean in all layers of the city that know them, such as 名称."""
    meant: dict[str, Attribute | None] = {}
    for attribute in (a for layer in LAYERS for a in layer.attributes):
        if attribute.unit is not None or attribute.codes is not None:
            continue
        for word in {normal_name(alias) for alias in attribute.aliases if not alias.isascii()}:
            known = meant.setdefault(word, attribute)
            if known is not None and known.name != attribute.name:
                meant[word] = None
    return {word: attribute for word, attribute in meant.items() if attribute is not None}


def _key(
    names: Sequence[str],
    columns: Sequence[InferredColumn],
    attributes: Sequence[Attribute],
    source: Path,
) -> tuple[str, ...]:
    by_word = {normal_name(attribute.name): attribute.name for attribute in attributes}
    for column, attribute in zip(columns, attributes, strict=False):
        by_word[normal_name(column.name)] = attribute.name
    for name in names:
        if normal_name(name) not in by_word:
            raise MissingColumn(source, name, [column.name for column in columns])
    return tuple(by_word[normal_name(name)] for name in names)


def _possible_keys(columns: Sequence[InferredColumn]) -> list[str]:
    unique = [c.name for c in columns if c.is_unique and c.type in KEY_TYPES]
    if not unique:
        return ["no column tells features apart, so a later load knows gone and new ones only"]
    listed = ", ".join(unique[:5])
    return [f"no key: a later load knows gone and new features only; --key could be {listed}"]


def _z_source(attributes: Sequence[Attribute]) -> Attribute:
    title = Title("Source of elevations", "高程来源")
    return Attribute(Z_SOURCE, AttributeType.TEXT, title, codes=ELEVATION_SOURCES)


def _codes(theme: str, column: InferredColumn) -> CodeList:
    entries = tuple(
        Code(_word(code), Title(_word(code), _word(code)), color_of(at))
        for at, code in enumerate(sorted(column.codes))
    )
    return CodeList(theme, entries, "Values of the file", closed=False)


def _title(request: ThemeRequest) -> Title:
    plain = request.name.replace("_", " ").capitalize()
    en = request.title_en or plain
    return Title(_word(en), _word(request.title_zh or request.title_en or plain))


def _description(files: Sequence[Path]) -> Title:
    names = ", ".join(file.name for file in files)
    return Title(_word(f"Made from {names}"), _word(f"由文件生成：{names}"))


def _word(text: str) -> str:
    """A text of a file as a title: nothing in it steers a terminal, and it is not without end."""
    shown = "".join(c if c.isprintable() else " " for c in text).strip()
    return shown[:MAX_WORD_CHARS] or "?"


def _without_columns(described: Layer) -> dict[str, object]:
    """The document of a layer whose columns are still to be numbered."""
    document = theme_document(described)
    for attribute in document["attributes"]:
        del attribute["column"]
    return document
