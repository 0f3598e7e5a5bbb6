"""Files in, rows out: read, normalise, check, stage, publish.

``load`` is the way in. A file is opened by a process of its own with one driver and bounds on time
and memory (``reader``), its rows become rows of the layer in batches of Arrow (``normalise``), go
to an unlogged table by COPY (``staging``), are checked there (``checks``) and published.
"""

from loaders.loading import load
from loaders.mapping import Mapping, parse_mapping
from loaders.options import LoadConnections, LoadOptions, NoProgress, Progress, ReadLimits
from loaders.report import LoadReport, SourceReport

__all__ = [
    "LoadConnections",
    "LoadOptions",
    "LoadReport",
    "Mapping",
    "NoProgress",
    "Progress",
    "ReadLimits",
    "SourceReport",
    "load",
    "parse_mapping",
]
