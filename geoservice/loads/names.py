"""Names of uploaded files: ours on the disk, the user's in everything that people read.

A file is stored as ``<token>-<n>.<extension>``: nothing that a user wrote reaches the file system.
Parts of one data set (``.shp`` with ``.dbf`` and ``.shx``) share their number. As the token is
random, it can be told in any text, so a report about stored files becomes one about the user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from layers.errors import InvalidBody

MAX_NAME_CHARACTERS = 200
_EXTENSION = re.compile(r"\.[a-z0-9]{1,10}")
_NEVER_DATA = frozenset(
    {".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qpj", ".qmd", ".fbn", ".fbx"}
    | {".xml", ".lock"}  # written beside data sets by other software, as roads.shp.xml
)


@dataclass(frozen=True)
class StoredFile:
    """One uploaded file.

    Attributes:
        name: What the user called it, without folders.
        stored: Its name in the folder of the upload.
    """

    name: str
    stored: str
    size_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {"name": self.name, "stored": self.stored, "bytes": self.size_bytes}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> StoredFile:
        """The file that ``as_json`` wrote."""
        return cls(document["name"], document["stored"], document["bytes"])


def plain_name(sent: bytes) -> str:
    """The name of a file as a client sent it, fit to be shown: no folders, no control characters.

    Raises:
        InvalidBody: nothing is left of it, or it is too long.
    """
    try:
        text = sent.decode("utf-8")
    except UnicodeDecodeError:  # curl sends the bytes of the user's own encoding
        text = sent.decode("gb18030", "replace")
    name = "".join(c for c in re.split(r"[/\\]", text)[-1] if c.isprintable()).strip()
    if not name.strip("."):
        message = "a file needs a name"
        raise InvalidBody(message)
    if len(name) > MAX_NAME_CHARACTERS:
        message = f"a file's name has at most {MAX_NAME_CHARACTERS} characters"
        raise InvalidBody(message)
    return name


class Namer:
    """Gives the files of one upload their stored names."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._numbers: dict[str, int] = {}
        self._taken: set[str] = set()

    def store_as(self, name: str) -> str:
        """The stored name of a file.

        Raises:
            InvalidBody: the upload has a file of that name already.
        """
        stem, extension = split_name(name)
        number = self._numbers.setdefault(stem.casefold(), len(self._numbers))
        stored = f"{self._token}-{number}{extension}"
        if stored in self._taken:
            message = f"two files are called {name}"
            raise InvalidBody(message)
        self._taken.add(stored)
        return stored


def split_name(name: str) -> tuple[str, str]:
    """A name as what comes before its extension, and the extension in lower case if it is one."""
    path = PurePosixPath(name)
    extension = path.suffix.lower()
    return (path.stem, extension) if _EXTENSION.fullmatch(extension) else (name, "")


def data_sets(files: Sequence[StoredFile], folder: Path) -> list[Path]:
    """The files to be loaded; those that only belong to one of them are left out."""
    shapes = {Path(f.stored).stem for f in files if f.stored.endswith(".shp")}

    def is_data(stored: Path) -> bool:
        if stored.suffix in _NEVER_DATA:
            return False
        return not (stored.suffix == ".dbf" and stored.stem in shapes)

    return [folder / file.stored for file in files if is_data(Path(file.stored))]


class ShownNames:
    """Puts the users' names of files in the place of ours."""

    def __init__(self, files: Iterable[StoredFile]) -> None:
        pairs = {Path(f.stored).stem: split_name(f.name)[0] for f in files}
        self._shown = pairs
        self._stored = re.compile(
            # Longer ones first: ...-1 begins ...-10.
            "|".join(re.escape(stem) for stem in sorted(pairs, key=len, reverse=True)) or r"(?!)"
        )

    def in_text(self, text: str) -> str:
        """A text with the users' names."""
        return self._stored.sub(lambda found: self._shown[found[0]], text)

    def in_document(self, document: Any) -> Any:
        """A document of plain dictionaries and lists with the users' names, in keys too."""
        if isinstance(document, str):
            return self.in_text(document)
        if isinstance(document, dict):
            return {self.in_text(str(k)): self.in_document(v) for k, v in document.items()}
        if isinstance(document, list | tuple):
            return [self.in_document(one) for one in document]
        return document
