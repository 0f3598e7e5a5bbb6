"""Random numbers that depend on what they are for, not on the order in which they are drawn.

Each number is a hash of the seed, the name of its stream and the identity of the thing it is for.
So any part of the city can be made alone, in any order, and comes out the same.
"""

import zlib
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Words: TypeAlias = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_UNIT = 1.0 / 9_007_199_254_740_992.0


def uniform(seed: int, stream: str, *keys: ArrayLike) -> Floats:
    """Numbers in [0, 1), one for each combination of keys.

    Args:
        seed: Seed of the city.
        stream: What the numbers are for; different streams are independent.
        keys: Integers, or arrays of integers that broadcast together.

    Returns:
        float64 array of the broadcast shape; shape (1,) when all keys are scalars.

    Source: SplitMix64 finaliser (Steele, Lea, Flood 2014), applied once per key.
    """
    state = np.array([(seed * 0x1_0000_0001 + zlib.crc32(stream.encode())) % 2**64], np.uint64)
    for key in keys:
        words = np.asarray(key).astype(np.int64).view(np.uint64)
        state = _mix(state * _STEP + words)
    return (_mix(state) >> np.uint64(11)).astype(np.float64) * _UNIT


def choose(numbers: Floats, shares: ArrayLike) -> Ints:
    """Index of the share that each number in [0, 1) falls into.

    Args:
        numbers: Uniform numbers.
        shares: Positive weights; they need not sum to one.
    """
    bounds = np.cumsum(np.asarray(shares, np.float64))
    return np.searchsorted(bounds / bounds[-1], numbers, side="right").astype(np.int64)


def between(numbers: Floats, low: ArrayLike, high: ArrayLike) -> Ints:
    """Integers in ``low..high``, both included, from uniform numbers."""
    first = np.asarray(low, np.int64)
    return first + np.floor(numbers * (np.asarray(high, np.int64) - first + 1)).astype(np.int64)


def _mix(state: Words) -> Words:
    mixed = (state ^ (state >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))
