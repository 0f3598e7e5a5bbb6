"""Every error that the service raises on purpose, in one tree, by who can act on it.

    GeoserviceError
     ├ RequestError          the caller can mend it
     │  ├ InvalidParameter
     │  │  ├ MissingParameter
     │  │  └ NumberOutsideMatrix
     │  ├ UnknownParameter
     │  ├ UnsupportedOperation
     │  ├ InvalidBody
     │  ├ InvalidTransaction
     │  ├ UnsupportedMediaType
     │  ├ RateExceeded
     │  ├ BodyTooLarge
     │  └ UploadTimedOut
     ├ NotFoundError         nothing there, or nothing that this caller may know of
     │  ├ UnknownLayer
     │  ├ UnknownRaster
     │  ├ UnknownAlert
     │  ├ UnknownReport
     │  ├ UnknownSubscription
     │  ├ FeatureNotFound
     │  ├ JobNotFound
     │  ├ LoadNotFound
     │  └ TileOutsideMatrix
     ├ AccessError
     │  ├ NotAuthenticated
     │  └ NotPermitted
     ├ ConflictError
     │  ├ LoadInProgress
     │  ├ CannotUndo
     │  ├ CannotPurge
     │  ├ ThemeExists
     │  ├ LayerChanged
     │  ├ ParcelChanged
     │  ├ TooManySubscriptions
     │  ├ WrongReportState
     │  └ WrongJobState
     ├ SourceError           the owner of the data can mend it
     │  ├ UnreadableSource
     │  ├ UnsafeArchive
     │  ├ MissingColumn
     │  ├ UnknownCRS
     │  ├ InvalidMapping
     │  └ InvalidTheme
     └ ServiceError          the operator can mend it
        ├ ClusterError
        ├ MigrationError
        ├ StoreUnavailable
        ├ DatabaseUnavailable
        ├ NotYetSettled
        ├ FontMissing
        ├ QueryTimedOut
        ├ ServiceBusy
        └ StorageFull

Errors carry fields, not only text; what HTTP makes of them is decided in ``geoservice.problems``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


class GeoserviceError(Exception):
    """Base of all errors that the service raises on purpose; ``str()`` is fit for its reader."""


class RequestError(GeoserviceError):
    """A request that its caller can mend."""


class InvalidParameter(RequestError):
    """A parameter has a value that cannot be used."""

    def __init__(self, name: str, value: object, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.value = value
        self.reason = reason


class MissingParameter(InvalidParameter):
    """A parameter is needed and was not given."""

    def __init__(self, name: str) -> None:
        super().__init__(name, None, "is needed")


class NumberOutsideMatrix(InvalidParameter):
    """The row or the column of a tile is a number that its matrix does not have."""

    def __init__(self, name: str, value: int) -> None:
        super().__init__(name, value, "lies outside of the matrix")


class UnsupportedOperation(RequestError):
    """A service is asked for an operation that it does not have."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"there is no operation {name!r}: {reason}")
        self.name = name


class UnknownParameter(RequestError):
    """A parameter is not one of those that the resource takes."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"{name} is not a parameter here; known: {', '.join(known) or 'none'}")
        self.name = name
        self.known = tuple(known)


class InvalidBody(RequestError):
    """A request body is not what the resource takes; ``pointer`` is an RFC 6901 JSON pointer."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(f"{pointer or 'body'}: {reason}")
        self.reason = reason
        self.pointer = pointer


class InvalidTransaction(RequestError):
    """Parcels cannot be changed as asked; ``place`` is where: longitude, latitude in degrees."""

    def __init__(
        self, reason: str, pointer: str = "", place: tuple[float, float] | None = None
    ) -> None:
        super().__init__(f"{pointer or 'body'}: {reason}")
        self.reason = reason
        self.pointer = pointer
        self.place = place


class UnsupportedMediaType(RequestError):
    """A body of a kind that the resource does not take."""

    def __init__(self, given: str, taken: Sequence[str]) -> None:
        super().__init__(f"takes {', '.join(taken)}, not {given}")


class RateExceeded(RequestError):
    """More was asked for than one caller may have at once."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"more than one caller may send; come back in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class BodyTooLarge(RequestError):
    """A request body is larger than the resource takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class UploadTimedOut(RequestError):
    """A body came too slowly, or stopped coming."""


class NotFoundError(GeoserviceError):
    """Nothing is there, or nothing that this caller may know of."""


class UnknownLayer(NotFoundError):
    """A layer does not exist or is hidden from the caller."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no layer {name!r}")
        self.name = name


class UnknownAlert(NotFoundError):
    """An alert or a rule does not exist, is hidden, or is past what is asked of it."""

    def __init__(self) -> None:
        super().__init__("there is no such alert")


class UnknownReport(NotFoundError):
    """A report does not exist, or is not the caller's to see."""

    def __init__(self) -> None:
        super().__init__("there is no such report")


class UnknownSubscription(NotFoundError):
    """A subscription does not exist, or is another's."""

    def __init__(self) -> None:
        super().__init__("there is no such subscription")


class UnknownRaster(NotFoundError):
    """A raster does not exist or is hidden from the caller."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no raster {name!r}")
        self.name = name


class FeatureNotFound(NotFoundError):
    """A feature does not exist at the instant asked for, or is hidden from the caller."""

    def __init__(self, layer: str, feature_id: int | str) -> None:
        super().__init__(f"{layer} has no feature {feature_id} at that instant")
        self.layer = layer
        self.feature_id = feature_id


class JobNotFound(NotFoundError):
    """A job of loading does not exist, or is of a layer that the caller may not load into."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"there is no load {job_id}")
        self.job_id = job_id


