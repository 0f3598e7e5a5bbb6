"""Pages of the reference and ``.env.example``, written from what the code says of itself.

``python -P -m geoservice.reference`` writes them into the checkout; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from typer.cli import get_docs_for_click

from geoservice.cli import app
from geoservice.problems import PROBLEMS, TYPE_BASE, Problem, problem_of
from geoservice.settings import ENV_PREFIX, Settings
from layers.access import Clearance
from layers.base import Attribute, CodeList, Layer, RowClearance
from layers.errors import GeoserviceError
from layers.registry import LAYERS

ROOT = Path(__file__).resolve().parents[1]
LAYER_PAGES = "docs/reference/layers"

_NOTE = "<!-- Written by python -P -m geoservice.reference: change the code, not this page. -->"

_ADVICE = {
    "bad-request": "Correct the request: a value is of no use, such as one that is out of range.",
    "invalid-parameter": "Correct the parameters that `errors` names, each with its reason.",
    "unknown-parameter": "Leave the parameter out; `detail` lists those that the resource takes.",
    "invalid-body": "Correct the member at `errors[0].pointer` (RFC 6901). Nothing was written.",
    "body-too-large": "Send less at once; the bound is `GEOSERVICE_HTTP__MAX_BODY_BYTES`.",
    "not-found": "Look at the address. What a caller may not know of is answered in the same way, "
    "so a key of a higher clearance may find it.",
    "not-authenticated": "Send a key that is in force, as `Authorization: Bearer KEY`, or none at "
    "all to read as the public: a wrong key is refused, not ignored.",
    "not-permitted": "Use a key that allows the action and scope that `detail` names.",
    "conflict": "Try again when what is under way has ended.",
    "bad-source": "Correct the data; `detail` says what is wrong with them.",
    "unavailable": "Try again after the seconds in `Retry-After`.",
    "timed-out": "Ask for less at once: a smaller box, fewer features, a higher zoom.",
    "internal": "Tell the operator the `instance`: the log has the failure under that request id.",
    "method-not-allowed": "Use one of the methods in `Allow`.",
    "http-error": "The status says what is wrong.",
}

_OF_THE_FRAMEWORK = {"method-not-allowed": "405", "http-error": "any other"}
"""Problems that no error of our own becomes, and their statuses."""


def pages() -> dict[str, str]:
    """The text of every generated file, by its path in the checkout."""
    return {
        ".env.example": env_example(),
        "docs/reference/settings.md": settings_page(),
        "docs/reference/problems.md": problems_page(),
        "docs/reference/cli.md": cli_page(),
        "docs/reference/code-lists.md": code_lists_page(),
        f"{LAYER_PAGES}/index.md": layers_page(),
        **{f"{LAYER_PAGES}/{layer.name}.md": layer_page(layer) for layer in LAYERS},
    }


def main() -> None:
    """Write all files, and remove the pages of layers that are no more."""
    wanted = pages()
    for path in (ROOT / LAYER_PAGES).glob("*.md"):
        if path.relative_to(ROOT).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def env_example() -> str:
    """All settings with their defaults, commented out, in the form of a ``.env`` file."""
    lines = ["# Copy to .env and uncomment what differs; nothing here is needed."]
    for section, model in _sections():
        lines += ["", f"# {_first_line(model)}"]
        for name, schema in _fields(model):
            lines += [f"# {schema['description']} ({_allowed(schema)})"]
            lines += [f"#{_variable(section, name)}={_default(schema)}"]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Every setting: its variable, what it may be, its default and its meaning."""
    parts = [
        "Every setting is an environment variable, or a line of a file `.env` in the folder that "
        "`geoservice` is started in; the environment wins.\n"
        "A name that is no setting is refused, in both, so a typo does not pass unseen.\n"
        "All settings have defaults; `.env.example` lists them in the form of such a file."
    ]
    for section, model in _sections():
        rows = [
            (
                f"`{_variable(section, name)}`",
                schema["description"],
                _allowed(schema),
                f"`{_default(schema)}`" if _default(schema) else _computed(model, name),
            )
            for name, schema in _fields(model)
        ]
        header = ("Variable", "Meaning", "Value", "Default")
        parts.append(f"## {section}\n\n{_first_line(model)}\n\n{_table(header, rows)}")
    return _page("Settings", parts)


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield section, model


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in model.model_json_schema()["properties"].items():
        # Of "a value or null" the value says what is allowed.
        yield name, {**schema, **schema.get("anyOf", [{}])[0]}


def _variable(section: str, name: str) -> str:
    return f"{ENV_PREFIX}{section}__{name}".upper()


def _first_line(documented: type) -> str:
    return (documented.__doc__ or "").partition("\n")[0]


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        return ""
    return default if isinstance(default, str) else json.dumps(default)


def _computed(model: type[BaseModel], name: str) -> str:
    factory = model.model_fields[name].default_factory
    return (factory.__doc__ or "").partition("\n")[0] if factory else "none"


