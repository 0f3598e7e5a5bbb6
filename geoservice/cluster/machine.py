"""What this machine, or the container on it, has to give: memory and processors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Memory that processes here may use: the machine's, or the smallest control group's."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([installed, *_memory_limits()])


def processor_count() -> int:
    """Processors that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_limits() -> Iterator[int]:
    for path in _limit_files():
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # version 2 writes "max" where there is no limit
            yield int(text)


def _limit_files() -> Iterator[Path]:
    """The limit files of our control group and all above it, of versions 2 and 1.

    In a container the paths of /proc/self/cgroup may be those of the host, while only the
    container's own group is mounted, at the root: that one is always looked at.
    """
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            yield from _files_up(_CGROUPS, group, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _files_up(_CGROUPS / "memory", group, "memory.limit_in_bytes")


def _files_up(mount: Path, group: str, name: str) -> Iterator[Path]:
    path = PurePosixPath(group)
    for level in (path, *path.parents):
        yield mount / str(level).lstrip("/") / name
