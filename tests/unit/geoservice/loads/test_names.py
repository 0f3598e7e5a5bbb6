"""Names of uploaded files: ours on the disk, the user's in what people read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.loads.names import (
    Namer,
    ShownNames,
    StoredFile,
    data_sets,
    plain_name,
    split_name,
)
from layers.errors import InvalidBody

TOKEN = "0123456789abcdef" * 2


def stored(*names: str) -> list[StoredFile]:
    """Files of one upload."""
    namer = Namer(TOKEN)
    return [StoredFile(name, namer.store_as(name)) for name in names]


@given(st.binary(max_size=300))
def test_whatever_is_sent_the_stored_name_is_made_of_ours(sent: bytes) -> None:
    try:
        name = plain_name(sent)
    except InvalidBody:
        return

    made = Namer(TOKEN).store_as(name)

    assert made.startswith(f"{TOKEN}-0")
    assert made.removeprefix(f"{TOKEN}-0").lstrip(".").isalnum() or made == f"{TOKEN}-0"
    assert made.isascii()


def test_parts_of_a_data_set_share_their_stem() -> None:
    files = stored("路.shp", "路.DBF", "路.shx", "other.csv")

    assert [f"{TOKEN}-0.shp", f"{TOKEN}-0.dbf", f"{TOKEN}-0.shx", f"{TOKEN}-1.csv"] == [
        file.stored for file in files
    ]


def test_what_only_belongs_to_a_data_set_is_not_loaded_for_itself() -> None:
    files = stored("a.shp", "a.dbf", "a.shx", "a.prj", "a.cpg", "a.shp.xml", "points.dbf")

    assert [f"{TOKEN}-0.shp", f"{TOKEN}-2.dbf"] == [
        path.name for path in data_sets(files, Path("folder"))
    ]


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidBody, match=r"two files are called A\.csv"):
        stored("a.csv", "A.csv")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.GPKG", ("a", ".gpkg")),
        ("a.tar.gz", ("a.tar", ".gz")),
        ("noextension", ("noextension", "")),
        ("a.有", ("a.有", "")),
        ("a." + "x" * 11, ("a." + "x" * 11, "")),
    ],
)
def test_an_extension_is_short_and_plain(name: str, parts: tuple[str, str]) -> None:
    assert parts == split_name(name)


def test_texts_and_documents_get_the_users_names() -> None:
    names = [f"{n}号.csv" for n in range(12)]
    files = stored(*names)
    shown = ShownNames(files)

    assert "11号.csv: no; 1号.csv: yes" == shown.in_text(
        f"{files[11].stored}: no; {files[1].stored}: yes"
    )
    assert {"0号.csv": [{"name": "2号.csv"}, 3, None]} == shown.in_document(
        {files[0].stored: [{"name": files[2].stored}, 3, None]}
    )
