"""Drawings: boxes where they belong, captions inside the picture at any size, colours that can be told apart and read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.labels import label_of
from edgecnn.runtime.draw.captions import caption_box, class_color, fit, place_captions, text_color
from edgecnn.runtime.draw.painter import Painter, draw
from edgecnn.tasks.text import value_text
from edgecnn.types import Classes, Detections, Frame, Image, Result, Values

GRAY = 90


def gray(height: int, width: int) -> Image:
    return np.full((height, width, 3), GRAY, np.uint8)


def boxes(*xyxy: tuple[float, float, float, float]) -> Detections:
    count = len(xyxy)
    return Detections(np.array(xyxy, np.float32).reshape(-1, 4), np.full(count, 0.87, np.float32), np.arange(count))


def luminance(color: tuple[int, int, int]) -> float:
    blue, green, red = ((part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4) for part in np.array(color) / 255)
    return float(0.0722 * blue + 0.7152 * green + 0.2126 * red)


def test_the_frame_itself_is_left_alone() -> None:
    image = gray(400, 400)
    draw(image, boxes((10, 10, 50, 50)), ["mug"])
    assert (image == GRAY).all()


def test_a_box_has_the_colour_of_its_class_on_all_four_edges() -> None:
    drawn = draw(gray(400, 400), boxes((50, 100, 300, 350)), ["mug"])
    for x, y in ((50, 200), (300, 200), (200, 350), (290, 100)):
        assert tuple(drawn[y, x].tolist()) == class_color(0)
    assert (drawn[150:300, 100:250] == GRAY).all()


def test_ground_truth_has_a_caption_without_score_or_none() -> None:
    truth = boxes((50, 100, 300, 350))
    truth = Detections(truth.xyxy, np.full(1, np.nan, np.float32), truth.class_id)
    scored = draw(gray(400, 400), boxes((50, 100, 300, 350)), ["mug"])
    named = draw(gray(400, 400), truth, ["mug"])
    bare = draw(gray(400, 400), truth, ["mug"], captions=False)

    def caption_width(drawn: Image) -> int:
        return int((drawn[90:95] != GRAY).any((0, 2)).sum())

    assert caption_width(scored) > caption_width(named) > caption_width(bare) == 0
    assert (bare[110:] == named[110:]).all()


def test_the_caption_stands_above_the_box_where_there_is_room() -> None:
    drawn = draw(gray(400, 400), boxes((50, 100, 300, 350)), ["mug"])
    assert (drawn[88:96, 50] == class_color(0)).all()
    assert (drawn[:70] == GRAY).all()


def overlapping(places: list[tuple[int, int, int, int]]) -> bool:
    return any(
        a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
        for a, b in itertools.combinations(places, 2)
    )


def test_captions_of_near_boxes_do_not_hide_each_other() -> None:
    """A glass on a plate, a cup in front of another, boxes at the upper edge, and one box twice."""
    canvas, text = gray(480, 640), "glass 0.87"
    for corners in (
        [(100, 200, 300, 400), (120, 205, 200, 380), (110, 195, 180, 380)],
        [(0, 0, 90, 60), (5, 2, 80, 50), (10, 4, 85, 55)],
        [(200, 200, 300, 300), (200, 200, 300, 300)],
        [(560, 400, 640, 460), (570, 402, 638, 459)],
    ):
        above = [(left, top) for left, top, *_ in corners]
        assert overlapping([caption_box(canvas, text, *place) for place in above])
        places = place_captions(canvas, [text] * len(corners), corners)
        assert not overlapping([caption_box(canvas, text, *place) for place in places])


def test_a_caption_moves_only_where_it_would_hide_another() -> None:
    corners = [(50, 100, 150, 200), (50, 300, 150, 400), (300, 100, 400, 200)]
    assert place_captions(gray(480, 640), ["mug 0.5"] * 3, corners) == [(50, 100), (50, 300), (300, 100)]
    crowd = [(50, 100, 60, 110)] * 40
    places = place_captions(gray(480, 640), ["mug 0.5"] * 40, crowd)
    assert places[-1] == (50, 100)  # no corner is free: above the box, as usual


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    corner=st.tuples(st.floats(-50, 750), st.floats(-50, 750)),
    label=st.text(max_size=40),
)
def test_any_size_place_and_label_can_be_drawn(height: int, width: int, corner: tuple[float, float], label: str) -> None:
    x, y = corner
    drawn = draw(gray(height, width), boxes((x, y, x + 5, y + 5)), [label])
    assert drawn.shape[0] % height == 0
    assert drawn.shape[1] % width == 0
    assert (drawn != GRAY).any()


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=30), width=st.integers(-5, 300))
def test_text_is_shortened_until_it_fits(text: str, width: int) -> None:
    shown, text_w, *_ = fit(text, 0.5, 1, width)
    assert text_w <= width or shown == ""
    assert shown in (text, "") or (shown.endswith("..") and text.startswith(shown[:-2]))


def test_a_caption_at_the_right_edge_is_moved_into_the_picture() -> None:
    drawn = draw(gray(400, 400), boxes((390, 200, 399, 399)), ["traffic light"])
    colored = np.flatnonzero((drawn[190] == class_color(0)).all(axis=1))
    assert colored.min() < 330  # the whole caption fits left of the edge
    assert colored.max() <= 399


def test_a_small_picture_is_enlarged_so_that_captions_can_be_read() -> None:
    assert draw(gray(28, 28), Classes(np.array([0.9, 0.1], np.float32)), ["a", "b"]).shape == (336, 336, 3)
    assert draw(gray(480, 640), boxes(), []).shape == (480, 640, 3)


def test_no_boxes_change_nothing() -> None:
    assert (draw(gray(400, 500), Detections.empty(), ["mug"]) == GRAY).all()


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_a_classifier_gets_a_panel_and_the_rest_stays_as_it_was(count: int) -> None:
    score = np.linspace(1, 0, count, dtype=np.float32)
    drawn = draw(gray(480, 640), Classes(score), ["sneaker", "boot"])
    assert (drawn[:40, :40] < GRAY).any()
    assert (drawn[240:] == GRAY).all()


def test_the_best_class_has_the_longest_bar() -> None:
    drawn = draw(gray(480, 640), Classes(np.array([0.2, 0.7, 0.1], np.float32)), ["a", "b", "c"])
    length = [int((drawn == class_color(number)).all(axis=2).any(axis=0).sum()) for number in range(3)]
    assert length[1] > length[0] > length[2] > 0


def test_neighbouring_classes_have_colours_that_can_be_told_apart() -> None:
    for first, second in itertools.combinations(range(8), 2):
        distance = np.abs(np.array(class_color(first), int) - class_color(second)).max()
        assert distance >= 60, (first, second)


@pytest.mark.parametrize("class_id", range(30))
def test_text_on_a_class_colour_can_be_read(class_id: int) -> None:
    background, text = luminance(class_color(class_id)), luminance(text_color(class_color(class_id)))
    low, high = sorted([background, text])
    assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2 AA


def test_a_class_without_a_name_is_a_number() -> None:
    assert label_of(["mug"], 0) == "mug"
    assert label_of(["mug"], 7) == "class 7"


def test_sinks_that_share_a_painter_get_the_same_picture() -> None:
    painter = Painter(["mug"])
    first, second = (Result(Frame(n, 0.0, gray(400, 400)), boxes((9, 9, 99, 99)), {}, 0.0) for n in range(2))
    picture = painter.paint(first)
    assert painter.paint(first) is picture
    assert painter.paint(second) is not picture


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(3.14159, "3.142", id="fraction"),
        pytest.param(1200.0, "1200", id="whole"),
        pytest.param(0.5, "0.5000", id="half"),
        pytest.param(0.0, "0", id="nothing"),
        pytest.param(-2.5e-5, "-2.5e-05", id="tiny"),
        pytest.param(123456.7, "1.235e+05", id="huge"),
        pytest.param(float("nan"), "nan", id="not-a-number"),
    ],
)
def test_number_for_people(value: float, text: str) -> None:
    assert value_text(value) == text


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 700), width=st.integers(1, 700), values=st.lists(st.floats(width=32), max_size=12))
def test_values_fit_any_picture(height: int, width: int, values: list[float]) -> None:
    drawn = draw(gray(height, width), Values(np.array(values, np.float32)), ["level of the water in the tank"])
    assert drawn.shape[0] * width == drawn.shape[1] * height