class LoadNotFound(NotFoundError):
    """There is no load of that number, or it was never published."""

    def __init__(self, load_id: int, reason: str = "there is no such load") -> None:
        super().__init__(f"load {load_id}: {reason}")
        self.load_id = load_id


class TileOutsideMatrix(NotFoundError):
    """A tile address lies outside its tile matrix."""

    def __init__(self, z: int, x: int, y: int) -> None:
        super().__init__(f"tile {z}/{x}/{y} lies outside the tile matrix")
        self.z, self.x, self.y = z, x, y


class UnknownGrid(NotFoundError):
    """Tiles are not cut in a grid of this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no grid {name!r}; known: {', '.join(known)}")
        self.name = name


class AccessError(GeoserviceError):
    """A caller may not do what was asked."""


class NotAuthenticated(AccessError):
    """A credential is missing where one is needed, or the one given is not valid."""


class NotPermitted(AccessError):
    """A credential is valid and does not allow what was asked."""


class ConflictError(GeoserviceError):
    """What was asked cannot be done beside what is under way."""


class LoadInProgress(ConflictError):
    """Another publication holds the lock of the layer."""

    def __init__(self, layer: str) -> None:
        super().__init__(f"another load of {layer} is being published; try again when it has ended")
        self.layer = layer


class ThemeExists(ConflictError):
    """A theme of that name is there already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a theme {name!r} already")
        self.name = name


class LayerChanged(ConflictError):
    """A layer was changed or dropped while something was being done with it."""

    def __init__(self, layer: str) -> None:
        super().__init__(f"{layer} was changed meanwhile, so nothing was written; try again")
        self.layer = layer


class ParcelChanged(ConflictError):
    """A parcel was changed after its caller looked at it."""

    def __init__(self, code: str, recorded_at: datetime) -> None:
        super().__init__(
            f"parcel {code} was changed at {recorded_at.isoformat()}, after what was expected"
        )
        self.code = code
        self.recorded_at = recorded_at


class WrongReportState(ConflictError):
    """A report is not in the state in which this can be done with it."""


class TooManySubscriptions(ConflictError):
    """A key has as many subscriptions as it may have."""


class WrongJobState(ConflictError):
    """A job of loading is not in a state in which that can be asked of it."""


class CannotUndo(ConflictError):
    """A load cannot be undone; ``loads`` are those that stand in the way, to be undone first."""

    def __init__(self, load_id: int, reason: str, loads: Sequence[int] = ()) -> None:
        super().__init__(f"load {load_id} cannot be undone: {reason}")
        self.load_id = load_id
        self.reason = reason
        self.loads = tuple(loads)


class CannotPurge(ConflictError):
    """What a load brought cannot be deleted for good as things stand."""

    def __init__(self, load_id: int, reason: str) -> None:
        super().__init__(f"load {load_id} cannot be purged: {reason}")
        self.load_id = load_id
        self.reason = reason


class SourceError(GeoserviceError):
    """A source that the owner of the data can mend."""


class UnreadableSource(SourceError):
    """A file cannot be read as what it claims to be."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name}: {reason}")
        self.path = path
        self.reason = reason


class UnsafeArchive(SourceError):
    """An archive would unpack to more than the bounds allow, or holds names that leave it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name}: {reason}")
        self.path = path
        self.reason = reason


class MissingColumn(SourceError):
    """A column that is needed is not in the file; ``named`` is the one that a mapping asked for."""

    def __init__(
        self, path: Path, attribute: str, columns: Sequence[str], named: str | None = None
    ) -> None:
        missing = f"no column for {attribute!r}"
        if named is not None:
            missing = f"there is no column {named!r} for {attribute!r}"
        super().__init__(
            f"{path.name}: {missing}; the file has: {', '.join(columns)}. "
            f"Name one with --map {attribute}=COLUMN, or give a constant with --set"
        )
        self.path = path
        self.attribute = attribute
        self.columns = tuple(columns)
        self.named = named


class UnknownCRS(SourceError):
    """A coordinate reference system is missing, unknown, or has no trustworthy way to CGCS2000."""

    def __init__(self, path: Path, reason: str, candidates: Sequence[str] = ()) -> None:
        hint = (
            f". Candidates that put it in the city: {'; '.join(candidates)}" if candidates else ""
        )
        super().__init__(f"{path.name}: {reason}{hint}")
        self.path = path
        self.reason = reason
        self.candidates = tuple(candidates)


class InvalidMapping(SourceError):
    """A mapping names an attribute or a column that does not exist."""


class InvalidTheme(SourceError):
    """A description of a theme cannot be used; it says where and why."""


class ServiceError(GeoserviceError):
    """A fault that the operator of the service can mend."""


class ClusterError(ServiceError):
    """The embedded PostgreSQL cluster cannot be made, started or used."""


class MigrationError(ServiceError):
    """The database is not in the shape that this version of the service needs."""


class StoreUnavailable(ServiceError):
    """The folder of the rasters' files cannot be made or written to."""


class DatabaseUnavailable(ServiceError):
    """The database does not answer."""


class NotYetSettled(ServiceError):
    """A publication under way may still change what was believed at an instant asked for."""

    def __init__(self, as_recorded: datetime) -> None:
        super().__init__(f"what is believed at {as_recorded:%Y-%m-%dT%H:%M:%S%z} is being written")
        self.as_recorded = as_recorded


class FontMissing(ServiceError):
    """A picture has Chinese to write, and the machine has no font for it."""

    def __init__(self) -> None:
        super().__init__(
            "this machine has no font with Chinese glyphs: ask for .svg, or for lang=en"
        )


class QueryTimedOut(ServiceError):
    """A statement ran longer than it may."""


class ServiceBusy(ServiceError):
    """More is waiting to be done than will be done in time."""


class StorageFull(ServiceError):
    """There is no room for another upload."""
