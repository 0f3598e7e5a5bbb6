"""Archives: what is taken out of them, and what never is."""

from __future__ import annotations

import stat
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from layers.errors import UnreadableSource, UnsafeArchive
from loaders.archives import unpack
from loaders.options import ReadLimits


def archive(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """An empty folder to unpack into."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def test_members_come_out_under_names_of_ours(tmp_path: Path, inside: Path) -> None:
    path = archive(tmp_path, {"../../etc/passwd": b"x", "/abs.shp": b"y", "d/": b"", "a.DBF": b"z"})

    members = unpack(path, inside, ReadLimits())

    assert {f.name for f in members.values()} == {"member0", "member1.shp", "member2.dbf"}
    assert {f.parent for f in members.values()} == {inside}
    assert sorted(f.name for f in inside.iterdir()) == ["member0", "member1.shp", "member2.dbf"]


def test_chinese_names_without_a_flag_are_read(tmp_path: Path, inside: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("gx.shp", b"x")
    data = path.read_bytes().replace(b"gx.shp", "管".encode("gbk") + b".shp")
    path.write_bytes(data)

    assert list(unpack(path, inside, ReadLimits())) == [PurePosixPath("管.shp")]


def test_a_bomb_is_refused_while_it_unpacks(tmp_path: Path, inside: Path) -> None:
    path = archive(tmp_path, {"a.csv": bytes(30_000_000)})

    with pytest.raises(UnsafeArchive):
        unpack(path, inside, ReadLimits())
    assert sum(f.stat().st_size for f in inside.iterdir()) < 30_000_000


def test_sizes_are_counted_over_all_members(tmp_path: Path, inside: Path) -> None:
    path = archive(tmp_path, {"a.csv": bytes(600), "b.csv": bytes(600)})

    with pytest.raises(UnsafeArchive):
        unpack(path, inside, replace(ReadLimits(), max_unpacked_bytes=1000))


def test_a_size_in_the_header_is_not_believed(tmp_path: Path, inside: Path) -> None:
    path = archive(tmp_path, {"a.csv": bytes(5000)})
    data = path.read_bytes().replace((5000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    path.write_bytes(data)

    with pytest.raises((UnsafeArchive, UnreadableSource)):
        unpack(path, inside, replace(ReadLimits(), max_unpacked_bytes=1000))


def test_too_many_members_are_refused(tmp_path: Path, inside: Path) -> None:
    path = archive(tmp_path, {f"{n}.csv": b"" for n in range(11)})

    with pytest.raises(UnsafeArchive):
        unpack(path, inside, replace(ReadLimits(), max_members=10))


def test_links_and_archives_inside_are_refused(tmp_path: Path, inside: Path) -> None:
    link = zipfile.ZipInfo("a.shp")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "l.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(link, "/etc/passwd")

    with pytest.raises(UnsafeArchive, match="link"):
        unpack(path, inside, ReadLimits())
    with pytest.raises(UnsafeArchive, match="archive"):
        unpack(archive(tmp_path, {"b.ZIP": b""}), inside, ReadLimits())


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_what_is_no_archive_is_unreadable(tmp_path: Path, inside: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)

    with pytest.raises(UnreadableSource):
        unpack(path, inside, ReadLimits())


def test_a_damaged_member_is_unreadable(tmp_path: Path, inside: Path) -> None:
    path = archive(tmp_path, {"a.csv": b"abc" * 1000})
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(UnreadableSource):
        unpack(path, inside, ReadLimits())
