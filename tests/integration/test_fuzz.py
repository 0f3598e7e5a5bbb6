"""Damaged files do no harm: not to the process that loads, and not to the database.

``make fuzz`` is the long form of the first test.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from layers.errors import SourceError
from layers.registry import get_layer
from layers.roles import Role
from loaders import LoadOptions, LoadReport, ReadLimits, load
from tests.fuzz.corpus import KINDS
from tests.fuzz.mutate import damage
from tests.fuzz.runner import run_kind
from tests.support import City

SEED = 20261124
INPUTS = 200
"""Of each format; thousands together."""

LOADED = tuple(name for name, kind in KINDS.items() if kind.layer is not None)
LIMITS = ReadLimits(
    max_unpacked_bytes=200_000_000, memory_bytes=3 * 1024**3, timeout_s=60, max_fields=500
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", KINDS)
def test_no_damaged_file_gets_past_the_readers(name: str) -> None:
    summary = run_kind(name, SEED, INPUTS)

    print(f"seed {SEED}: {summary}")
    assert {} == summary.failures
    assert INPUTS == summary.outcomes.total()
    assert summary.outcomes["read"] > 0
    assert summary.outcomes["refused"] > 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LOADED)
def test_a_damaged_file_is_loaded_whole_or_not_at_all(
    city: City, tmp_path: Path, name: str
) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        kind = KINDS[name]
        file = kind.write(folder)
        damage(folder, file, Random(f"{SEED}-database-{name}-{number}"))
        before = held(city, str(kind.layer))

        report = loaded(city, str(kind.layer), file)

        after = held(city, str(kind.layer))
        if report is None:
            assert before == after
        else:
            assert report.read == report.new + report.changed + report.unchanged + report.rejected
            assert report.new == after - before
        assert 0 == leftovers(city)


def loaded(city: City, layer: str, file: Path) -> LoadReport | None:
    """What a load did; None where the file was refused."""
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490", limits=LIMITS)
    with city.address.connect_loader() as connections:
        try:
            return load(connections, get_layer(layer), [file], options)
        except SourceError:
            return None


def held(city: City, layer: str) -> int:
    """How many features of a layer are held without an end."""
    statement = f"SELECT count(*) FROM city.{layer} WHERE upper_inf(valid_during)"
    with city.address.connect(Role.OWNER) as connection:
        return int(connection.execute(text(statement)).scalar_one())


def leftovers(city: City) -> int:
    """Staging tables, and loads that ended neither well nor badly."""
    statement = """
        SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'staging')
             + (SELECT count(*) FROM city.loads WHERE state = 'staging')"""
    with city.address.connect(Role.OWNER) as connection:
        return int(connection.execute(text(statement)).scalar_one())
