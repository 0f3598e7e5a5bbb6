"""The list of what a sample city consists of: given to the caller, written beside the files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class ManifestFile:
    """One file of a sample city.

    Attributes:
        path: Name within the directory.
        layer: Layer that it is for; ``observations`` and ``terrain`` are not layers of features.
        rows: Features, observations, or raster cells.
        crs: Coordinate reference system of its coordinates; empty without coordinates.
        encoding: Character encoding of its texts; empty for binary files that say it themselves.
        options: Options that ``geoservice load`` needs for it.
    """

    path: str
    layer: str
    rows: int
    crs: str
    encoding: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Instants:
    """Instants of the observations, RFC 3339, both ends included.

    Attributes:
        first: First instant.
        last: Last instant.
        cadence_minutes: Minutes between two instants.
    """

    first: str
    last: str
    cadence_minutes: int


@dataclass(frozen=True)
class Manifest:
    """What was written.

    Attributes:
        seed: Seed of the city.
        features: Rows of all layers of features together.
        instants: Instants of the observations.
        files: All files, in the order in which they are best loaded.
    """

    seed: int
    features: int
    instants: Instants
    files: tuple[ManifestFile, ...]

    def of_layer(self, layer: str) -> tuple[ManifestFile, ...]:
        """The files that are for one layer."""
        return tuple(file for file in self.files if file.layer == layer)

    def write(self, directory: Path) -> None:
        """Write manifest.json into the directory."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a written sample city.

    Raises:
        FileNotFoundError: The directory holds no sample city.
    """
    content = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
    files = tuple(
        ManifestFile(**{**file, "options": tuple(file["options"])}) for file in content["files"]
    )
    instants = Instants(**content["instants"])
    return Manifest(content["seed"], content["features"], instants, files)
