"""Shapes: parsing, pixels, areas and anchors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.runtime.steps.line_counter import parse_line
from edgecnn.runtime.steps.shapes import Shape, anchors, area, parse_shape
from edgecnn.runtime.steps.zone_counter import parse_zone


@pytest.mark.parametrize(("where", "y"), [("bottom", 60), ("center", 40), ("top", 20)])
def test_anchors(where: Any, y: float) -> None:
    found = anchors(np.float32([[10, 20, 30, 60], [0, 20, 2, 60]]), where)
    assert found.tolist() == [[20, y], [1, y]]
    assert found.dtype == np.float32
    assert anchors(np.float32([[10, 20, 30, 60]])).tolist() == [[20, 60]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a:1,2,3,4", Shape("a", ((1, 2), (3, 4)), False), id="pixels"),
        pytest.param("a:0,0,1,1", Shape("a", ((0, 0), (1, 1)), True), id="parts"),
        pytest.param("a:10%,20%,300%,40%", Shape("a", ((0.1, 0.2), (3, 0.4)), True), id="percent"),
        pytest.param(" a b :0.5,0,1.5,1", Shape("a b", ((0.5, 0), (1.5, 1)), False), id="above-one-is-pixels"),
        pytest.param("a:-0.5,0,1,1", Shape("a", ((-0.5, 0), (1, 1)), False), id="below-zero-is-pixels"),
    ],
)
def test_shapes_are_read(text: str, expected: Shape) -> None:
    assert parse_shape(text, "line", least=2) == expected


@pytest.mark.parametrize(
    ("least", "most", "text", "said"),
    [
        pytest.param(2, 2, "a:1,2,3,4,5,6", "'a:1,2,3,4,5,6' is no line of 2 points; write NAME:x1,y1,x2,y2", id="exactly"),
        pytest.param(
            3, None, "a:1,2,3,4", "'a:1,2,3,4' is no line of 3 or more points; write NAME:x1,y1,x2,y2,...", id="at-least"
        ),
        pytest.param(2, 3, "a:1,2", "'a:1,2' is no line of 2 to 3 points; write NAME:x1,y1,x2,y2,...", id="between"),
        pytest.param(2, 2, ":1,2,3,4", "the line ':1,2,3,4' has no name; write NAME:x1,y1,x2,y2", id="no-name"),
        pytest.param(
            2, 2, "a:1%,2,3,4", "the line 'a:1%,2,3,4' mixes numbers with and without %; use either for all points", id="mixed"
        ),
    ],
)
def test_errors_of_shapes(least: int, most: int | None, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_shape(text, "line", least=least, most=most)
    assert str(caught.value) == said


def test_a_shape_may_have_no_name() -> None:
    assert parse_shape("1,2,3,4", "region", least=2, named=False) == Shape("", ((1, 2), (3, 4)), False)
    with pytest.raises(InputError, match=r"write x1,y1,x2,y2$"):
        parse_shape("1,2", "region", least=2, most=2, named=False)


def test_pixels_of_shapes() -> None:
    assert Shape("a", ((0.5, 0.25), (1, 1)), True).in_pixels(200, 100) == ((100, 25), (200, 100))
    assert Shape("a", ((0.5, 0.25), (1, 1)), False).in_pixels(200, 100) == ((0.5, 0.25), (1, 1))


def test_area_of_polygons() -> None:
    assert area([(0, 0), (4, 0), (4, 3), (0, 3)]) == 12
    assert area([(0, 0), (0, 3), (4, 0)]) == 6
    assert area([(1, 1), (2, 2), (3, 3)]) == 0


@pytest.mark.parametrize("text", ["a:0,0,10,0,20,0", "a:5,5,5,5,5,5"])
def test_a_zone_without_an_area_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="the zone a has its points in one place or on one line; correct them"):
        parse_zone(text)


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the line a has its points in one place or on one line; correct them$"):
        parse_line("a:5,5,5,5")


def test_a_zone_needs_three_points() -> None:
    with pytest.raises(InputError, match="is no zone of 3 or more points"):
        parse_zone("a:0,0,10,0")
    assert len(parse_zone("a:0,0,10,0,10,10").points) == 3
