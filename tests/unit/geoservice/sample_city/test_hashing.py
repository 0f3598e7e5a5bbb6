"""Random numbers by identity."""

import numpy as np

from geoservice.sample_city.hashing import between, choose, uniform


def test_numbers_do_not_depend_on_their_company() -> None:
    together = uniform(5, "roads", np.arange(1000))

    assert uniform(5, "roads", 717)[0] == together[717]


def test_numbers_are_even() -> None:
    numbers = uniform(5, "roads", np.arange(50)[:, None], np.arange(1000))

    counts, _ = np.histogram(numbers, bins=20, range=(0.0, 1.0))
    assert numbers.shape == (50, 1000)
    assert abs(counts / counts.mean() - 1.0).max() < 0.08


def test_streams_and_seeds_are_independent() -> None:
    key = np.arange(20_000)
    numbers = [uniform(5, "a", key), uniform(5, "b", key), uniform(6, "a", key)]

    correlation = np.corrcoef(numbers) - np.eye(3)
    assert abs(correlation).max() < 0.03


def test_choices_follow_their_shares() -> None:
    chosen = choose(uniform(1, "choice", np.arange(20_000)), (1, 3))

    assert abs((chosen == 1).mean() - 0.75) < 0.02


def test_integers_reach_both_ends() -> None:
    numbers = between(uniform(1, "dice", np.arange(2_000)), 1, 6)

    assert sorted(set(numbers.tolist())) == [1, 2, 3, 4, 5, 6]
