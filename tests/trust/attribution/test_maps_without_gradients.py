from __future__ import annotations

import numpy as np
import pytest

from edgecnn.trust.attribution.evidence import evidence_in
from edgecnn.trust.attribution.occlusion import occlusion
from edgecnn.trust.attribution.overlay import color_bar, normalized, overlay
from edgecnn.trust.attribution.rise import rise
from edgecnn.trust.attribution.target import Target
from edgecnn.types import Classes, Detections, Float32, Image

BOX = np.array([[8, 20, 20, 30]], np.float32)
WHOLE = (0, 0, 40, 40)


def _image() -> Image:
    """Noise around grey, and a bright patch in ``BOX``."""
    image = np.random.default_rng(0).integers(90, 110, (40, 40, 3)).astype(np.uint8)
    image[20:30, 8:20] = 230
    return image


def _brightness_there(images: Image) -> Float32:
    """A model that looks at the patch only."""
    return np.asarray(images[:, 20:30, 8:20].mean((1, 2, 3)) / 255, np.float32)


def _brightness_elsewhere(images: Image) -> Float32:
    return np.asarray(1 - images[:, :10, 28:].mean((1, 2, 3)) / 255, np.float32)


def test_occlusion_finds_what_the_score_depends_on() -> None:
    found = evidence_in(occlusion(_brightness_there, _image(), patch=0.1, stride=0.05), BOX, WHOLE)
    assert found is not None
    assert found.inside > 0.6
    assert found.pointed
    assert found.area == pytest.approx(12 * 10 / 1600)


def test_an_occluded_pixel_gets_the_mean_fall_of_its_patches() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[0, 0] = 160  # the mean colour is 10

    def corner(images: Image) -> Float32:
        return images[:, 0, 0, 0].astype(np.float32)

    heat = occlusion(corner, image, patch=0.5, stride=0.25)
    assert heat[0, 0] == 150  # one patch covers it
    assert heat[0, 1] == 75  # two patches, one of them covers the corner
    assert heat[3, 3] == 0


def test_rise_finds_what_the_score_depends_on_and_repeats_by_its_seed() -> None:
    heat = rise(_brightness_there, _image(), seed=1, masks=300)
    found = evidence_in(heat, BOX, WHOLE)
    assert found is not None
    assert found.pointed
    assert found.inside > 3 * found.area
    assert np.array_equal(heat, rise(_brightness_there, _image(), seed=1, masks=300))
    assert not np.array_equal(heat, rise(_brightness_there, _image(), seed=2, masks=300))


def test_rise_of_a_constant_score_says_nothing() -> None:
    heat = rise(lambda images: np.full(len(images), 0.7, np.float32), _image(), seed=1, masks=50)
    assert np.abs(heat).max() < 1e-6


def test_evidence_elsewhere_is_not_in_the_box() -> None:
    dark = _image()
    dark[:10, 28:] = 5
    found = evidence_in(occlusion(_brightness_elsewhere, dark), BOX, WHOLE)
    assert found is not None
    assert found.inside == 0
    assert not found.pointed


def test_padding_holds_no_evidence_and_an_empty_map_none() -> None:
    heat = np.zeros((40, 40), np.float32)
    heat[0, 0], heat[25, 10] = 9, 1
    found = evidence_in(heat, BOX, (0, 10, 40, 40))
    assert found is not None
    assert found.inside == 1
    assert evidence_in(-heat, BOX, WHOLE) is None


def test_the_target_of_a_detector_needs_class_and_place() -> None:
    target = Target(1, np.array([0, 0, 10, 10], np.float32))
    boxes = np.array([[0, 0, 10, 5], [0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    found = Detections(boxes, np.array([0.8, 0.9, 1.0], np.float32), np.array([1, 0, 1], np.int64))
    assert target.score(found) == pytest.approx(0.4)  # half overlap of the only box of the class that is near
    assert target.score(Detections.empty()) == 0
    assert Target(1).score(Classes(np.array([0.2, 0.8], np.float32))) == pytest.approx(np.log(4))
    assert np.isfinite(Target(0).score(Classes(np.array([0, 1], np.float32))))


def test_an_overlay_keeps_grey_where_there_is_no_evidence() -> None:
    heat = np.zeros((40, 40), np.float32)
    heat[20:30, 8:20] = 1
    drawn = overlay(_image(), heat, np.empty((0, 4), np.float32))
    assert drawn.shape == (256, 256, 3)
    corner, patch = drawn[10, 250].astype(int), drawn[160, 90].astype(int)
    assert np.ptp(corner) == 0
    assert np.ptp(patch) > 40
    assert normalized(heat).max() == 1
    assert color_bar(3).count("rgb(") == 3
