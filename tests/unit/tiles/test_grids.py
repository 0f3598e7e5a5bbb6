import pytest
from morecantile import Tile

from layers.errors import TileOutsideMatrix, UnknownGrid
from tiles.grids import CGCS2000, GRIDS, WEB_MERCATOR, WORLD_CRS84, Grid, get_grid
from tiles.matrix import TileAddress


@pytest.mark.parametrize("grid", GRIDS.values(), ids=lambda grid: grid.name)
@pytest.mark.parametrize("z", [1, 5, 12])
def test_boxes_are_those_of_the_written_matrix_set(grid: Grid, z: int) -> None:
    written = grid.matrix_set
    columns, rows = grid.shape(z)
    x, y = columns * 5 // 6, rows // 3

    box = grid.box(z, x, y)

    assert list(written.xy_bounds(Tile(x, y, z))) == pytest.approx(box, abs=1e-6)
    assert (written.matrix(z).matrixWidth, written.matrix(z).matrixHeight) == (
        columns,
        rows,
    )


def test_tianditu_counts_from_two_tiles_at_zoom_one() -> None:
    assert (2, 1) == CGCS2000.shape(1)
    assert (0, 0) == CGCS2000.shape(0)
    assert (-180, -90, 0, 90) == CGCS2000.box(1, 0, 0)


def test_zooms_are_compared_by_scale() -> None:
    assert 14 == TileAddress(14, 0, 0, WEB_MERCATOR).mercator_zoom
    assert 15 == TileAddress(14, 0, 0, WORLD_CRS84).mercator_zoom
    assert 14 == TileAddress(14, 0, 0, CGCS2000).mercator_zoom


def test_an_address_beyond_its_grid_is_refused() -> None:
    with pytest.raises(TileOutsideMatrix):
        TileAddress.within_matrix(0, 0, 0, CGCS2000)
    with pytest.raises(TileOutsideMatrix):
        TileAddress.within_matrix(1, 0, 2, WORLD_CRS84)


def test_an_unknown_grid_is_named() -> None:
    with pytest.raises(UnknownGrid, match="WebMercatorQuad"):
        get_grid("webmercatorquad")
