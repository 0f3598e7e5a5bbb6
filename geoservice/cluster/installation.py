"""Which PostgreSQL of this machine can hold a city: version, server programs, extensions.

Every installation is asked through its own ``pg_config``, which knows where its parts lie even
where a distribution has moved them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.errors import ClusterError

SUPPORTED_MAJORS = range(15, 18)
EXTENSIONS = ("postgis", "btree_gist", "pgrouting")
_OLDEST_POSTGIS = (3, 3)
_PLACES = (
    "/usr/lib/postgresql/*/bin/pg_config",
    "/usr/local/pgsql/bin/pg_config",
    "/opt/homebrew/opt/postgresql@*/bin/pg_config",
    "/usr/local/opt/postgresql@*/bin/pg_config",
)
_HOW_TO_INSTALL = (
    "On Debian and Ubuntu: apt-get install postgresql-{major} postgresql-{major}-postgis-3 "
    "postgresql-{major}-pgrouting{which}"
)


@dataclass(frozen=True)
class Installation:
    """The programs of one PostgreSQL version, with all extensions that a city needs."""

    programs: Path
    version: str
    major: int


class _Unsuitable(Exception):
    """Raised when a PostgreSQL found on the machine cannot hold a city; the text says why."""


def find_installation(
    major: int | None = None, *, pg_configs: Sequence[Path] | None = None
) -> Installation:
    """The newest suitable PostgreSQL, or the one of a given major version.

    Args:
        major: Take only this major version (an existing folder can be run by no other).
        pg_configs: Where to look; the usual places if not given.

    Raises:
        ClusterError: there is none; the text says what was looked at and what to install.
    """
    looked_at: list[str] = []
    suitable: list[Installation] = []
    for pg_config in _pg_configs() if pg_configs is None else pg_configs:
        try:
            suitable.append(_examine(pg_config))
        except _Unsuitable as exc:
            looked_at.append(f"{pg_config}: {exc}")
    wanted = [found for found in suitable if major in (None, found.major)]
    if wanted:
        return max(wanted, key=lambda found: _numbers(found.version))
    looked_at += [f"{found.programs}: PostgreSQL {found.version}" for found in suitable]
    raise ClusterError(_explain(major, looked_at))


def _pg_configs() -> list[Path]:
    on_path = shutil.which("pg_config")
    found = [Path(on_path)] if on_path else []
    for pattern in _PLACES:
        found += sorted(Path("/").glob(pattern.removeprefix("/")))
    return found


def _examine(pg_config: Path) -> Installation:
    programs, shared, version = _ask(pg_config)
    numbers = _numbers(version)
    if numbers[0] not in SUPPORTED_MAJORS:
        reason = f"PostgreSQL {version} is not supported"
        raise _Unsuitable(reason)
    lacking = [name for name in ("postgres", "initdb", "pg_ctl") if not (programs / name).exists()]
    if lacking:
        reason = f"PostgreSQL {version} without the server ({', '.join(lacking)} not in {programs})"
        raise _Unsuitable(reason)
    _check_extensions(version, shared / "extension")
    return Installation(programs, version, numbers[0])


def _ask(pg_config: Path) -> tuple[Path, Path, str]:
    command = [str(pg_config), "--bindir", "--sharedir", "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        programs, shared, version = done.stdout.splitlines()
        number = version.split()[1]  # "PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as exc:
        reason = f"gives no answer ({exc})"
        raise _Unsuitable(reason) from exc
    return Path(programs), Path(shared), number


def _check_extensions(version: str, folder: Path) -> None:
    lacking = [name for name in EXTENSIONS if not (folder / f"{name}.control").exists()]
    if lacking:
        reason = f"PostgreSQL {version} without {', '.join(lacking)} (no .control file in {folder})"
        raise _Unsuitable(reason)
    control = (folder / "postgis.control").read_text()
    postgis = re.search(r"^default_version\s*=\s*'([^']+)'", control, re.MULTILINE)
    if postgis is None or _numbers(postgis[1]) < _OLDEST_POSTGIS:
        reason = f"PostgreSQL {version} with a PostGIS older than 3.3"
        raise _Unsuitable(reason)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version: (15, 18) of "15.18", (18,) of "18beta1"."""
    return tuple(int(part) for part in re.split(r"[^\d.]", version)[0].split(".") if part) or (0,)


def _explain(major: int | None, looked_at: list[str]) -> str:
    first, last = SUPPORTED_MAJORS[0], SUPPORTED_MAJORS[-1]
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {first} to {last}"
    which = "" if major else ", where 15 is Debian 12's, 16 Ubuntu 24.04's and 17 Debian 13's"
    lines = [f"no {wanted} with {', '.join(EXTENSIONS)} was found on this machine. Looked at:"]
    lines += [f"  {line}" for line in looked_at] or [f"  PATH, {', '.join(_PLACES)}: nothing there"]
    lines.append(_HOW_TO_INSTALL.format(major=major or first, which=which))
    return "\n".join(lines)
