"""The load as geopandas does it: ``python geopandas_load.py FILE DATABASE_URL SCHEMA TABLE``."""

from __future__ import annotations

import sys

import geopandas
from sqlalchemy import create_engine


def main(file: str, url: str, schema: str, table: str) -> None:
    """Read the whole file and write it into a new table, which gets a spatial index."""
    frame = geopandas.read_file(file)
    frame.to_postgis(table, create_engine(url), schema=schema, if_exists="fail", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
