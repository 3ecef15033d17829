from __future__ import annotations

import numpy as np
import pytest

from edgecnn.trust.significance import LEAST, holm, paired_test, ratio_interval


@pytest.mark.parametrize(("lost", "gained"), [(8, 1), (5, 5), (12, 0), (0, 3), (1, 0)])
def test_one_thing_in_each_image_is_mcnemars_exact_test(lost: int, gained: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(lost, lost + gained, 0.5).pvalue
    assert paired_test([-1] * lost + [1] * gained + [0] * 20) == pytest.approx(expected)


def test_objects_of_one_image_count_as_one() -> None:
    assert paired_test([-8]) == 1.0
    assert paired_test([-1] * 8) == pytest.approx(2 / 2**8)
    assert paired_test([-3, -2, 1]) == pytest.approx(4 / 8)  # of 8 signs: -6, -4, 4 and 6 are at least as far as -4
    assert paired_test([0, 0]) == 1.0


def test_many_differences_are_judged_by_the_normal_distribution() -> None:
    differences = [-1] * 2150 + [1] * 2000
    exact = paired_test([-1] * 2090 + [1] * 1945)  # below the limit, nearly as far
    assert paired_test(differences) == pytest.approx(0.0207, abs=0.002)
    assert exact == pytest.approx(0.0234, abs=0.002)


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []


def test_an_interval_holds_the_ratio_in_95_of_100_cases() -> None:
    random = np.random.default_rng(4)
    held = 0
    for seed in range(100):
        wholes = random.integers(0, 4, 60)
        parts = random.binomial(wholes, 0.7)
        interval = ratio_interval(parts, wholes, seed, resamples=400)
        assert interval is not None
        held += interval.low <= 0.7 <= interval.high
    assert held >= 88


def test_few_images_give_no_interval_and_a_seed_gives_the_same() -> None:
    assert ratio_interval(np.ones(LEAST - 1), np.ones(LEAST - 1)) is None
    rows = np.arange(20) % 3
    assert ratio_interval(rows, np.ones(20), 5) == ratio_interval(rows, np.ones(20), 5)
