"""Lists of unequal length kept flat, the form in which whole batches are computed at once."""

import numpy as np

from geoservice.sample_city.hashing import Ints


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """Owner and position within the owner of each element.

    Args:
        counts: Number of elements of each owner, none negative.

    Returns:
        Two arrays of length ``counts.sum()``: for counts (2, 1), owners (0, 0, 1) and
        positions (0, 1, 0).
    """
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return owner, np.arange(len(owner), dtype=np.int64) - starts(counts)[owner]


def starts(counts: Ints) -> Ints:
    """Index of each owner's first element in the flat array."""
    return np.cumsum(counts, dtype=np.int64) - counts


def starts_in_rows(counts: Ints) -> Ints:
    """For a table of counts, how many lie before each entry in its row."""
    return np.cumsum(counts, axis=1, dtype=np.int64) - counts
