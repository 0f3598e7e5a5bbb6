"""What the figures were measured on: processors, memory, versions, durability of the server."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, text

from benchmark_city import tipg_python
from children import find_program
from geoservice import __version__
from geoservice.cluster.machine import memory_bytes, processor_count

_SERVER_SETTINGS = (
    "shared_buffers",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "data_checksums",
)


def machine_facts() -> Iterator[tuple[str, str]]:
    """Names and values of what this machine is."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    yield "processors", f"{processor_count()} x {_processor_model()}; load averages {load}"
    yield "memory", f"{memory_bytes() / 2**30:.1f} GiB"
    yield "system", f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.release()}"
    yield "geoservice", f"{__version__}, Python {platform.python_version()}, uvloop, httptools"
    yield "tipg", _tipg_version() or "missing: run make bench"
    yield "wrk", _version("wrk", "-v") or "missing: a client of our own takes its place"
    yield "ogr2ogr", _version("ogr2ogr", "--version") or "missing: it is left out"


def server_facts(connection: Connection) -> Iterator[tuple[str, str]]:
    """Names and values of what the database server is."""
    versions = connection.execute(
        text("SELECT split_part(version(), ' ', 2), postgis_lib_version(), postgis_proj_version()")
    ).one()
    yield "PostgreSQL", f"{versions[0]}, PostGIS {versions[1]}, PROJ {versions[2].split()[0]}"
    settings = connection.execute(
        text("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(:names)"),
        {"names": list(_SERVER_SETTINGS)},
    )
    found: dict[str, str] = dict(settings.tuples().all())
    yield "server settings", ", ".join(f"{name} {found[name]}" for name in _SERVER_SETTINGS)


def _processor_model() -> str:
    try:
        words = Path("/proc/cpuinfo").read_text()
    except OSError:
        words = ""
    model = re.search(r"^model name\s*:\s*(.+)$", words, re.MULTILINE)
    return model[1] if model else platform.machine()


def _tipg_version() -> str | None:
    python = tipg_python()
    if python is None:
        return None
    words = (
        "import importlib.metadata as m, importlib.util as u; "
        "print(m.version('tipg'), 'uvloop' if u.find_spec('uvloop') else 'asyncio', "
        "'httptools' if u.find_spec('httptools') else 'h11', sep=', ')"
    )
    return _said([str(python), "-c", words])


def _version(program: str, option: str) -> str | None:
    path = find_program(program)
    said = _said([path, option]) if path else None
    found = re.search(r"\d+(\.\d+)+", said or "")
    return found[0] if found else None


def _said(command: list[str]) -> str | None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip() or None
