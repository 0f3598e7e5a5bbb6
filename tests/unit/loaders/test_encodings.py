"""Which encoding a file's texts have, and how that was found."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from layers.errors import UnreadableSource
from loaders.encodings import DbfTexts, Encoding, dbf_encoding, known_codec, text_encoding


def write_dbf(path: Path, name: bytes, values: list[bytes], *, driver: int = 0) -> Path:
    """A DBF of one text field of 20 bytes; a value that starts with ``*`` is a deleted record."""
    header = struct.pack("<4BIHH20x", 3, 124, 1, 1, len(values), 32 + 32 + 1, 21)
    header = header[:29] + bytes([driver]) + header[30:]
    field = struct.pack("<11sc4xBB14x", name, b"C", 20, 0)
    rows = [v if v.startswith(b"*") else b" " + v for v in values]
    records = b"".join(row.ljust(21) for row in rows)
    path.write_bytes(header + field + b"\r" + records + b"\x1a")
    return path


def cpg(folder: Path, text: str) -> Path:
    path = folder / "a.cpg"
    path.write_text(text)
    return path


GBK, UTF8 = "权属单位".encode("gbk"), "权属单位".encode()


def test_a_cpg_that_fits_is_believed(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [GBK])

    assert dbf_encoding(dbf, cpg(tmp_path, "GBK"), None) == Encoding("gb18030", "cpg file")


def test_a_cpg_that_does_not_fit_is_passed_over_and_said_so(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [GBK])

    found = dbf_encoding(dbf, cpg(tmp_path, "UTF-8"), None)

    assert found.name == "gb18030"
    assert "cpg file says utf-8, which does not read all texts" in found.found


def test_the_language_driver_of_the_dbf_counts(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [GBK], driver=0x4D)

    assert dbf_encoding(dbf, None, None).found == "language driver of the DBF"


@pytest.mark.parametrize(("value", "name"), [(UTF8, "utf-8"), (GBK, "gb18030"), (b"a", "utf-8")])
def test_without_a_word_the_bytes_decide(tmp_path: Path, value: bytes, name: str) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [value])

    assert dbf_encoding(dbf, None, None) == Encoding(name, "reads all texts")


def test_names_of_fields_count_as_texts(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", "材质".encode("gbk"), [b"PE"])

    assert dbf_encoding(dbf, None, None).name == "gb18030"


def test_deleted_records_do_not_count(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [UTF8, b"*" + b"\xff\xfe"])

    assert dbf_encoding(dbf, None, None).name == "utf-8"
    assert DbfTexts(dbf).count_deleted() == 1


def test_bytes_of_no_encoding_are_read_as_latin_1(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [b"M\xfcnchen \xff"])

    assert dbf_encoding(dbf, None, None).name == "latin-1"


def test_an_encoding_that_is_given_must_fit(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [GBK])

    assert dbf_encoding(dbf, None, "936") == Encoding("gb18030", "given")
    with pytest.raises(UnreadableSource, match="is not in the encoding 'utf-8'"):
        dbf_encoding(dbf, None, "utf-8")
    with pytest.raises(UnreadableSource, match="not an encoding"):
        dbf_encoding(dbf, None, "klingon")


@pytest.mark.parametrize("name", ["GBK", "gb2312", "936", "CP936", "ANSI 936", "GB18030"])
def test_chinese_encodings_are_read_as_the_widest(name: str) -> None:
    assert known_codec(name) == "gb18030"


@pytest.mark.parametrize("name", ["base64", "rot13", "zip", "", "../x"])
def test_codecs_that_are_no_text_encodings_are_unknown(name: str) -> None:
    assert known_codec(name) is None


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("名称,经度".encode("utf-8-sig"), "utf-8-sig"),
        ("名称,经度".encode(), "utf-8"),
        ("名称,经度㙟".encode("gb18030"), "gb18030"),
        ("名称,经度".encode("utf-16"), "utf-16"),
    ],
)
def test_text_files(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)

    assert text_encoding(path, None).name == name


def test_text_of_no_known_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,\xff\xff\xff")

    with pytest.raises(UnreadableSource, match="--encoding"):
        text_encoding(path, None)


def test_a_character_across_blocks_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a" * (4 * 1024 * 1024 - 1) + "名".encode())

    assert text_encoding(path, None).name == "utf-8"


def test_a_stub_is_no_dbf(tmp_path: Path) -> None:
    path = tmp_path / "a.dbf"
    path.write_bytes(b"\x03")

    with pytest.raises(UnreadableSource):
        DbfTexts(path)
