"""The CSV files of pipes and points, a pair for each class, as survey offices send them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import pyarrow as pa
from pyarrow import csv

from geoservice.sample_city.pipe_kinds import CATEGORIES
from geoservice.sample_city.pipe_tables import (
    LINE_HEADER,
    POINT_HEADER,
    line_table,
    point_table,
)
from geoservice.sample_city.pipes import survey
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.street_names import Gazetteer

ENCODING = "GB18030"


class SurveyFile(AbstractContextManager["SurveyFile"]):
    """A CSV file in GB18030 that tables are appended to; it counts its rows."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.rows = 0
        self._file = path.open("wb")
        self._file.write((",".join(header) + "\n").encode(ENCODING))
        self._options = csv.WriteOptions(include_header=False, quoting_style="none")

    def append(self, table: pa.Table) -> None:
        """Append rows; no text in them may hold a comma, a quote or a line break."""
        buffer = pa.BufferOutputStream()
        csv.write_csv(table, buffer, self._options)
        self._file.write(buffer.getvalue().to_pybytes().decode().encode(ENCODING))
        self.rows += table.num_rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def points_file(category: str) -> str:
    """Name of the point file of a class."""
    return f"管点_{category}.csv"


def lines_file(category: str) -> str:
    """Name of the line file of a class."""
    return f"管线_{category}.csv"


def write_survey(
    directory: Path,
    plan: CityPlan,
    gazetteer: Gazetteer,
    *,
    on_rows: Callable[[int], None],
) -> list[tuple[str, int, int]]:
    """Write the files of every class that the city has.

    Args:
        directory: Where to write.
        plan: The city.
        gazetteer: Its names.
        on_rows: Called with the number of rows after each batch.

    Returns:
        Class, number of points and number of lines, for each class written.
    """
    written = []
    for category in CATEGORIES:
        mains = [main for main in plan.mains if main.kind.category == category and len(main.edges)]
        if not mains:
            continue
        with (
            SurveyFile(directory / points_file(category), POINT_HEADER) as points,
            SurveyFile(directory / lines_file(category), LINE_HEADER) as lines,
        ):
            for main in mains:
                for some_points, some_pipes in survey(plan, main):
                    before = points.rows + lines.rows
                    points.append(point_table(plan, main.kind, some_points))
                    if some_pipes is not None:
                        lines.append(line_table(plan, gazetteer, main, some_pipes))
                    on_rows(points.rows + lines.rows - before)
            written.append((category, points.rows, lines.rows))
    return written
