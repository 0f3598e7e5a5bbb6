"""Settings of an installation: one tree, read once, frozen, handed down as it is.

Every value can be given as ``GEOSERVICE_<SECTION>__<FIELD>`` in the environment or in a ``.env``
file. Unknown names are refused, so that a typo does not pass unseen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from geoservice.cluster import Cluster
from layers.city import CityFrame
from layers.extent import BBox
from layers.own_systems import OwnSystems, parse_own_systems
from layers.separation.table import SeparationTable

ENV_PREFIX = "GEOSERVICE_"
TEST_ONLY_VARIABLES = frozenset(
    {"GEOSERVICE_SHARED", "GEOSERVICE_CHROMIUM", "GEOSERVICE_SCREENSHOT"}
)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CitySettings(_Section):
    """The city that is served."""

    name_en: str = Field("Shenzhen", description="Name in English")
    name_zh: str = Field("深圳市", description="Name in Chinese")
    extent: tuple[float, float, float, float] = Field(
        (113.75, 22.40, 114.65, 22.87),
        description="West, south, east, north; longitude and latitude in degrees",
    )
    plane_srid: int = Field(4547, description="EPSG code of the plane system, metres", gt=0)
    time_zone: str = Field("Asia/Shanghai", description="IANA name of the time zone")
    country: str | None = Field(
        "CN", description="ISO 3166-1 code of the country whose public holidays count; none: none"
    )
    view: tuple[float, float, float] | None = Field(
        None, description="Longitude, latitude and zoom at which the map opens; none: the extent"
    )
    attribution: str = Field("", description="Whose the data are, shown on the map as plain text")
    contact_email: str = Field(
        "contact@example.org", description="Whom consumers of feeds write to", max_length=200
    )
    systems_file: Path | None = Field(
        None,
        description="YAML file of coordinate systems and datum parameters that only this "
        "installation knows; a secret, readable by the service alone",
    )

    separations_file: Path | None = Field(
        None,
        description="JSON file of least separations of pipes; none: the table that is shipped, "
        "which is of an older lineage and not verified",
    )

    @field_validator("extent")
    @classmethod
    def _extent_is_a_box(
        cls, value: tuple[float, float, float, float]
    ) -> tuple[float, float, float, float]:
        west, south, east, north = value
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            message = "needs west < east within 180 and south < north within 90 degrees"
            raise ValueError(message)
        return value

    def frame(self) -> CityFrame:
        """The city as the lower rooms take it.

        Raises:
            ValueError: the file of the installation's own systems cannot be used; which entry is
                wrong is said, never what stands in it.
        """
        return CityFrame(
            name=self.name_en,
            extent=BBox(*self.extent),
            plane_srid=self.plane_srid,
            time_zone=self.time_zone,
            own_systems=_own_systems(self.systems_file),
        )

    def separations(self) -> SeparationTable:
        """The table of least separations.

        Raises:
            ValueError: the file cannot be used.
        """
        if self.separations_file is None:
            return SeparationTable.shipped()
        try:
            return SeparationTable.of_file(self.separations_file)
        except ValueError as error:
            message = f"{ENV_PREFIX}CITY__SEPARATIONS_FILE: {error}"
            raise ValueError(message) from error


def _own_systems(file: Path | None) -> OwnSystems:
    """What the systems file says; its values are secrets and come into no message."""
    if file is None:
        return OwnSystems()
    name = f"{ENV_PREFIX}CITY__SYSTEMS_FILE"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        message = f"{name}: cannot be read as YAML"
        raise ValueError(message) from None
    try:
        return parse_own_systems(document, file.absolute().parent)
    except ValueError as error:
        message = f"{name}: {error}"
        raise ValueError(message) from None


class DatabaseSettings(_Section):
    """Where the data are: an embedded cluster, unless a URL is given."""

    url: SecretStr | None = Field(
        None,
        description="postgresql:// URL of a given database as its owner role; none: embedded",
    )
    role_password: SecretStr | None = Field(
        None, description="Password of the other roles of a given database"
    )
    folder: Path = Field(
        default_factory=Cluster.default_folder,
        description="Folder of the embedded cluster, outside any checkout",
    )
    name: str = Field(
        "geoservice",
        pattern=r"^[a-z][a-z0-9_]{0,30}$",
        description="Name of the database; role names carry it",
    )
    pool_size: int = Field(4, ge=1, le=64, description="Connections of a worker for each clearance")

    @field_validator("url")
    @classmethod
    def _url_is_of_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse an address that cannot be read, without showing it: it may hold a password."""
        if value is None:
            return value
        try:
            driver = make_url(value.get_secret_value()).drivername
        except (ArgumentError, ValueError):
            driver = ""
        if driver not in ("postgresql", "postgres"):
            message = (
                "is no postgresql://USER:PASSWORD@HOST/DATABASE; signs such as @ : / and % in a "
                "password are written as %40 %3A %2F %25"
            )
            raise ValueError(message)
        return value


