"""Descriptors of themes as documents: JSON in the database, YAML in the hands of people.

A document says all that a person may decide about a theme. What it must not say (an identifier
that is none, a colour by an attribute that is hidden, a code twice) is refused here, before it
becomes a ``Layer``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from layers.access import Clearance
from layers.base import (
    THEME_SCHEMA,
    Attribute,
    AttributeType,
    Code,
    CodeList,
    GeometryType,
    Layer,
    Style,
    Title,
)
from layers.errors import InvalidParameter, InvalidTheme
from layers.names import check_attribute_name, check_layer_name, check_plain

MAX_ATTRIBUTES = 1_000
MAX_CODES = 2_000
MAX_COLUMN_CHARS = 1_000
_MAX_ZOOM = 22
_HELD = "held"

Word = Annotated[str, Field(min_length=1, max_length=200)]
ColumnName = Annotated[str, Field(min_length=1, max_length=MAX_COLUMN_CHARS)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Zoom = Annotated[int, Field(ge=0, le=_MAX_ZOOM)]
Level = Literal["public", "enterprise", "government", "restricted"]


def _checked(check: Callable[[str], None]) -> AfterValidator:
    def validate(name: str, information: ValidationInfo) -> str:
        try:
            # Words that got a meaning after a theme was made do not unmake it.
            (check_plain if information.context == _HELD else check)(name)
        except InvalidParameter as error:
            raise ValueError(error.reason) from None
        return name

    return AfterValidator(validate)


LayerName = Annotated[str, _checked(check_layer_name)]
AttributeName = Annotated[str, _checked(check_attribute_name)]


KEY_TYPES = (AttributeType.TEXT, AttributeType.INTEGER, AttributeType.DATE)
"""Types whose values have one text only, in files as in the database."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TitleDocument(_Document):
    """A title in both languages."""

    en: Word
    zh: Word

    def title(self) -> Title:
        """As descriptors hold it."""
        return Title(self.en, self.zh)


class CodeDocument(_Document):
    """One entry of a code list."""

    code: Word
    title: TitleDocument
    color: Color | None = None
    aliases: tuple[Word, ...] = ()

    def entry(self) -> Code:
        """As descriptors hold it."""
        return Code(self.code, self.title.title(), self.color, self.aliases)


class CodesDocument(_Document):
    """A code list of an attribute."""

    closed: bool = False
    entries: Annotated[tuple[CodeDocument, ...], Field(min_length=1, max_length=MAX_CODES)]

    @field_validator("entries")
    @classmethod
    def _no_code_twice(cls, entries: tuple[CodeDocument, ...]) -> tuple[CodeDocument, ...]:
        codes = [entry.code for entry in entries]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            message = f"has a code twice: {', '.join(twice)}"
            raise ValueError(message)
        return entries


class AttributeDocument(_Document):
    """One attribute of a theme; ``column`` is given by the service and never changes."""

    name: AttributeName
    column: Annotated[str, Field(pattern=r"^a[1-9][0-9]{0,3}$")] | None = None
    type: AttributeType
    title: TitleDocument
    aliases: tuple[ColumnName, ...] = ()
    unit: Word | None = None
    codes: CodesDocument | None = None
    clearance: Level | None = None
    required: bool = False
    in_tile: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _codes_are_texts(self) -> Self:
        if self.codes is not None and self.type is not AttributeType.TEXT:
            message = f"{self.name}: only texts have code lists"
            raise ValueError(message)
        return self

    def attribute(self, theme: str) -> Attribute:
        """As descriptors hold it."""
        codes = None
        if self.codes is not None:
            entries = tuple(entry.entry() for entry in self.codes.entries)
            codes = CodeList(
                f"{theme}.{self.name}", entries, "Values of the file", self.codes.closed
            )
        return Attribute(
            name=self.name,
            type=self.type,
            title=self.title.title(),
            aliases=self.aliases,
            unit=self.unit,
            codes=codes,
            clearance=Clearance.from_label(self.clearance) if self.clearance else None,
            required=self.required,
            in_tile=self.in_tile,
            minimum=self.minimum,
            maximum=self.maximum,
            stored_as=self.column,
        )


class StyleDocument(_Document):
    """How a theme is drawn."""

    color: Color
    color_by: str | None = None
    width_px: Annotated[float, Field(gt=0, le=100)] = 1.5
    opacity: Annotated[float, Field(ge=0, le=1)] = 1.0
    outline: Color | None = None
    dashed: bool = False
    label: str | None = None
    label_minzoom: Zoom = 15
    label_color: Color = "#333333"


