"""Average precision of many classes at once against the definition, one class, resample and threshold at a time."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.metrics import class_matches as module
from edgecnn.metrics.class_matches import RECALL_LEVELS, ClassMatches, weighted_precision
from edgecnn.types import Array, Int64

IMAGES, LEVELS = 12, 3


def made_up(random: np.random.Generator, detections: int, objects: int) -> ClassMatches:
    """Detections that are right (fewer at higher thresholds), wrong or ignored."""
    luck = random.random(detections)
    right = np.stack([luck < share for share in (0.6, 0.4, 0.4)])
    ignored = random.random((LEVELS, detections)) < 0.2
    return ClassMatches(
        random.integers(0, IMAGES, detections),
        np.sort(random.random(detections))[::-1].astype(np.float32),
        right & ~ignored,
        ~right & ~ignored,
        np.bincount(random.integers(0, IMAGES, objects), minlength=IMAGES),
    )


def by_definition(item: ClassMatches, weight: Int64, level: int) -> float:
    """The mean over the recall levels of the highest precision at that recall or above."""
    objects = int(item.objects @ weight)
    if not objects:
        return float("nan")
    points, hits, named = [], 0, 0
    for image, true, false in zip(item.image, item.true_positive[level], item.false_positive[level], strict=True):
        hits, named = hits + int(weight[image]) * bool(true), named + int(weight[image]) * bool(true or false)
        points.append((hits / objects, hits / max(named, 1)))
    best = [max((precision for recall, precision in points if recall >= least), default=0.0) for least in RECALL_LEVELS]
    return float(np.mean(best))


def weights(random: np.random.Generator, count: int) -> Int64:
    return np.array([np.bincount(random.integers(0, IMAGES, IMAGES), minlength=IMAGES) for _ in range(count)])


@pytest.fixture
def classes() -> list[ClassMatches]:
    """Among them: no detection, no object, nothing right."""
    random = np.random.default_rng(4)
    found = [made_up(random, detections, objects) for detections, objects in ((40, 30), (0, 5), (9, 0), (3, 2), (25, 60))]
    wrong = np.zeros((LEVELS, 6), bool)
    return [*found, ClassMatches(random.integers(0, IMAGES, 6), np.ones(6, np.float32), wrong, ~wrong, found[0].objects)]


def test_all_classes_at_once_give_what_the_definition_gives(classes: list[ClassMatches]) -> None:
    drawn = weights(np.random.default_rng(5), 8)
    expected = [[[by_definition(item, weight, level) for level in range(LEVELS)] for item in classes] for weight in drawn]
    np.testing.assert_allclose(weighted_precision(classes, drawn), np.array(expected), atol=1e-12)


def test_parts_that_fit_the_memory_give_the_same(classes: list[ClassMatches], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = weights(np.random.default_rng(6), 7)
    whole: Array = weighted_precision(classes, drawn)
    monkeypatch.setattr(module, "_TOGETHER", 200)
    np.testing.assert_array_equal(weighted_precision(classes, drawn), whole)


def test_one_class_alone_is_the_same_as_among_others(classes: list[ClassMatches]) -> None:
    drawn = weights(np.random.default_rng(7), 5)
    alone = np.stack([item.precision(drawn) for item in classes], 1)
    np.testing.assert_allclose(weighted_precision(classes, drawn), alone, atol=1e-15)
