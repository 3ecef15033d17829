from __future__ import annotations

import numpy as np
import pytest

from edgecnn.trust.attack.smoothing import ABSTAINED, Certificate, certified_accuracy, certify, lower_bound
from edgecnn.types import Image


@pytest.mark.parametrize(("hits", "samples", "alpha"), [(100, 100, 0.001), (99, 100, 0.001), (60, 100, 0.05), (1, 10, 0.01)])
def test_the_bound_is_that_of_clopper_and_pearson(hits: int, samples: int, alpha: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert lower_bound(hits, samples, alpha) == pytest.approx(stats.beta.ppf(alpha, hits, samples - hits + 1), abs=1e-9)


def test_no_hit_bounds_nothing() -> None:
    assert lower_bound(0, 10, 0.001) == 0


def test_the_radius_of_a_linear_classifier_is_below_its_distance_to_the_border() -> None:
    """Of a half space the certificate is tight: the radius is the distance, but for what sampling costs (Cohen et al., section 3)."""
    pixels = np.full((4, 4, 3), 128, np.uint8)
    pixels[0, 0, 0] = 128 + 51  # 0.2 of the range above the border

    def classify(image: Image) -> int:
        return int(image[0, 0, 0] > 128)

    found = certify(classify, pixels, 0.2, 2000, np.random.default_rng(0))
    assert found.label == 1
    assert 0.15 < found.radius < 0.2
    assert found == certify(classify, pixels, 0.2, 2000, np.random.default_rng(0))


def test_what_is_near_the_border_is_not_certified() -> None:
    pixels = np.full((4, 4, 3), 128, np.uint8)
    found = certify(lambda image: int(image[0, 0, 0] > 128), pixels, 0.2, 100, np.random.default_rng(0))
    assert found == Certificate(ABSTAINED, 0.0)


def test_certified_accuracy_counts_right_classes_with_a_large_enough_radius() -> None:
    found = [Certificate(1, 0.3), Certificate(1, 0.1), Certificate(0, 0.5), Certificate(ABSTAINED, 0.0)]
    assert [certified_accuracy(found, [1, 1, 1, 1], radius) for radius in (0.0, 0.2, 0.4)] == [0.5, 0.25, 0.0]
