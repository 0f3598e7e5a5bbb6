"""The most memory that a load holds, at ten times the rows: it may not grow with the file."""

from __future__ import annotations

from rich.console import Console

from benchmark_city import BenchmarkCity
from children import Cost
from layer_file import write_features, write_multiplied
from layers.pipelines import LAYER
from measured import new_table, number_text
from subject_load import prepare_database, run_ours

ROWS = 10_000_000
LEAST_ROWS = 10_000
TIMES = 10
AIM_BYTES = 2**30


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print; once, because what is held varies little."""
    del repeats
    rows = max(LEAST_ROWS, round(ROWS * city.scale))
    one = city.folder / f"{LAYER.name}-{rows // TIMES}.gpkg"
    many = city.folder / f"{LAYER.name}-{rows}-multiplied.gpkg"
    with city.as_superuser() as connection:
        write_features(connection, LAYER, one, rows // TIMES)
    write_multiplied(one, LAYER, many, rows)
    table = new_table("Memory of a load with all its processes", *_COLUMNS)
    for count, file in ((rows // TIMES, one), (rows, many)):
        console.print(f"[dim]loading {count:,} {LAYER.name}, and again ...[/]")
        prepare_database(city)
        for what in ("first load", "again"):
            cost = run_ours(city, LAYER.name, [str(file)])
            table.add_row(what, f"{count:,}", number_text(cost.seconds), *_memory(cost))
    console.print(table)


_COLUMNS = ("what", "rows", "seconds", "peak MB", "aim, MB")


def _memory(cost: Cost) -> tuple[str, str]:
    return f"{cost.peak_bytes / 1e6:,.0f}", f"<= {AIM_BYTES / 1e6:,.0f}"
