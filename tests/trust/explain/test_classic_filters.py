from __future__ import annotations

import numpy as np
import pytest

from edgecnn.trust.explain.classic_filters import EDGE, by_chance, classic_filters, nearest

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
RGB = np.ones((3, 1, 1), np.float32)


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (6, 6), (7, 7), (3, 5), (2, 2)])
def test_each_classic_filter_is_nearest_to_itself(size: tuple[int, int]) -> None:
    for one in classic_filters(*size):
        match = nearest(-2 * one.kernel[None])
        assert match is not None
        assert match.correlation == pytest.approx(1, abs=1e-5)
        assert abs((match.kernel * one.kernel).sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("kernel", "angle", "title"),
    [(SOBEL, 0, "vertical edge"), (SOBEL.T, 90, "horizontal edge"), (SOBEL + SOBEL.T, 45, "diagonal edge")],
)
def test_an_edge_has_its_direction(kernel: np.ndarray, angle: float, title: str) -> None:
    match = nearest((kernel * RGB).astype(np.float32))
    assert match is not None
    assert (match.name, match.title, match.near, match.colour) == (EDGE, title, True, "brightness")
    assert match.angle == pytest.approx(angle, abs=1e-3)


@pytest.mark.parametrize(
    ("colours", "words"),
    [
        ((1, 0, 0), "red"),
        ((1, -1, 0), "red against green"),
        ((1, 1, -1), "red and green against blue"),
        ((1, 1, 1), "brightness"),
    ],
)
def test_colours_are_told(colours: tuple[int, ...], words: str) -> None:
    match = nearest((np.array(colours, np.float32).reshape(3, 1, 1) * classic_filters(3, 3)[-1].kernel).astype(np.float32))
    assert match is not None
    assert (match.name, match.colour, match.correlation) == ("single pixel", words, pytest.approx(1))


def test_the_correlation_is_the_best_over_colours_and_sign() -> None:
    learnt = np.random.default_rng(1).normal(size=(3, 3, 3)).astype(np.float32)
    match = nearest(learnt)
    assert match is not None
    colours = np.random.default_rng(2).normal(size=(4000, 3))
    colours /= np.linalg.norm(colours, axis=1, keepdims=True)
    found = np.abs(np.einsum("nc,chw,hw->n", colours, learnt, match.kernel)).max() / np.linalg.norm(learnt)
    assert match.correlation == pytest.approx(found, rel=0.01)
    assert not match.near


def test_random_filters_are_hardly_ever_near_and_one_pixel_has_no_pattern() -> None:
    assert by_chance(3, 3, 3, 200) < 0.05
    assert nearest(np.ones((3, 1, 1), np.float32)) is None
    assert nearest(np.zeros((3, 3, 3), np.float32)) is None
