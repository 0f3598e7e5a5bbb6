"""``python -P -m geoservice`` is the same as the command ``geoservice``."""

from geoservice.cli import main

main()