class HttpSettings(_Section):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address to listen at")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen at; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="Worker processes")
    max_body_bytes: int = Field(5_000_000, ge=1_000, description="Largest request body, in bytes")
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses or networks, joined by commas, whose X-Forwarded-Proto and "
        "X-Forwarded-For are believed; * believes everybody",
    )
    allowed_origins: tuple[str, ...] = Field(
        ("*",),
        description="Origins whose pages may read answers in a browser (CORS); * means all, which "
        "gives nothing away: keys are sent by the page, never by the browser alone",
    )
    shutdown_s: int = Field(
        10, ge=1, le=300, description="Seconds that open requests have at shutdown"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, value: str) -> str:
        # The server would take anything else for the name of a socket, and never trust it.
        for part in value.split(","):
            if part.strip() not in ("", "*"):
                ip_network(part.strip())
        return value


class TileSettings(_Section):
    """Vector tiles."""

    extent: int = Field(4096, ge=256, le=8192, description="Units across a tile")
    buffer: int = Field(64, ge=0, le=1024, description="Units beyond the edge of a tile")
    gzip_level: int = Field(4, ge=1, le=12, description="gzip level of tiles, of libdeflate")
    max_layers: int = Field(16, ge=1, le=64, description="Most layers of a composite tile")
    max_renders: int = Field(
        4, ge=1, le=64, description="Layers of tiles that a worker renders at a time"
    )
    max_waiting: int = Field(
        500, ge=1, description="Renderings that may wait for their turn in a worker"
    )
    max_waiting_per_client: int = Field(
        200, ge=1, description="Those of one key, or of one address without a key"
    )
    cache_bytes: int = Field(
        2_000_000_000,
        ge=0,
        description="Most bytes of tiles that this host keeps encoded; 0 keeps none",
    )
    cache_folder: Path | None = Field(
        None,
        description="Folder of the encoded tiles of this database, on a local disk; none: `tiles` "
        "in the folder of the database",
    )


def _default_mappings_folder() -> Path:
    """`mappings` in the folder where the service keeps its data."""
    return Cluster.default_folder() / "mappings"


class LoadSettings(_Section):
    """Bounds on files to be loaded, and loading through the web."""

    max_unpacked_bytes: int = Field(
        20_000_000_000, ge=1_000, description="Most bytes that an archive may unpack to"
    )
    max_ratio: int = Field(
        200, ge=2, description="Largest ratio of unpacked to packed bytes of an archive"
    )
    max_members: int = Field(1_000, ge=1, description="Most members of an archive")
    reader_memory_bytes: int = Field(
        4_000_000_000, ge=500_000_000, description="Most memory of the reading process"
    )
    reader_timeout_s: int = Field(3_600, ge=1, description="Longest time of reading one file")
    mappings_folder: Path = Field(
        default_factory=_default_mappings_folder,
        description="Folder of saved mappings, which --map takes by name",
    )
    workers: int = Field(
        1,
        ge=0,
        le=16,
        description="Processes that `geoservice serve` starts for loads through the web; 0 leaves "
        "them to `geoservice worker`",
    )
    upload_folder: Path | None = Field(
        None,
        description="Folder of uploaded files, the same for service and workers; none: `uploads` "
        "in the folder of the database",
    )
    max_upload_bytes: int = Field(
        5_000_000_000, ge=1_000, description="Most bytes of one upload, all files together"
    )
    max_upload_files: int = Field(100, ge=1, description="Most files of one upload")
    upload_quota_bytes: int = Field(
        50_000_000_000, ge=1_000, description="Most bytes of all uploads that are kept"
    )
    upload_idle_s: float = Field(
        30, gt=0, description="Seconds after which an upload that stands still is given up"
    )
    upload_timeout_s: float = Field(3_600, gt=0, description="Longest time of one upload, seconds")
    upload_retention_h: float = Field(
        168,
        gt=0,
        description="Hours that files of jobs are kept after these have ended, and that a checked "
        "one waits to be confirmed",
    )
    max_preview_rows: int = Field(
        200_000, ge=100, description="Most rows of an upload that its preview on the map holds"
    )


class RasterSettings(_Section):
    """Rasters."""

    folder: Path | None = Field(
        None, description="Folder of the rasters' files; none: rasters in the database's folder"
    )
    threads: int = Field(2, description="Threads of a worker that read pixels", ge=1, le=32)
    timeout_s: float = Field(10, description="Longest that a request waits for pixels", gt=0)
    max_waiting: int = Field(
        64, description="Reads that may wait for a thread; those beyond are told to come back", ge=1
    )
    max_at_once: int = Field(
        16, description="Rasters that may be joined in an address, and are read for a tile", ge=1
    )


