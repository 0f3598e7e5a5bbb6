"""Saved mappings: a YAML file for each office or kind of file, in a folder of the installation."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import yaml

from layers.errors import InvalidMapping
from loaders.mapping import Mapping, parse_mapping

_NAME = re.compile(r"[^\W_][\w-]{0,59}")
"""Letters of any script, digits, hyphens and underscores: no part of a path, no extension."""

_MAX_BYTES = 1_000_000


def is_name(text: str) -> bool:
    """Whether a text may be the name of a saved mapping; a file has a dot or a slash."""
    return _NAME.fullmatch(text) is not None


class MappingStore:
    """The saved mappings of an installation.

    Attributes:
        folder: Made when the first mapping is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of the saved mappings, in order."""
        return sorted(file.stem for file in self.folder.glob("*.yaml") if is_name(file.stem))

    def text(self, name: str) -> str:
        """A saved mapping as it was written, with its comments.

        Raises:
            InvalidMapping: there is none of that name.
        """
        return _text(self._existing(name))

    def mapping(self, name: str) -> Mapping:
        """A saved mapping.

        Raises:
            InvalidMapping: there is none of that name, or somebody has spoilt its file.
        """
        return read_mapping_file(self._existing(name))

    def save(self, name: str, source: Path) -> None:
        """Keep a mapping under a name, in place of one that bears it.

        Raises:
            InvalidMapping: the name is not allowed, or the file holds no mapping.
        """
        _check(name)
        read_mapping_file(source)
        text = _text(source)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # Put in place at once: a load that reads it sees the old one or the new one.
        Path(written).replace(self._file(name))

    def remove(self, name: str) -> None:
        """Remove a saved mapping.

        Raises:
            InvalidMapping: there is none of that name.
        """
        self._existing(name).unlink()

    def _existing(self, name: str) -> Path:
        _check(name)
        file = self._file(name)
        if not file.is_file():
            known = ", ".join(self.names()) or "none"
            message = f"there is no saved mapping {name!r}; saved: {known}"
            raise InvalidMapping(message)
        return file

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"


def _check(name: str) -> None:
    if not is_name(name):
        message = (
            f"{name[:80]!r} cannot be the name of a mapping: letters, digits, - and _, 60 at most"
        )
        raise InvalidMapping(message)


def read_mapping_file(path: Path) -> Mapping:
    """The mapping of a YAML or JSON file.

    Raises:
        InvalidMapping: it cannot be read, or holds something else.
    """
    try:
        document = yaml.safe_load(_text(path))
    except (yaml.YAMLError, RecursionError) as error:
        message = f"{path.name}: cannot be read as a YAML mapping"
        raise InvalidMapping(message) from error
    return parse_mapping(document)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size <= _MAX_BYTES:
            return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path.name}: cannot be read as a YAML mapping"
        raise InvalidMapping(message) from error
    message = f"{path.name}: is larger than a mapping can be ({_MAX_BYTES} bytes)"
    raise InvalidMapping(message)
