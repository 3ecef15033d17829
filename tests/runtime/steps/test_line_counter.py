"""Lines: events, counts and overlays to the last field; ends, hysteresis and anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from edgecnn.runtime.steps.line_counter import LineCounter, parse_line
from edgecnn.types import Detections, Event, Overlay
from tests.runtime.steps.results import EARLIER, LABELS, box, new_events, new_overlays, result


def lines(text: str = "gate:100,100,300,100", **options: Any) -> LineCounter:
    return LineCounter([parse_line(text)], LABELS, **options)


def walk(step: LineCounter, places: Sequence[tuple[float, float]]) -> list[str]:
    events = [event for index, (x, y) in enumerate(places) for event in step(result(box(x, y), index)).events[1:]]
    return [str(event.details["way"]) for event in events]


def test_a_line_gives_whole_events_and_overlays_after_those_before_it() -> None:
    step = lines()
    step(result(box(200, 60, 5, class_id=1), 0))
    crossed = step(result(box(200, 140, 5, class_id=1), 3))
    details = {"line": "gate", "way": "in", "track_id": 5, "label": "car", "frame": 3}
    assert new_events(crossed) == [asdict(Event("line-crossed", 0.3, "door", details))]
    overlay = Overlay("gate", ((100, 100), (300, 100)), False, {"in": {"car": 1}, "out": {}})
    assert new_overlays(crossed) == [asdict(overlay)]
    assert step.counts == {"gate": {"in": {"car": 1}, "out": {}}}


def test_lines_are_counted_apart() -> None:
    step = LineCounter([parse_line("a:100,100,300,100"), parse_line("b:100,110,300,110"), parse_line("c:0,0,1,0")], LABELS)
    step(result(box(200, 60), 0))
    crossed = step(result(box(200, 140), 1))
    assert [event["details"]["line"] for event in new_events(crossed)] == ["a", "b"]  # type: ignore[index]
    assert [overlay["name"] for overlay in new_overlays(crossed)] == ["a", "b", "c"]
    assert step.counts["b"] == {"in": {"person": 1}, "out": {}}


@pytest.mark.parametrize(
    ("x", "ways"),
    [
        pytest.param(100, ["in"], id="at-the-first-end"),
        pytest.param(300, ["in"], id="at-the-second-end"),
        pytest.param(99, [], id="before-the-first-end"),
        pytest.param(301, [], id="beyond-the-second-end"),
    ],
)
def test_the_ends_belong_to_the_line(x: float, ways: list[str]) -> None:
    assert walk(lines(), [(x, 60), (x, 140)]) == ways


def test_a_slanted_way_passes_where_it_meets_the_line() -> None:
    assert walk(lines(), [(50, 60), (250, 140)]) == ["in"]  # it meets the line at 150
    assert walk(lines(), [(10, 80), (250, 180)]) == []  # at 58
    assert walk(lines(), [(290, 80), (390, 180)]) == []  # at 310


def test_a_crossing_counts_beyond_the_hysteresis() -> None:
    """0.05 of 40 pixels: 2 pixels beyond the line are enough, less is not."""
    assert walk(lines(), [(200, 60), (200, 101.9)]) == []
    assert walk(lines(), [(200, 60), (200, 102)]) == ["in"]
    assert walk(lines(hysteresis=0.5), [(200, 60), (200, 119)]) == []
    assert walk(lines(), [(200, 60), (200, 101), (350, 101), (350, 110)]) == ["in"]


def test_on_the_line_is_its_right_side() -> None:
    assert walk(lines(), [(200, 100), (200, 140)]) == []
    assert walk(lines(), [(200, 100), (200, 60)]) == ["out"]


def test_who_turns_back_before_the_hysteresis_was_not_there() -> None:
    assert walk(lines(), [(200, 60), (200, 101), (200, 99), (350, 99), (350, 140)]) == []
    assert walk(lines(), [(200, 60), (200, 101), (200, 90), (350, 90), (350, 140)]) == []


@pytest.mark.parametrize(("anchor", "ways"), [("bottom", ["in"]), ("center", ["in"]), ("top", [])])
def test_the_anchor_is_what_crosses(anchor: str, ways: list[str]) -> None:
    assert walk(lines(anchor=anchor), [(200, 60), (200, 139)]) == ways


def test_each_track_has_its_own_walk() -> None:
    step = lines()
    for index, places in enumerate([((150, 60), (250, 140)), ((150, 140), (250, 60))]):
        both = Detections.merge([box(*places[0]), box(*places[1])])
        step(result(Detections(both.xyxy, both.score, both.class_id, np.array([4, 9])), index))
    assert step.counts["gate"] == {"in": {"person": 1}, "out": {"person": 1}}


def test_boxes_without_identities_cross_nothing() -> None:
    plain = Detections(box(200, 60).xyxy, np.float32([0.9]), np.array([0]))
    assert lines()(result(plain)).events == (EARLIER,)