class ObservationSettings(_Section):
    """Live figures."""

    per_second: float = Field(
        20_000,
        description="Figures a second that a worker takes from one key, in the long run",
        gt=0,
    )
    burst: int = Field(200_000, description="Figures that it takes of a key at once", ge=10_000)
    rollup_every_s: float = Field(
        15, description="Seconds between two makings of outdated rollups", gt=0
    )
    keep_months: int | None = Field(
        None, description="Months for which single figures are kept; none: for ever", ge=1
    )
    keep_fine_rollups_months: int | None = Field(
        None, description="Months for which rollups of five minutes are kept; none: for ever", ge=1
    )


class ReportSettings(_Section):
    """What citizens report."""

    folder: Path | None = Field(
        None, description="Folder of the photos; none: reports in the database's folder"
    )
    per_hour: float = Field(
        20, description="Reports that one address may send in an hour, in the long run", gt=0
    )
    burst: int = Field(5, description="Reports that it may send at once", ge=1)
    max_photo_bytes: int = Field(10_000_000, description="Bytes of a photo as it is sent", ge=1)


class PushSettings(_Section):
    """Events sent to those who asked for them."""

    max_streams: int = Field(4_000, description="Streams that a worker keeps open at once", ge=1)
    keep_events_h: float = Field(
        72, description="Hours for which a stream can be resumed, at least", gt=0
    )
    max_subscriptions: int = Field(100, description="Subscriptions of one key", ge=1)
    timeout_s: float = Field(
        10, description="Longest that a subscriber's address may take to answer", gt=0
    )
    allow_private_addresses: bool = Field(
        False, description="Whether events may be sent into networks that are not public"
    )
    allow_http: bool = Field(False, description="Whether they may be sent without TLS")


class LogSettings(_Section):
    """Logs."""

    level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level")
    json_lines: bool = Field(False, description="One JSON object a line instead of text")


class Settings(BaseSettings):
    """All settings of an installation."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        extra="forbid",
        frozen=True,
        # A misspelt name must not print the password that stands behind it.
        hide_input_in_errors=True,
    )

    city: CitySettings = CitySettings()
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    http: HttpSettings = HttpSettings()
    tiles: TileSettings = TileSettings()
    load: LoadSettings = LoadSettings()
    rasters: RasterSettings = RasterSettings()
    observations: ObservationSettings = ObservationSettings()
    push: PushSettings = PushSettings()
    reports: ReportSettings = ReportSettings()
    log: LogSettings = LogSettings()

    @property
    def raster_folder(self) -> Path:
        """The folder of the rasters' files."""
        return self.rasters.folder or self.database.folder / "rasters"

    @property
    def report_folder(self) -> Path:
        """Where the photos of reports are."""
        return self.reports.folder or self.database.folder / "reports" / self.database.name

    @property
    def tile_cache_folder(self) -> Path:
        """Where this host keeps encoded tiles."""
        return self.tiles.cache_folder or self.database.folder / "tiles" / self.database.name

    @property
    def upload_folder(self) -> Path:
        """Where uploaded files wait for their loads."""
        return self.load.upload_folder or self.database.folder / "uploads"

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The settings of the environment, after refusing names that mean nothing.

        Raises:
            ValueError: a GEOSERVICE_ variable is no setting, or a value is not allowed.
        """
        refuse_unknown_variables(os.environ if environment is None else environment)
        try:
            return cls()
        except ValidationError as error:
            raise ValueError(_described(error)) from None


def _described(error: ValidationError) -> str:
    """What is wrong with which settings, in one line and without their values."""
    found = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = "__".join(str(part) for part in one["loc"] if isinstance(part, str))
        reason = one["msg"].removeprefix("Value error, ")
        found.append(f"{ENV_PREFIX}{name.upper()}: {reason}")
    return "; ".join(found)


@cache
def known_variables() -> frozenset[str]:
    """The names of all variables that set something."""
    names = set()
    for section, field in Settings.model_fields.items():
        model = field.annotation
        names.add(f"{ENV_PREFIX}{section}".upper())
        if isinstance(model, type) and issubclass(model, BaseModel):
            names.update(f"{ENV_PREFIX}{section}__{name}".upper() for name in model.model_fields)
    return frozenset(names)


def refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """Stop at a GEOSERVICE_ variable that sets nothing.

    Raises:
        ValueError: naming the variable.
    """
    for name in environment:
        upper = name.upper()
        if not upper.startswith(ENV_PREFIX) or upper in TEST_ONLY_VARIABLES:
            continue
        if upper not in known_variables():
            message = f"{name} is not a setting; see docs/reference/settings.md"
            raise ValueError(message)
