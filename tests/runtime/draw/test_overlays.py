"""Ways, lines and zones: where they belong, whatever the size of the picture, and readable on any background."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.runtime.draw.captions import caption_box, class_color
from edgecnn.runtime.draw.overlays import LINE, ZONE, caption, caption_place
from edgecnn.runtime.draw.painter import Painter, draw
from edgecnn.types import Detections, Frame, Image, Overlay, Result

NOTHING = Detections.empty()


def plain(height: int, width: int, value: int = 90) -> Image:
    return np.full((height, width, 3), value, np.uint8)


def line(*points: tuple[float, float], name: str = "gate") -> Overlay:
    return Overlay(name, points, False, {"in": {"person": 2, "car": 1}, "out": {}})


def zone(*points: tuple[float, float], name: str = "desk") -> Overlay:
    return Overlay(name, points, True, {"inside": {"person": 4}, "entered": {}, "left": {}})


def test_captions_say_what_was_counted() -> None:
    assert caption(line((0, 0), (1, 1))) == "gate: 3 in, 0 out"
    assert caption(zone((0, 0), (1, 1), (1, 0))) == "desk: 4 inside"


@pytest.mark.parametrize("background", [0, 128, 255])
def test_a_line_stands_out_by_its_colour_or_its_rim(background: int) -> None:
    drawn = draw(plain(480, 640, background), NOTHING, (), overlays=[line((100, 300), (500, 300))])
    across = drawn[290:311, 200].astype(int).mean(axis=1)
    assert across.max() > 240
    assert across.max() - across.min() > 200


def test_a_zone_is_tinted_inside_and_nowhere_else() -> None:
    drawn = draw(plain(480, 640), NOTHING, (), overlays=[zone((200, 200), (400, 200), (400, 400), (200, 400))])
    assert (drawn[300, 300] != 90).any()
    assert (drawn[300, 100] == 90).all()
    assert (drawn[450, 300] == 90).all()


def test_trails_have_a_colour_each_and_belong_to_the_result() -> None:
    trails = {1: np.array([(100, 100), (300, 100)], np.float32), 2: np.array([(100, 200), (300, 200)], np.float32)}
    result = Result(Frame(0, 0.0, plain(480, 640)), NOTHING, {}, 0.0, trails=trails, overlays=(line((100, 300), (500, 300)),))
    drawn = Painter(()).paint(result)
    for track, y in ((1, 100), (2, 200)):
        assert tuple(drawn[y, 290].tolist()) == class_color(track)
    assert tuple(drawn[300, 400].tolist()) == LINE


def test_a_small_picture_is_enlarged_with_its_marks() -> None:
    drawn = draw(plain(120, 160), NOTHING, (), overlays=[zone((40, 40), (120, 40), (120, 100), (40, 100))])
    assert drawn.shape == (240, 320, 3)
    assert drawn[150, 240].tolist() == pytest.approx(ZONE, abs=30)


def test_captions_at_one_place_stand_below_one_another() -> None:
    overlays = [line((100, 200), (300, 200), name=name) for name in ("first", "second", "third")]
    drawn = draw(plain(480, 640), NOTHING, (), overlays=overlays)
    height = caption_box(drawn, caption(overlays[0]), *caption_place(overlays[0]))[3]
    white = (drawn[:, 102] == LINE).all(axis=1)
    assert white.sum() >= 3 * height - 8


@settings(max_examples=60)
@given(
    st.integers(1, 600),
    st.integers(1, 600),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=3, max_size=6),
    st.text(max_size=30),
)
def test_any_mark_can_be_drawn_on_any_picture(height: int, width: int, points: list[tuple[float, float]], name: str) -> None:
    trails = {7: np.array(points, np.float32)}
    overlays = [zone(*points, name=name), line(*points[:2], name=name), line(points[0], points[0], name=name)]
    drawn = draw(plain(height, width), NOTHING, (), trails, overlays)
    factor = drawn.shape[0] // height
    assert drawn.shape == (height * factor, width * factor, 3)