class ThemeDocument(_Document):
    """All that is said of a theme."""

    name: LayerName
    title: TitleDocument
    description: TitleDocument
    group: TitleDocument
    geometry_type: GeometryType
    clearance: Level
    key: tuple[str, ...] = ()
    valid_from: str | None = None
    minzoom: Zoom
    maxzoom: Zoom
    style: StyleDocument
    attributes: Annotated[tuple[AttributeDocument, ...], Field(max_length=MAX_ATTRIBUTES)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for fault in self._names() or self._shown():
            raise ValueError(fault)
        if self.minzoom > self.maxzoom:
            message = "minzoom is above maxzoom"
            raise ValueError(message)
        return self

    def _names(self) -> list[str]:
        """What is named twice, or named and not there."""
        names = [attribute.name for attribute in self.attributes]
        columns = [attribute.column for attribute in self.attributes if attribute.column]
        faults = [f"attribute {name} is there twice" for name in names if names.count(name) > 1]
        faults += [f"column {one} is there twice" for one in columns if columns.count(one) > 1]
        named = [
            *(("key", name) for name in self.key),
            ("valid_from", self.valid_from),
            ("style.color_by", self.style.color_by),
            ("style.label", self.style.label),
        ]
        faults += [
            f"{where} names attribute {name!r}, which is not there"
            for where, name in named
            if name is not None and name not in names
        ]
        return faults

    def _shown(self) -> list[str]:
        """Attributes that the style shows although they cannot be or must not be shown."""
        by_name = {attribute.name: attribute for attribute in self.attributes}
        faults = []
        colored = by_name.get(self.style.color_by or "")
        if colored is not None and colored.codes is None:
            faults.append(f"style.color_by: {colored.name} has no codes")
        faults += [
            f"key: {name} is a {by_name[name].type}, which is no name of a thing"
            for name in self.key
            if by_name[name].type not in KEY_TYPES
        ]
        dated = by_name.get(self.valid_from or "")
        if dated is not None and dated.type not in (AttributeType.DATE, AttributeType.TIMESTAMP):
            faults.append(f"valid_from: {dated.name} is no date")
        for name in (self.style.color_by, self.style.label):
            shown = by_name.get(name or "")
            if shown is None or shown.clearance is None:
                continue
            if Clearance.from_label(shown.clearance) > Clearance.from_label(self.clearance):
                faults.append(f"the style shows {name} to all who see the layer, but it is secret")
        return faults


def parse_theme(document: object, theme_id: int | None = None, *, is_held: bool = False) -> Layer:
    """The layer that a document describes.

    Args:
        theme_id: Number of the theme, which its tables bear; None while there is none.
        is_held: Whether the document is the database's own, so that its names were checked.

    Raises:
        InvalidTheme: the document is not one; it says where and why.
    """
    try:
        said = ThemeDocument.model_validate(document, context=_HELD if is_held else None)
    except ValidationError as error:
        raise InvalidTheme(_first_fault(error)) from None
    shown = {said.style.color_by, said.style.label}
    attributes = tuple(
        one.model_copy(update={"in_tile": one.in_tile or one.name in shown}).attribute(said.name)
        for one in said.attributes
    )
    return Layer(
        name=said.name,
        title=said.title.title(),
        description=said.description.title(),
        group=said.group.title(),
        geometry_type=said.geometry_type,
        attributes=_with_columns(attributes),
        natural_keys=(said.key,) if said.key else (),
        style=Style(**said.style.model_dump()),
        clearance=Clearance.from_label(said.clearance),
        valid_from=said.valid_from,
        minzoom=said.minzoom,
        maxzoom=said.maxzoom,
        schema=THEME_SCHEMA,
        stored_as=None if theme_id is None else f"t{theme_id}",
    )


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    reason = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {reason}" if where else reason


def _with_columns(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Each attribute with a column of its own; numbers are never given twice."""
    last = max((int(a.stored_as[1:]) for a in attributes if a.stored_as), default=0)
    placed = []
    for attribute in attributes:
        if attribute.stored_as is None:
            last += 1
            placed.append(replace(attribute, stored_as=f"a{last}"))
        else:
            placed.append(attribute)
    return tuple(placed)


def theme_document(theme: Layer) -> dict[str, Any]:
    """The document of a theme, from which ``parse_theme`` makes an equal one."""
    style = theme.style
    return {
        "name": theme.name,
        "title": theme.title.as_json(),
        "description": theme.description.as_json(),
        "group": theme.group.as_json(),
        "geometry_type": theme.geometry_type.value,
        "clearance": theme.clearance.label,
        "key": list(theme.natural_keys[0]) if theme.natural_keys else [],
        "valid_from": theme.valid_from,
        "minzoom": theme.minzoom,
        "maxzoom": theme.maxzoom,
        "style": {name: getattr(style, name) for name in StyleDocument.model_fields},
        "attributes": [_attribute_document(attribute) for attribute in theme.attributes],
    }


def _attribute_document(attribute: Attribute) -> dict[str, Any]:
    """What is said of an attribute; what is not said is left out, so that people can read it."""
    said: dict[str, Any] = {
        "name": attribute.name,
        "column": attribute.column,
        "type": attribute.type.value,
        "title": attribute.title.as_json(),
        "aliases": list(attribute.aliases),
        "unit": attribute.unit,
        "clearance": attribute.clearance.label if attribute.clearance is not None else None,
        "required": attribute.required or None,
        "in_tile": attribute.in_tile or None,
        "minimum": attribute.minimum,
        "maximum": attribute.maximum,
    }
    if attribute.codes is not None:
        said["codes"] = {
            "closed": attribute.codes.closed,
            "entries": [_code_document(code) for code in attribute.codes.codes],
        }
    return {name: value for name, value in said.items() if value not in (None, [])}


def _code_document(code: Code) -> dict[str, Any]:
    said = {
        "code": code.code,
        "title": code.title.as_json(),
        "color": code.color,
        "aliases": list(code.aliases),
    }
    return {name: value for name, value in said.items() if value not in (None, [])}
