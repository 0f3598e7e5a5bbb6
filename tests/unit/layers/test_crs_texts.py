"""What may define a system of coordinates."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from layers.crs_texts import UnsafeDefinition, parse_crs

LOCAL = "+proj=tmerc +lat_0=22.5 +lon_0=114 +k=1 +x_0=1000 +y_0=-2e3 +ellps=GRS80 +units=m +no_defs"


@pytest.mark.parametrize("text", ["EPSG:4547", "4547", "OGC:CRS84", "WGS 84", LOCAL, LOCAL + " "])
def test_codes_names_and_plain_strings_are_taken(text: str) -> None:
    assert isinstance(parse_crs(text), CRS)


def test_wkt_and_json_of_files_are_taken() -> None:
    mercator = CRS.from_epsg(3857)

    for text in (mercator.to_wkt("WKT1_GDAL"), mercator.to_wkt(), mercator.to_json()):
        assert parse_crs(text).to_epsg() == 3857


@pytest.mark.parametrize(
    "more",
    [
        "+nadgrids=/etc/passwd",
        "+nadgrids=@null",
        "+geoidgrids=egm96.gtx",
        "+towgs84=1,2,3",
        "+init=epsg:4326",
        "+step",
        "+axis=neu",
        "+ellps=/etc/passwd",
        "+lat_0=1e999999",
        "+lat_0=__import__",
        "+lon_0=1 +lon_0=2",
        "+wktext",
        "+pm=paris",
        "+units=furlong",
    ],
)
def test_a_string_holds_only_what_is_on_the_list(more: str) -> None:
    with pytest.raises(UnsafeDefinition):
        parse_crs(f"+proj=tmerc +lat_1=0 {more}" if "lat_0" in more else f"{LOCAL} {more}")


@pytest.mark.parametrize(
    "text",
    [
        "+proj=pipeline +step +proj=tmerc",
        "proj=tmerc nadgrids=/etc/passwd",
        "init=epsg:4326",
        "+init=/etc/passwd:1",
        "+proj=hgridshift +grids=/etc/passwd",
        'GEOGCS["x",EXTENSION["PROJ4","+proj=longlat +nadgrids=/etc/passwd"]]',
        "A" * 20_001,
    ],
)
def test_what_names_files_or_pipelines_is_refused(text: str) -> None:
    with pytest.raises(UnsafeDefinition):
        parse_crs(text)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "EPSG:999999", "/etc/passwd", "GEOGCS[", "{}", "-1"]
)
def test_what_is_no_system_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a coordinate reference system"):
        parse_crs(text)


@given(
    st.text(max_size=60) | st.from_regex(r"\+proj=[a-z]{1,8}( \+[a-z_0]{1,6}=[-/@a-z0-9.]{0,9})*")
)
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with suppress(ValueError):
        parse_crs(text)
