"""Which sources there are: a file of the operator's, so no address comes from anybody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from layers.access import Clearance

MappedTo = str | dict[Literal["value"], Any]
"""A path into a message (``payload.free``, ``topic.1``, ``item.id``), or a fixed value."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Broker(_Part):
    """An MQTT broker, listened to with QoS 1 in a session that it keeps."""

    host: str
    port: int = Field(1883, ge=1, le=65_535)
    topic: str = Field(description="May have wildcards: parking/+/free")
    client_id: str = Field(
        min_length=1, max_length=100, description="The same at each start, as the session is its"
    )
    format: Literal["mapped", "sensorthings"] = Field(
        "mapped", description="sensorthings: observations that name their Datastream; no mapping"
    )
    tls: bool = False
    username: str | None = None
    password_variable: str | None = Field(
        None, description="Name of the environment variable that has the password"
    )

    @property
    def password(self) -> str | None:
        """The password, which stands in no file."""
        return os.environ.get(self.password_variable) if self.password_variable else None


class Feed(_Part):
    """A document that is fetched again and again."""

    url: str
    every_s: float = Field(60, ge=1)
    format: Literal["json", "csv", "gbfs"] = "json"
    items: str = Field("", description="Path of the list in a JSON document")
    max_bytes: int = Field(20_000_000, ge=1)

    @field_validator("url")
    @classmethod
    def _is_web(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https"):
            message = "needs http or https"
            raise ValueError(message)
        return value


class Source(_Part):
    """One source: whence, and what of its messages is what of a figure."""

    name: str = Field(min_length=1, max_length=100)
    clearance: str = Field("public", description="Facilities above it do not exist for it")
    mqtt: Broker | None = None
    poll: Feed | None = None
    mapping: dict[str, MappedTo] = Field(default={})

    @model_validator(mode="after")
    def _is_one(self) -> Source:
        if (self.mqtt is None) == (self.poll is None):
            message = "needs either mqtt or poll"
            raise ValueError(message)
        is_sensorthings = self.mqtt is not None and self.mqtt.format == "sensorthings"
        is_gbfs = self.poll is not None and self.poll.format == "gbfs"
        if not self.mapping and not is_sensorthings and not is_gbfs:
            message = "needs a mapping"
            raise ValueError(message)
        if self.mapping and is_sensorthings:
            message = "takes no mapping: its messages say what is what"
            raise ValueError(message)
        Clearance.from_label(self.clearance)
        return self


class Sources(_Part):
    """All of them."""

    sources: list[Source] = Field(min_length=1)


def read_sources(file: Path) -> list[Source]:
    """The sources of a file.

    Raises:
        ValueError: it cannot be read, or says something that cannot be.
    """
    try:
        return Sources.model_validate(yaml.safe_load(file.read_text(encoding="utf-8"))).sources
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{file}: cannot be read as YAML"
        raise ValueError(message) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{file}: {where}: {first['msg']}"
        raise ValueError(message) from error
