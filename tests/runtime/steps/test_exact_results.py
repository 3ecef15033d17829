"""What the steps give to the last field: events, overlays, counts, smoothed boxes, edges of zones and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.steps.class_filter import ClassFilter
from edgecnn.runtime.steps.clock import clock_of
from edgecnn.runtime.steps.line_counter import LineCounter, parse_line
from edgecnn.runtime.steps.per_track import PerTrack
from edgecnn.runtime.steps.shapes import Shape, anchors, area, parse_shape
from edgecnn.runtime.steps.smoother import Smoother
from edgecnn.runtime.steps.zone_counter import ZoneCounter, parse_zone
from edgecnn.types import Classes, Detections, Event, Frame, Overlay, Prediction, Result, Values

LABELS = ("person", "car")
IMAGE = np.zeros((200, 400, 3), np.uint8)
EARLIER = Event("earlier", 0.0, "door", {})
BELOW = Overlay("below", ((0, 0), (1, 1)), False, {})


def result(prediction: Prediction, index: int = 0, at: float | None = None) -> Result:
    frame = Frame(index, index / 10 if at is None else at, IMAGE)
    return Result(frame, prediction, {}, 0.0, camera="door", events=(EARLIER,), overlays=(BELOW,))


def box(x: float, y: float, track: int = 1, *, class_id: int = 0, score: float = 0.9, height: float = 40) -> Detections:
    """One box whose lower edge has its middle at x, y."""
    xyxy = np.float32([[x - 10, y - height, x + 10, y]])
    return Detections(xyxy, np.float32([score]), np.array([class_id]), np.array([track]))


def told(found: Result) -> list[dict[str, object]]:
    """The events behind the one that was there before; events compare by identity."""
    assert found.events[0] is EARLIER
    return [asdict(event) for event in found.events[1:]]


def drawn(found: Result) -> list[dict[str, object]]:
    """The overlays behind the one that was there before."""
    assert found.overlays[0] is BELOW
    return [asdict(overlay) for overlay in found.overlays[1:]]


def detections(found: Result) -> Detections:
    assert isinstance(found.prediction, Detections)
    return found.prediction


# zones: "desk" is 100 to 300 wide and 50 to 150 high


def zones(*texts: str, **options: float) -> ZoneCounter:
    made = [parse_zone(text) for text in texts or ("desk:100,50,300,50,300,150,100,150",)]
    return ZoneCounter(made, LABELS, **options)  # type: ignore[arg-type]


def test_a_zone_gives_whole_events_and_overlays_after_those_before_it() -> None:
    step = zones()
    step(result(box(50, 100, 7), 0))
    inside = step(result(box(200, 100, 7, class_id=1), 1))
    assert told(inside) == [
        asdict(Event("zone-entered", 0.1, "door", {"zone": "desk", "track_id": 7, "label": "car", "frame": 1}))
    ]
    corners = ((100, 50), (300, 50), (300, 150), (100, 150))
    assert drawn(inside) == [asdict(Overlay("desk", corners, True, {"inside": {"car": 1}, "entered": {"car": 1}, "left": {}}))]
    gone = step(result(box(350, 100, 7, class_id=1), 4))
    details = {"zone": "desk", "track_id": 7, "label": "car", "frame": 4, "dwell_s": 0.3}
    assert told(gone) == [asdict(Event("zone-left", 0.4, "door", details))]
    assert gone.overlays[1].counts == {"inside": {}, "entered": {"car": 1}, "left": {"car": 1}}


def test_a_zone_in_parts_of_the_image() -> None:
    step = zones("half:0,0,0.5,0,0.5,1,0,1")
    assert step(result(box(199, 100))).events[1].kind == "zone-entered"
    assert step(result(box(100, 100))).overlays[1].points == ((0, 0), (200, 0), (200, 200), (0, 200))
    assert [event.kind for event in zones("half:0,0,0.5,0,0.5,1,0,1")(result(box(201, 100))).events] == ["earlier"]


def test_on_the_edge_is_inside() -> None:
    assert len(zones()(result(box(100, 100))).events) == 2
    assert len(zones()(result(box(99, 100))).events) == 1


def test_leaving_takes_a_part_of_the_height() -> None:
    """The hysteresis of 0.05 is 2 pixels of a box 40 high."""
    step = zones()
    step(result(box(200, 100), 0))
    assert len(step(result(box(302, 100), 1)).events) == 1
    assert step.counts["desk"]["inside"] == {"person": 1}
    assert step(result(box(303, 100), 2)).events[1].details["dwell_s"] == 0.2
    tall = zones(hysteresis=0.5)
    tall(result(box(200, 100), 0))
    assert len(tall(result(box(319, 100), 1)).events) == 1


def test_patience_with_who_is_not_seen() -> None:
    step = zones()
    step(result(box(200, 100), 0, at=5.0))
    assert len(step(result(Detections.empty(), 1, at=6.0)).events) == 1  # one second is not over
    left = step(result(Detections.empty(), 2, at=6.01)).events[1]
    assert (left.kind, left.at, left.details["dwell_s"]) == ("zone-left", 6.01, 0.0)
    soon = zones(lost_after_s=0.25)
    soon(result(box(200, 100), 0, at=5.0))
    assert len(soon(result(Detections.empty(), 1, at=5.3)).events) == 2


def test_a_label_follows_the_last_look() -> None:
    step = zones()
    step(result(box(200, 100), 0))
    step(result(box(200, 100, class_id=1), 1))
    assert step.counts["desk"] == {"inside": {"car": 1}, "entered": {"person": 1}, "left": {}}
    step(result(box(350, 100), 2))
    assert step.counts["desk"]["left"] == {"person": 1}


def test_two_tracks_and_two_zones_are_apart() -> None:
    step = zones("desk:100,50,300,50,300,150,100,150", "door:0,50,90,50,90,150,0,150")
    both = Detections.merge([box(200, 100, 1), box(50, 100, 2, class_id=1)])
    both = Detections(both.xyxy, both.score, both.class_id, np.array([1, 2]))
    events = step(result(both)).events[1:]
    assert [(event.details["zone"], event.details["track_id"]) for event in events] == [("desk", 1), ("door", 2)]
    assert step.counts["door"]["entered"] == {"car": 1}
    assert step.counts["desk"]["entered"] == {"person": 1}


def test_each_track_counts_once_in_a_zone() -> None:
    step = zones()
    for index, (x, first, second) in enumerate([(200, 4, 9), (350, 4, 9), (200, 4, 9), (350, 4, 9)]):
        both = Detections.merge([box(x, 100), box(x, 110)])
        step(result(Detections(both.xyxy, both.score, both.class_id, np.array([first, second])), index))
    assert step.counts["desk"] == {"inside": {}, "entered": {"person": 2}, "left": {"person": 2}}


def test_the_anchor_of_a_zone() -> None:
    """A box from 110 to 150 with its lower edge inside and its upper edge, too; then one with only the upper edge inside."""
    assert len(told(zones(anchor="top")(result(box(200, 180))))) == 1  # type: ignore[arg-type]
    assert len(told(zones()(result(box(200, 180))))) == 0


def test_dwell_is_rounded_to_milliseconds() -> None:
    step = zones()
    step(result(box(200, 100), 0, at=1.0))
    assert step(result(box(350, 100), 1, at=2.12345)).events[1].details["dwell_s"] == 1.123


# lines


def lines(text: str = "gate:100,100,300,100", **options: object) -> LineCounter:
    return LineCounter([parse_line(text)], LABELS, **options)  # type: ignore[arg-type]


def walk(step: LineCounter, places: Sequence[tuple[float, float]]) -> list[str]:
    events = [event for index, (x, y) in enumerate(places) for event in step(result(box(x, y), index)).events[1:]]
    return [str(event.details["way"]) for event in events]


def test_a_line_gives_whole_events_and_overlays_after_those_before_it() -> None:
    step = lines()
    step(result(box(200, 60, 5, class_id=1), 0))
    crossed = step(result(box(200, 140, 5, class_id=1), 3))
    details = {"line": "gate", "way": "in", "track_id": 5, "label": "car", "frame": 3}
    assert told(crossed) == [asdict(Event("line-crossed", 0.3, "door", details))]
    overlay = Overlay("gate", ((100, 100), (300, 100)), False, {"in": {"car": 1}, "out": {}})
    assert drawn(crossed) == [asdict(overlay)]
    assert step.counts == {"gate": {"in": {"car": 1}, "out": {}}}


def test_lines_are_counted_apart() -> None:
    step = LineCounter([parse_line("a:100,100,300,100"), parse_line("b:100,110,300,110"), parse_line("c:0,0,1,0")], LABELS)
    step(result(box(200, 60), 0))
    crossed = step(result(box(200, 140), 1))
    assert [event["details"]["line"] for event in told(crossed)] == ["a", "b"]  # type: ignore[index]
    assert [overlay["name"] for overlay in drawn(crossed)] == ["a", "b", "c"]
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
    for step in (lines(), zones()):
        assert step(result(plain)).events == (EARLIER,)


# shapes


@pytest.mark.parametrize(("where", "y"), [("bottom", 60), ("center", 40), ("top", 20)])
def test_anchors(where: str, y: float) -> None:
    found = anchors(np.float32([[10, 20, 30, 60], [0, 20, 2, 60]]), where)  # type: ignore[arg-type]
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


# smoothing


def test_the_first_look_is_unchanged_and_the_second_is_between() -> None:
    step = Smoother(0.2)
    first = detections(step(result(box(100, 100, score=0.8), 0)))
    assert first.xyxy.tolist() == [[90, 60, 110, 100]]
    assert first.score.tolist() == [np.float32(0.8)]
    second = detections(step(result(box(104, 100, score=0.4), 1)))
    share = 1 - np.exp(-0.5)
    assert second.xyxy[0, 0] == pytest.approx(90 + 4 * share, abs=1e-4)
    assert second.score[0] == pytest.approx(0.8 - 0.4 * share, abs=1e-6)
    assert second.track_id is not None
    assert second.track_id.tolist() == [1]
    third = detections(step(result(box(104, 100, score=0.4), 2)))
    gain = share**2 / (2 - share)
    expected = 90 + 4 * share + gain * 4
    assert third.xyxy[0, 0] == pytest.approx(expected + share * (94 - expected), abs=1e-4)


def test_without_smoothing_the_newest_counts() -> None:
    step = Smoother(0)
    step(result(box(100, 100), 0))
    assert detections(step(result(box(104, 100), 1))).xyxy[0, 0] == 94
    with pytest.raises(ValueError, match="seconds must be at least 0, not -1"):
        Smoother(-1)


@pytest.mark.parametrize(("x", "y", "at_once"), [(110, 100, False), (111, 100, True), (100, 120, False), (100, 121, True)])
def test_a_jump_is_more_than_half_the_size(x: float, y: float, at_once: bool) -> None:
    """A box 20 wide and 40 high."""
    step = Smoother(5.0)
    step(result(box(100, 100), 0))
    found = detections(step(result(box(x, y), 1)))
    assert (found.xyxy[0].tolist() == [x - 10, y - 40, x + 10, y]) == at_once


def test_the_same_moment_twice_moves_nothing() -> None:
    step = Smoother(0.2)
    step(result(box(100, 100, score=0.8), 0, at=1.0))
    again = detections(step(result(box(104, 100, score=0.4), 1, at=1.0)))
    assert again.xyxy[0, 0] == 90
    assert again.score[0] == np.float32(0.8)


def test_votes_fade() -> None:
    """Each vote weighs less with each look: enough newer ones win."""
    step = Smoother(0.1)
    for index in range(20):
        step(result(box(100, 100), index))
    classes = [detections(step(result(box(100, 100, class_id=1), index))).class_id[0] for index in range(20, 60)]
    assert classes[0] == 0
    assert classes[15] == 1  # before there are as many votes for it
    assert sorted(classes) == classes


def test_tracks_are_smoothed_apart() -> None:
    step = Smoother(5.0)
    step(result(box(100, 100, 1), 0))
    assert detections(step(result(box(300, 100, 2), 1))).xyxy[0, 0] == 290


def test_boxes_without_identities_pass() -> None:
    plain = result(Detections(box(100, 100).xyxy, np.float32([0.9]), np.array([0])))
    assert Smoother()(plain) is plain


def test_whole_images_of_another_length_begin_anew() -> None:
    step = Smoother(5.0)
    step(result(Values(np.float32([1, 2])), 0))
    after = step(result(Values(np.float32([5])), 1)).prediction
    assert isinstance(after, Values)
    assert after.value.tolist() == [5]


def test_an_average_moves_on_from_the_last_look() -> None:
    step, numbers = Smoother(0.2), []
    for index, score in enumerate([0.0, 1.0, 1.0]):
        found = step(result(Classes(np.float32([score])), index)).prediction
        assert isinstance(found, Classes)
        numbers.append(float(found.score[0]))
    assert numbers == pytest.approx([0, 1 - np.exp(-0.5), 1 - np.exp(-1.0)], abs=1e-6)


# filter


def filtered(step: ClassFilter, *scores: float, class_id: int = 0, track_id: np.ndarray | None = None) -> list[float]:
    n = len(scores)
    found = Detections(np.zeros((n, 4), np.float32), np.float32(scores), np.full(n, class_id), track_id)
    return [round(float(score), 3) for score in detections(step(result(found))).score]


def test_a_score_at_the_threshold_is_shown() -> None:
    assert filtered(ClassFilter(LABELS, None, 0.5), 0.5, 0.49) == [0.5]
    assert filtered(ClassFilter(LABELS), 0.5, 0.01) == [0.5, 0.01]
    whole = result(box(100, 100))
    assert ClassFilter(LABELS, ["person"], 0.5)(whole) is whole
    assert filtered(ClassFilter(LABELS, None, 0.5, Controls()), 0.4, track_id=np.array([1])) == [0.4]


def test_controls_outvote_the_threshold_and_leave_it_alone_otherwise() -> None:
    controls = Controls()
    step = ClassFilter(LABELS, ["person"], 0.5, controls)
    assert filtered(step, 0.6, 0.4) == [0.6]
    assert filtered(step, 0.6, class_id=1) == []
    controls.change(score_threshold=0.3)
    assert filtered(step, 0.6, 0.4, 0.2) == [0.6, 0.4]
    controls.change(only=frozenset(["CAR"]))
    assert filtered(step, 0.6) == []
    assert filtered(step, 0.6, class_id=1) == [0.6]


def test_trails_of_boxes_that_stay_stay() -> None:
    two = Detections(np.zeros((2, 4), np.float32), np.float32([0.9, 0.9]), np.array([0, 1]), np.array([3, 4]))
    trails = {3: np.zeros((1, 2), np.float32), 4: np.zeros((1, 2), np.float32), 5: np.zeros((1, 2), np.float32)}
    kept = ClassFilter(LABELS, ["car"])(Result(Frame(0, 0.0, IMAGE), two, {}, 0.0, trails=trails))
    assert list(kept.trails) == [4]
    assert detections(kept).class_id.tolist() == [1]


def test_unknown_classes_are_listed_with_the_first_of_many() -> None:
    names = [f"c{index}" for index in range(13)]
    with pytest.raises(InputError) as caught:
        ClassFilter(names, ["c1", "x", "y"])
    assert str(caught.value) == (f"--only: the model has no class x, y; choose from {', '.join(names[:12])}, ... (13 in all)")
    with pytest.raises(InputError, match=r"c11$"):
        ClassFilter(names[:12], ["x"])


# memory and clock


def test_the_memory_of_tracks_forgets_who_was_asked_for_least_recently() -> None:
    memory = PerTrack(list[int], most=2)
    for track in (1, 2, 1, 3):
        memory[track].append(track)
    assert dict(memory.items()) == {1: [1, 1], 3: [3]}
    memory.drop(1)
    memory.drop(1)
    assert [track for track, _ in memory.items()] == [3]


@pytest.mark.parametrize(
    ("live", "fps", "seconds"),
    [
        pytest.param(True, 10.0, 7.5, id="camera"),
        pytest.param(False, 10.0, 6.0, id="file"),
        pytest.param(False, None, 2.0, id="unknown"),
    ],
)
def test_clocks(live: bool, fps: float | None, seconds: float) -> None:
    class Of:
        """A source as far as clocks look."""

        def __init__(self) -> None:
            self.live, self.fps = live, fps

    assert clock_of(Of())(Frame(60, 7.5, IMAGE)) == seconds
