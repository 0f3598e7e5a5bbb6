"""The description of what is sent without being asked for (AsyncAPI 3), made from the models.

Three channels: streams of events, events posted to the addresses of subscribers, and figures of
brokers that are listened to. Which brokers and topics those are is the operator's, and not told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from geoservice import __version__
from geoservice.api.observations import ObservationBody
from geoservice.api.stream import StreamParameters
from geoservice.push.messages import EVENT_MESSAGES, GapMessage, ReadyMessage

MEDIA_TYPE = "application/vnd.aai.asyncapi+json;version=3.0.0"

_JSON = "application/json"
_EVENTS = {str(topic): model for topic, model in EVENT_MESSAGES.items()}
_STREAMED: dict[str, type[BaseModel]] = {**_EVENTS, "ready": ReadyMessage, "gap": GapMessage}
_SIGNED = {
    "type": "object",
    "description": "Standard Webhooks",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The same whenever it is sent again"},
        "webhook-timestamp": {"type": "string", "description": "Seconds since 1970"},
        "webhook-signature": {"type": "string", "description": "v1, and an HMAC of SHA-256"},
    },
}


def asyncapi_document(title: str, base: str) -> dict[str, Any]:
    """The document.

    Args:
        base: Address of the service, without a slash.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": __version__,
            "description": "What the service sends as it happens, and which figures it listens to.",
        },
        "defaultContentType": _JSON,
        "servers": _servers(base),
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _servers(base: str) -> dict[str, Any]:
    address = urlsplit(base)
    service: dict[str, Any] = {"host": address.netloc, "protocol": address.scheme}
    if address.path:
        service["pathname"] = address.path
    return {
        "service": service | {"description": "This service"},
        "subscriber": {
            "host": "{host}",
            "protocol": "https",
            "description": "The address that a subscription names",
            "variables": {"host": {"description": "Of the subscriber"}},
        },
        "broker": {
            "host": "{host}",
            "protocol": "mqtt",
            "protocolVersion": "3.1.1",
            "description": "A broker that the operator has the service listen to",
            "variables": {"host": {"description": "Of the broker"}},
        },
    }


def _channels() -> dict[str, Any]:
    return {
        "stream": {
            "address": "/availability/stream",
            "description": "Server-Sent Events; Last-Event-ID is the event_no after which to go on",
            "servers": [_ref("servers", "service")],
            "messages": {name: _ref("components/messages", name) for name in _STREAMED},
        },
        "webhook": {
            "address": None,
            "description": "The url of POST /subscriptions; any answer of 2xx takes the event",
            "servers": [_ref("servers", "subscriber")],
            "messages": {name: _ref("components/messages", _posted(name)) for name in _EVENTS},
        },
        "figures": {
            "address": None,
            "description": "Topics of the operator's file of sources, which says what of a message "
            "is what of a figure; QoS 1, acknowledged when the figure is committed",
            "servers": [_ref("servers", "broker")],
            "messages": {"figure": _ref("components/messages", "figure")},
        },
    }


def _operations() -> dict[str, Any]:
    query = StreamParameters.model_json_schema()
    return {
        "streamEvents": {
            **_operation("send", "stream", "Tell a client what changes", _STREAMED),
            "bindings": {"http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}},
        },
        "postEvent": {
            **_operation("send", "webhook", "Tell a subscriber what changes", _EVENTS),
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        },
        "takeFigure": {
            **_operation("receive", "figures", "Take in what a broker has", ["figure"]),
            "bindings": {"mqtt": {"qos": 1, "bindingVersion": "0.2.0"}},
        },
    }


def _operation(action: str, channel: str, summary: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": _ref("channels", channel),
        "summary": summary,
        "messages": [_ref(f"channels/{channel}/messages", name) for name in names],
    }


def _messages() -> dict[str, Any]:
    streamed = {name: _message(name, model) for name, model in _STREAMED.items()}
    posted = {_posted(n): _message(n, m) | {"headers": _SIGNED} for n, m in _EVENTS.items()}
    figure = _message("figure", ObservationBody)
    return {**streamed, **posted, "figure": figure}


def _message(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": (model.__doc__ or "").partition("\n")[0],
        "contentType": _JSON,
        "payload": _ref("components/schemas", model.__name__),
    }


def _posted(name: str) -> str:
    return f"posted-{name}"


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [*_STREAMED.values(), ObservationBody]
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _ref(where: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{where}/{name}"}