def _allowed(schema: Mapping[str, Any]) -> str:
    kinds = {"integer": "whole number", "boolean": "true or false", "array": "JSON array"}
    kind = "secret text" if schema.get("writeOnly") else kinds.get(schema["type"], "text")
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {schema['minimum']} to {schema['maximum']}"
    if "minimum" in schema:
        return f"{kind}, at least {schema['minimum']}"
    if "exclusiveMinimum" in schema:
        return f"{kind}, above {schema['exclusiveMinimum']}"
    return f"{kind} that matches `{schema['pattern']}`" if "pattern" in schema else kind


def problems_page() -> str:
    """Every problem type: its status, its titles, what it comes of and what to do about it."""
    intro = (
        "Every error is answered as `application/problem+json` (RFC 9457) with `type`, `title`, "
        "`title_zh`, `status`, `detail` and `instance`, often with `errors`.\n"
        f"A `type` is `{TYPE_BASE}` and one of the names below: a name, not an address to open.\n"
        "`instance` is `urn:request:` and the request's id, which is also in the header "
        "`X-Request-Id` and in the log."
    )
    known = {problem.name: problem for problem in PROBLEMS.values()}
    parts = [intro, *(_problem(problem) for problem in known.values())]
    parts += [
        f"## {name}\n\nStatus {status}.\n{_ADVICE[name]}"
        for name, status in _OF_THE_FRAMEWORK.items()
    ]
    return _page("Problems", parts)


def _problem(problem: Problem) -> str:
    causes = [error for error in _errors(GeoserviceError) if _is_told_as(error, problem)]
    listed = "\n".join(f"- `{error.__name__}`: {_first_line(error)}" for error in causes)
    title = f"{problem.title.en} {problem.title.zh}"
    said = f"Status {problem.status}: {title}.\n{_ADVICE[problem.name]}"
    return f"## {problem.name}\n\n{said}" + (f"\n\n{listed}" if listed else "")


def _errors(family: type[GeoserviceError]) -> Iterator[type[GeoserviceError]]:
    for error in family.__subclasses__():
        if error.__module__ == GeoserviceError.__module__:
            yield error
            yield from _errors(error)


def _is_told_as(error: type[GeoserviceError], problem: Problem) -> bool:
    """Whether an error becomes a problem; families of errors that are raised as such only."""
    return not error.__subclasses__() and problem_of(error.__new__(error)) == problem


def cli_page() -> str:
    """Every command with its arguments and options, as typer describes them."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=app.info.name)
    name = str(app.info.name)
    described = get_docs_for_click(obj=command, ctx=context, name=name, title="Command line")
    title, _, rest = described.partition("\n")
    return f"{title}\n\n{_NOTE}\n{rest.rstrip()}\n"


def code_lists_page() -> str:
    """Every code list with its codes, titles, colours and the words that mean them."""
    used: dict[str, CodeList] = {}
    for layer in LAYERS:
        used |= {a.codes.name: a.codes for a in layer.attributes if a.codes}
    parts = [
        "The codes that attributes of layers may have.\n"
        "A file may write a code, one of its titles or one of the other words; case is ignored."
    ]
    return _page("Code lists", [*parts, *(_code_list(used[name]) for name in sorted(used))])


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
    return f"## {codes.name}\n\n{said}\n\n{_table(header, rows)}"


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
    return _page("Layers", [intro, _table(header, rows)])


def layer_page(layer: Layer) -> str:
    """One layer: what it is, how its features are told apart, and its attributes."""
    facts = [
        ("Group", f"{layer.group.en} {layer.group.zh}"),
        ("Geometry", layer.geometry_type.value),
        ("Natural key", " or ".join(" + ".join(map(_code, k)) for k in layer.natural_keys)),
        ("Clearance of the layer", layer.clearance.label),
        ("Clearance of a row", _row_rule(layer.row_clearance)),
        ("New features hold from", _code(layer.valid_from) if layer.valid_from else "the load"),
        ("Geometry may come from", _code(layer.end_nodes.layer) if layer.end_nodes else ""),
        ("Zooms of tiles", f"{layer.minzoom} to {layer.maxzoom}"),
    ]
    title = f"{layer.title.en} {layer.title.zh}"
    described = f"`{layer.name}`: {layer.description.en}\n{layer.description.zh}"
    header = ("Attribute", "Title", "标题", "Value", "Read from", "In tiles", "Columns recognised")
    table = _table(header, (_attribute(layer, attribute) for attribute in layer.attributes))
    facts = [(what, fact) for what, fact in facts if fact]
    return _page(title, [described, _table(("", ""), facts), f"## Attributes\n\n{table}"])


def _row_rule(rule: RowClearance | None) -> str:
    if rule is None:
        return "that of the layer"

    def level(code: str) -> Clearance:
        return rule.by_code[code]

    groups = groupby(sorted(rule.by_code, key=level), key=level)
    named = [f"{', '.join(map(_code, codes))}: {one.label}" for one, codes in groups]
    return f"by `{rule.attribute}`: {'; '.join(named)}; any other: {rule.default.label}"


def _attribute(layer: Layer, attribute: Attribute) -> tuple[str, ...]:
    return (
        _code(attribute.name),
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


def _code(text: str) -> str:
    return f"`{text}`"


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", _NOTE, *parts]) + "\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    cells = ((cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


if __name__ == "__main__":
    main()
