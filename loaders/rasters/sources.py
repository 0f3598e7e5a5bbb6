"""Raster files and what lies beside them: which driver reads each, and where else it is placed.

An extension names one driver. Of the files beside a raster two are used: a world file, which places
pixels, and a ``.prj``, which names the coordinate reference system. Both are texts that are read
here; GDAL itself looks at nothing but the raster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from layers.errors import UnreadableSource
from loaders.archives import unpack
from loaders.options import ReadLimits
from loaders.source import Stamp

DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".hgt": "SRTMHGT", ".asc": "AAIGrid"}

_WORLD_FILES = (".tfw", ".tifw", ".tiffw", ".wld")
_UNUSED = (".aux.xml", ".ovr", ".msk")
_SMALL_BYTES = 64 * 1024
_HGT_NAME = re.compile(r"([NS]\d{2}[EW]\d{3})", re.IGNORECASE)

Coefficients = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class RasterSource:
    """One raster, ready to be read.

    Attributes:
        path: The file as the user named it, for messages.
        opened: What the bounded process opens.
        driver: The only GDAL driver that may.
        sha256: Of the raster and of the files beside it that are used.
        stamp: Of ``opened`` before its bytes were looked at.
        transform: What the world file says, as affine coefficients a to f of a pixel's corner.
        prj: What the ``.prj`` says.
        notes: What was found beside it and left alone.
    """

    path: Path
    opened: Path
    driver: str
    sha256: str
    stamp: Stamp
    transform: Coefficients | None = None
    prj: str | None = None
    notes: tuple[str, ...] = ()

    def check_unchanged(self) -> None:
        """See that nobody has written to the file since ``stamp``.

        Raises:
            UnreadableSource: somebody has: its hash and its pixels may be of different states.
        """
        if not self.opened.is_file() or Stamp.of(self.opened) != self.stamp:
            raise UnreadableSource(self.path, "was changed while it was read; load it again")


def prepare_raster(path: Path, limits: ReadLimits, folder: Path) -> RasterSource:
    """Say how a raster is read, with all files under names of ours.

    Args:
        folder: Private, and removed by the caller.

    Raises:
        UnreadableSource: there is no such file, or it is none of the formats.
        UnsafeArchive: an archive passes a bound.
    """
    if path.is_dir() or not path.exists():
        raise UnreadableSource(path, "is a folder" if path.is_dir() else "there is no such file")
    try:
        return _prepare(path, limits, folder)
    except OSError as error:
        raise UnreadableSource(path, f"cannot be read: {error.strerror}") from error


def _prepare(path: Path, limits: ReadLimits, folder: Path) -> RasterSource:
    inside = Path(mkdtemp(dir=folder))
    if path.suffix.lower() == ".zip":
        members: Mapping[PurePosixPath, Path] = unpack(path, inside, limits)
    else:
        members = {PurePosixPath(file.name): file for file in _siblings(path)}
    named = path if path.suffix.lower() == ".zip" else None
    name = _the_raster(path, members) if named else PurePosixPath(path.name)
    return _source(path, name, members, Path(mkdtemp(dir=folder)))


def _siblings(path: Path) -> list[Path]:
    """The raster, then files beside it whose names say that they belong to it."""
    stem = path.stem.casefold()
    beside = [
        file
        for file in path.parent.iterdir()
        if file != path and file.is_file() and file.name.casefold().startswith(f"{stem}.")
    ]
    return [path, *sorted(beside)]


def _the_raster(path: Path, members: Mapping[PurePosixPath, Path]) -> PurePosixPath:
    found = [name for name in members if name.suffix.lower() in DRIVERS]
    if len(found) == 1:
        return found[0]
    held = ", ".join(str(name) for name in members) or "nothing"
    how_many = "several rasters" if found else "no raster"
    raise UnreadableSource(path, f"holds {how_many}, and one is needed; it holds: {held}")


def _source(
    path: Path, name: PurePosixPath, members: Mapping[PurePosixPath, Path], folder: Path
) -> RasterSource:
    driver = DRIVERS.get(name.suffix.lower())
    if driver is None:
        known = ", ".join((*DRIVERS, ".zip"))
        raise UnreadableSource(path, f"{name.suffix or 'no extension'} is no raster; read: {known}")
    link = folder / _own_name(path, name, driver)
    link.symlink_to(members[name].absolute())
    stamp = Stamp.of(link)
    world = _beside(name, members, _WORLD_FILES) if driver == "GTiff" else None
    prj = _beside(name, members, (".prj",))
    used = [file for file in (members[name], world, prj) if file is not None]
    return RasterSource(
        path,
        link,
        driver,
        _hash(used),
        stamp,
        _coefficients(path, world) if world else None,
        _small_text(path, prj) if prj else None,
        tuple(
            f"{other.name} beside it is not used"
            for other in members
            if other.name.casefold().endswith(_UNUSED)
        ),
    )


def _own_name(path: Path, name: PurePosixPath, driver: str) -> str:
    """The name of an HGT file is all that places it; other names mean nothing."""
    if driver != "SRTMHGT":
        return f"source{name.suffix.lower()}"
    found = _HGT_NAME.match(name.name)
    if found is None:
        reason = f"{name.name} does not say where it lies; rename it to one such as N22E114.hgt"
        raise UnreadableSource(path, reason)
    return f"{found[1].upper()}.hgt"


def _beside(
    name: PurePosixPath, members: Mapping[PurePosixPath, Path], suffixes: tuple[str, ...]
) -> Path | None:
    stem = str(name.with_suffix("")).casefold()
    for other, file in members.items():
        if other.suffix.casefold() in suffixes and str(other.with_suffix("")).casefold() == stem:
            return file
    return None


def _small_text(path: Path, file: Path) -> str:
    if file.stat().st_size > _SMALL_BYTES:
        raise UnreadableSource(path, f"{file.suffix} beside it is no text of a few lines")
    return file.read_bytes().decode("utf-8", "replace").strip()


def _coefficients(path: Path, world: Path) -> Coefficients:
    """The six lines of a world file: they speak of the middle of the first pixel."""
    try:
        a, d, b, e, x, y = (float(line) for line in _small_text(path, world).split())
    except ValueError:
        reason = f"{world.suffix} beside it is not a world file of six numbers"
        raise UnreadableSource(path, reason) from None
    return (a, b, x - a / 2 - b / 2, d, e, y - d / 2 - e / 2)


def _hash(files: list[Path]) -> str:
    """Of one file its SHA-256; of several that of theirs, in order."""
    digests = []
    for file in files:
        digest = sha256()
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
        digests.append(digest)
    if len(digests) == 1:
        return digests[0].hexdigest()
    return sha256(b"".join(digest.digest() for digest in digests)).hexdigest()
