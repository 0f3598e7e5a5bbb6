"""Claims on tiles: of the workers of a host, one makes a tile and the others take it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from geoservice.tile_cache.claims import claimed
from tiles.cache import CachedTile, TileLocks

KEY = b"one tile"
TILE = CachedTile.of(b"a picture", bytes(16), gzip_level=0)

_OTHER_WORKER = """
import sys
from pathlib import Path
from tiles.cache import TileLocks

locks = TileLocks(Path(sys.argv[1]))
print(locks.take(b"one tile"), flush=True)
sys.stdin.readline()
"""


def other_worker(file: Path) -> subprocess.Popen[str]:
    """A process that has claimed the tile, and gives it back when it ends."""
    worker = subprocess.Popen(
        [sys.executable, "-c", _OTHER_WORKER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "True\n"
    return worker


def test_what_another_worker_makes_is_waited_for_and_taken(tmp_path: Path) -> None:
    kept: list[CachedTile] = []
    locks = TileLocks(tmp_path / "locks")
    with other_worker(tmp_path / "locks") as worker:

        async def wait() -> tuple[bool, CachedTile | None]:
            waiting = asyncio.create_task(look())
            await asyncio.sleep(0.05)
            was_waiting = not waiting.done()
            kept.append(TILE)
            return was_waiting, await waiting

        async def look() -> CachedTile | None:
            async with claimed(locks, KEY, lambda: kept[0] if kept else None) as found:
                return found

        was_waiting, found = asyncio.run(wait())
        worker.terminate()

    assert was_waiting
    assert found is TILE


def test_what_another_worker_left_unmade_is_for_the_next_to_make(tmp_path: Path) -> None:
    locks = TileLocks(tmp_path / "locks")

    async def claim() -> tuple[CachedTile | None, bool]:
        async with claimed(locks, KEY, lambda: None) as found:
            return found, other_process_cannot_take(tmp_path / "locks")

    with other_worker(tmp_path / "locks") as worker:
        worker.kill()
        worker.wait()
        found, is_claimed = asyncio.run(claim())
        is_given_back = not other_process_cannot_take(tmp_path / "locks")

    assert found is None
    assert (True, True) == (is_claimed, is_given_back)


def other_process_cannot_take(file: Path) -> bool:
    """Whether the tile is claimed, as another process sees it."""
    done = subprocess.run(
        [sys.executable, "-c", _OTHER_WORKER, str(file)],
        input="\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    return done.stdout == "False\n"
