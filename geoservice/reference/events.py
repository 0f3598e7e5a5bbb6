"""The page of the events: the messages that the service sends by itself, and their members."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from geoservice.push.messages import EVENT_MESSAGES, GapMessage, ReadyMessage
from geoservice.reference.markdown import code, first_line, page, table


def events_page() -> str:
    """Every message of a stream or a subscription."""
    intro = (
        "`/asyncapi` says the same as an AsyncAPI 3 document.\n"
        "Streams (`/availability/stream`) name the message in `event:` and its number in `id:`; "
        "subscriptions have events posted, signed as Standard Webhooks says.\n"
        "A member that is not required may be missing."
    )
    parts = [_section(str(topic), model) for topic, model in EVENT_MESSAGES.items()]
    parts += [_section("ready", ReadyMessage), _section("gap", GapMessage)]
    return page("Events", [intro, *parts])


def _section(name: str, model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    required = schema["required"]
    rows = [
        (code(member), _kind(said), "yes" if member in required else "", _about(said))
        for member, said in schema["properties"].items()
    ]
    listed = table(("member", "type", "required", "what it is"), rows)
    return f"## {name}\n\n{first_line(model)}\n\n{listed}"


def _about(said: dict[str, Any]) -> str:
    return str(said.get("description", ""))


def _kind(said: dict[str, Any]) -> str:
    if "anyOf" in said:
        return " or ".join(_kind(one) for one in said["anyOf"])
    if "$ref" in said:
        return str(said["$ref"]).rpartition("/")[2]
    if "const" in said:
        return code(said["const"])
    if "enum" in said:
        return ", ".join(code(one) for one in said["enum"])
    return str(said.get("format", said["type"]))
