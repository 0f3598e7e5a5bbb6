"""The pages of the layers and of their code lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from geoservice.reference.markdown import code, page, table
from layers.access import Clearance
from layers.base import Attribute, CodeList, Layer, RowClearance
from layers.registry import LAYERS


def code_lists_page() -> str:
    """Every code list with its codes, titles, colours and the words that mean them."""
    used: dict[str, CodeList] = {}
    for layer in LAYERS:
        used |= {a.codes.name: a.codes for a in layer.attributes if a.codes}
    parts = [
        "The codes that attributes of layers may have.\n"
        "A file may write a code, one of its titles or one of the other words; case is ignored."
    ]
    return page("Code lists", [*parts, *(_code_list(used[name]) for name in sorted(used))])


def _code_list(codes: CodeList) -> str:
    kind = "closed: any other value is rejected" if codes.closed else "open: other values are kept"
    users = ", ".join(
        f"[{layer.name}](layers/{layer.name}.md)"
        for layer in LAYERS
        if any(a.codes is codes for a in layer.attributes)
    )
    rows = [
        (f"`{c.code}`", c.title.en, c.title.zh, c.color or "", ", ".join(c.aliases))
        for c in codes.codes
    ]
    header = ("Code", "Title", "标题", "Colour", "Other words")
    said = f"Source: {codes.source}.\nThe list is {kind}.\nUsed by {users}."
    return f"## {codes.name}\n\n{said}\n\n{table(header, rows)}"


def layers_page() -> str:
    """All layers, in drawing order."""
    rows = [
        (
            f"[{layer.name}]({layer.name}.md)",
            layer.title.en,
            layer.title.zh,
            layer.geometry_type.value,
            layer.clearance.label,
            f"{layer.minzoom} to {layer.maxzoom}",
        )
        for layer in LAYERS
    ]
    header = ("Layer", "Title", "标题", "Geometry", "Clearance", "Zooms of tiles")
    intro = (
        "In drawing order, the lowest first.\n"
        "Besides its attributes every feature has `admin_code` (code of the smallest district "
        "around it), `valid_during` and `recorded_during` "
        "([time model](../../explanation/time-model.md))."
    )
    return page("Layers", [intro, table(header, rows)])


def layer_page(layer: Layer) -> str:
    """One layer: what it is, how its features are told apart, and its attributes."""
    facts = [
        ("Group", f"{layer.group.en} {layer.group.zh}"),
        ("Geometry", layer.geometry_type.value),
        ("Natural key", " or ".join(" + ".join(map(code, k)) for k in layer.natural_keys)),
        ("Clearance of the layer", layer.clearance.label),
        ("Clearance of a row", _row_rule(layer.row_clearance)),
        ("New features hold from", code(layer.valid_from) if layer.valid_from else "the load"),
        ("Geometry may come from", code(layer.end_nodes.layer) if layer.end_nodes else ""),
        ("Zooms of tiles", f"{layer.minzoom} to {layer.maxzoom}"),
    ]
    title = f"{layer.title.en} {layer.title.zh}"
    described = f"`{layer.name}`: {layer.description.en}\n{layer.description.zh}"
    header = ("Attribute", "Title", "标题", "Value", "Read from", "In tiles", "Columns recognised")
    attributes = table(header, (_attribute(layer, attribute) for attribute in layer.attributes))
    facts = [(what, fact) for what, fact in facts if fact]
    return page(title, [described, table(("", ""), facts), f"## Attributes\n\n{attributes}"])


def _row_rule(rule: RowClearance | None) -> str:
    if rule is None:
        return "that of the layer"

    def level(code: str) -> Clearance:
        return rule.by_code[code]

    groups = groupby(sorted(rule.by_code, key=level), key=level)
    named = [f"{', '.join(map(code, codes))}: {one.label}" for one, codes in groups]
    return f"by `{rule.attribute}`: {'; '.join(named)}; any other: {rule.default.label}"


def _attribute(layer: Layer, attribute: Attribute) -> tuple[str, ...]:
    return (
        code(attribute.name),
        attribute.title.en,
        attribute.title.zh,
        ", ".join(_value(attribute)),
        layer.clearance_of(attribute).label,
        "yes" if attribute.in_tile else "",
        ", ".join(attribute.aliases),
    )


def _value(attribute: Attribute) -> Iterator[str]:
    yield f"{attribute.type.value}{f' in {attribute.unit}' if attribute.unit else ''}"
    if attribute.minimum is not None:
        yield f"at least {attribute.minimum:,}"
    if attribute.maximum is not None:
        yield f"at most {attribute.maximum:,}"
    if attribute.pattern is not None:
        yield f"matching `{attribute.pattern}`"
    if attribute.codes is not None:
        yield f"[{attribute.codes.name}](../code-lists.md#{attribute.codes.name})"
    if attribute.derived is not None:
        yield f"follows from `{attribute.derived.attribute}`"
    if attribute.required:
        yield "required"
