"""The page of the settings, and ``.env.example``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from geoservice.reference.markdown import first_line, page, table
from geoservice.settings import ENV_PREFIX, Settings


def env_example() -> str:
    """All settings with their defaults, commented out, in the form of a ``.env`` file."""
    lines = ["# Copy to .env and uncomment what differs; nothing here is needed."]
    for section, model in _sections():
        lines += ["", f"# {first_line(model)}"]
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
        parts.append(f"## {section}\n\n{first_line(model)}\n\n{table(header, rows)}")
    return page("Settings", parts)


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


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        return ""
    return default if isinstance(default, str) else json.dumps(default)


def _computed(model: type[BaseModel], name: str) -> str:
    factory = model.model_fields[name].default_factory
    return first_line(factory) if factory else "none"


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
