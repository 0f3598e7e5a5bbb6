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


# Fields are 20 bytes wide: six characters of UTF-8 and two bytes of the seventh.
CUT_UTF8 = "深圳市规划和自然资源局".encode()[:20]
CUT_GBK = ("a" + "深圳市规划和自然资源局").encode("gbk")[:20]
CUT = "; of 1 texts cut in mid-character that character is left out"


@pytest.mark.parametrize("said", [None, "utf-8"])
def test_a_text_cut_in_mid_character_is_still_utf8(tmp_path: Path, said: str | None) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [CUT_UTF8, UTF8, b"A"])

    found = dbf_encoding(dbf, None, said)

    assert "utf-8" == found.name
    assert found.found.endswith(CUT)


def test_a_cpg_is_believed_when_a_text_is_cut(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [CUT_UTF8])

    assert Encoding("utf-8", "cpg file" + CUT) == dbf_encoding(dbf, cpg(tmp_path, "UTF-8"), None)


@pytest.mark.parametrize("next_value", [b"0", b"A", UTF8[:0]])
def test_a_text_cut_in_mid_character_is_still_gbk(tmp_path: Path, next_value: bytes) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [CUT_GBK, next_value])

    assert Encoding("gb18030", "reads all texts" + CUT) == dbf_encoding(dbf, None, None)


def test_half_a_character_inside_a_text_is_no_utf8(tmp_path: Path) -> None:
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [CUT_UTF8[:17], UTF8])

    assert "utf-8" != dbf_encoding(dbf, None, None).name


def test_half_a_character_after_latin_letters_is_gbk(tmp_path: Path) -> None:
    value = b"A" * 19 + GBK[:1]
    dbf = write_dbf(tmp_path / "a.dbf", b"NAME", [value])

    assert "gb18030" == dbf_encoding(dbf, None, None).name


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
