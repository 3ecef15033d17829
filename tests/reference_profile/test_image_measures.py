"""Light, sharpness, colour and layout of images whose values are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.types import Image


def picture(width: int = 320, height: int = 240) -> Image:
    """Coloured discs on a light ramp."""
    image = np.repeat(np.linspace(60, 160, width, dtype=np.float32)[None], height, 0)[..., None] * np.float32([0.8, 0.9, 1.0])
    image = np.ascontiguousarray(image.astype(np.uint8))
    for index in range(12):
        place = (width * (2 * (index % 4) + 1) // 8, height * (2 * (index // 4) + 1) // 6)
        cv2.circle(image, place, width // 20, (20 * index, 220 - 15 * index, 90), -1)
    return image


def test_a_plain_image_has_its_own_brightness_and_colour() -> None:
    values = measure_image(np.full((40, 60, 3), (50, 100, 150), np.uint8)).values
    assert values["brightness"] == pytest.approx(0.114 * 50 + 0.587 * 100 + 0.299 * 150, abs=1)
    assert values["contrast"] == 0
    assert values["saturation"] == 100
    assert values["warmth"] == pytest.approx(100 * 100 / values["brightness"])
    assert values["tint"] == pytest.approx(0)


def test_blur_lowers_the_sharpness_and_light_does_not() -> None:
    image = picture()
    sharp = measure_image(image).values
    blurred = measure_image(cv2.GaussianBlur(image, (0, 0), 3)).values
    darker = measure_image((image * 0.5).astype(np.uint8)).values
    assert blurred["sharpness"] < sharp["sharpness"] - 1
    assert darker["sharpness"] == pytest.approx(sharp["sharpness"], abs=0.25)
    assert darker["brightness"] == pytest.approx(sharp["brightness"] / 2, abs=1)


def test_another_resolution_gives_nearly_the_same_numbers() -> None:
    large, small = (measure_image(picture(*size)) for size in ((1280, 960), (640, 480)))
    for name, value in large.values.items():
        assert small.values[name] == pytest.approx(value, abs=max(abs(value) * 0.03, 0.3)), name
    assert np.abs(large.layout - small.layout).max() < 0.05
    assert float(large.thumbnail @ small.thumbnail) > 0.99


def test_another_view_has_another_thumbnail_and_layout() -> None:
    image = picture()
    usual, turned = measure_image(image), measure_image(np.ascontiguousarray(image[:, ::-1]))
    assert float(usual.thumbnail @ turned.thumbnail) < 0.5
    assert np.abs(usual.layout - turned.layout).max() > 0.3


def test_a_camera_on_its_side_has_other_edges() -> None:
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    found = {}
    for name, ramp in {"bars": x, "shelves": y, "to the right": x + y, "to the left": x - y}.items():
        gray = ((ramp // 20 % 2) * 180 + 30).astype(np.uint8)
        values = measure_image(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR).astype(np.uint8)).values
        found[name] = values["upright"], values["leaning"]
    assert found["bars"][0] > 0.8
    assert found["shelves"][0] < -0.8
    assert found["to the right"][1] > 0.6
    assert found["to the left"][1] < -0.6


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (900, 3, 3)])
def test_odd_shapes_are_measured(shape: tuple[int, ...]) -> None:
    found = measure_image(np.full(shape, 7, np.uint8))
    assert all(np.isfinite(value) for value in found.values.values())
    assert np.isfinite(found.layout).all()
