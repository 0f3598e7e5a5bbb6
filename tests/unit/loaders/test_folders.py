"""Private folders: what a load that was killed leaves is removed by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from loaders.folders import private_folder

HOLD = """
import sys, time
from loaders.folders import private_folder
with private_folder() as folder:
    (folder / "unpacked.shp").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of other loads on this machine are none of these tests' business."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def aged(folder: Path) -> Path:
    os.utime(folder, (0, 0))
    return folder


def test_a_folder_is_private_and_goes_with_its_load() -> None:
    with private_folder() as folder:
        (folder / "a").touch()
        mode = folder.stat().st_mode & 0o777

    assert 0o700 == mode
    assert not folder.exists()


def test_the_folder_of_a_killed_load_is_removed_and_that_of_a_living_one_is_not() -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        folder = Path(load.stdout.readline().strip())
        aged(folder)
        with private_folder():
            is_there_while_it_lives = folder.exists()
        load.send_signal(signal.SIGKILL)
        load.wait()
    with private_folder():
        is_there_afterwards = folder.exists()

    assert is_there_while_it_lives
    assert not is_there_afterwards


def test_young_folders_links_and_other_names_are_left_alone(tmp_path: Path) -> None:
    young = tmp_path / "geoservice-load-young"
    other = tmp_path / "other"
    young.mkdir()
    other.mkdir()
    link = tmp_path / "geoservice-load-link"
    link.symlink_to(other)
    os.utime(link, (0, 0), follow_symlinks=False)
    aged(other)

    with private_folder():
        left = {path.name for path in tmp_path.iterdir()}

    assert {young.name, other.name, link.name} <= left
