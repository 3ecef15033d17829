from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.sources.video import VideoFile
from edgecnn.runtime.steps import Step
from edgecnn.runtime.steps.class_filter import ClassFilter
from edgecnn.runtime.steps.clock import clock_of
from edgecnn.runtime.steps.line_counter import LineCounter, parse_line
from edgecnn.runtime.steps.per_track import PerTrack
from edgecnn.runtime.steps.shapes import anchors, parse_shape
from edgecnn.runtime.steps.smoother import Smoother
from edgecnn.runtime.steps.zone_counter import ZoneCounter, parse_zone
from edgecnn.types import Classes, Detections, Event, Frame, Prediction, Result, Values

LABELS = ("person", "car")
IMAGE = np.zeros((200, 400, 3), np.uint8)


def result(prediction: Prediction, index: int = 0, at: float | None = None) -> Result:
    return Result(Frame(index, index / 10 if at is None else at, IMAGE), prediction, {}, 0.0, camera="door")


def tracked(
    *places: Sequence[float], ids: Sequence[int] | None = None, score: float = 0.9, class_id: int = 0, height: float = 40
) -> Detections:
    """Boxes whose lower edge has its middle at these places."""
    xyxy = np.array([(x - 10, y - height, x + 10, y) for x, y in places], np.float32).reshape(-1, 4)
    n = len(xyxy)
    identity = np.arange(1, n + 1) if ids is None else np.array(ids)
    return Detections(xyxy, np.full(n, score, np.float32), np.full(n, class_id, np.int64), identity.astype(np.int64))


def walk(step: Step, places: Iterable[Sequence[float]], track: int = 1, start: int = 0) -> list[Event]:
    events: list[Event] = []
    for index, place in enumerate(places, start):
        events += step(result(tracked(place, ids=[track]), index)).events
    return events


def ways(events: list[Event]) -> list[str]:
    return [str(event.details["way"]) for event in events]


# ClassFilter


def test_only_keeps_classes_and_scores() -> None:
    found = Detections(np.zeros((3, 4), np.float32), np.array([0.9, 0.2, 0.9], np.float32), np.array([0, 0, 1]))
    kept = ClassFilter(LABELS, ["Person"], 0.5)(result(found)).prediction
    assert isinstance(kept, Detections)
    assert kept.score.tolist() == [pytest.approx(0.9)]


def test_a_tracked_box_stays_in_its_weak_moments_until_a_viewer_says_otherwise() -> None:
    controls = Controls()
    step = ClassFilter(LABELS, None, 0.5, controls)
    weak = result(tracked((10, 50), score=0.2))
    assert len(step(weak).prediction) == 1  # type: ignore[arg-type]
    controls.change(score_threshold=0.5)
    assert len(step(weak).prediction) == 0  # type: ignore[arg-type]


def test_controls_choose_other_classes_while_it_runs_and_take_trails_along() -> None:
    controls = Controls()
    step = ClassFilter(LABELS, ["person"], None, controls)
    seen = Result(Frame(0, 0.0, IMAGE), tracked((10, 50)), {}, 0.0, trails={1: np.zeros((1, 2), np.float32)})
    assert list(step(seen).trails) == [1]
    controls.change(only=frozenset(["car"]))
    assert list(step(seen).trails) == []


def test_an_unknown_class_is_one_line() -> None:
    with pytest.raises(InputError, match=r"--only: the model has no class dog; choose from person, car$"):
        ClassFilter(LABELS, ["person", "dog"])


def test_classes_pass() -> None:
    whole = result(Classes(np.ones(2, np.float32)))
    assert ClassFilter(LABELS, ["car"], 0.9)(whole) is whole


# Smoother


def test_smoothing_takes_jitter_out_of_a_box_that_stands() -> None:
    rng, step = np.random.default_rng(0), Smoother(0.5)
    boxes = [step(result(tracked((100 + rng.normal(0, 3), 100), ids=[1]), n)).prediction for n in range(100)]
    centres = [anchors(box.xyxy)[0, 0] for box in boxes[30:] if isinstance(box, Detections)]
    assert np.std(centres) < 1.5
    assert np.mean(centres) == pytest.approx(100, abs=1)


def test_smoothing_does_not_lag_behind_even_motion() -> None:
    step = Smoother(0.5)
    last = [step(result(tracked((20 + 3 * n, 100), ids=[1]), n)).prediction for n in range(100)][-1]
    assert isinstance(last, Detections)
    assert anchors(last.xyxy)[0, 0] == pytest.approx(20 + 3 * 99, abs=0.5)


def test_the_class_is_a_vote_and_the_score_an_average() -> None:
    step = Smoother(1.0)
    for n in range(5):
        step(result(tracked((100, 100), ids=[1], score=0.8), n))
    found = step(result(tracked((100, 100), ids=[1], class_id=1, score=0.3), 5)).prediction
    assert isinstance(found, Detections)
    assert found.class_id.tolist() == [0]
    assert 0.6 < found.score[0] < 0.8


def test_a_jump_is_followed_at_once() -> None:
    step = Smoother(5.0)
    step(result(tracked((100, 100), ids=[1]), 0))
    found = step(result(tracked((200, 100), ids=[1]), 1)).prediction
    assert isinstance(found, Detections)
    assert anchors(found.xyxy)[0, 0] == 200


@pytest.mark.parametrize("kind", [Classes, Values])
def test_whole_images_are_averaged(kind: type[Classes] | type[Values]) -> None:
    step = Smoother(0.2)
    step(result(kind(np.array([1, 0], np.float32)), 0))
    after = step(result(kind(np.array([0, 1], np.float32)), 1)).prediction
    numbers = after.score if isinstance(after, Classes) else after.value
    assert numbers.tolist() == pytest.approx([np.exp(-0.5), 1 - np.exp(-0.5)], abs=1e-5)


# LineCounter

ACROSS = "gate:100,100,300,100"


def lines(text: str = ACROSS, **options: Any) -> LineCounter:
    return LineCounter([parse_line(text)], LABELS, **options)


@pytest.mark.parametrize(
    ("start", "end", "expected"), [pytest.param(60, 140, ["in"], id="down"), pytest.param(140, 60, ["out"], id="up")]
)
def test_both_directions(start: int, end: int, expected: list[str]) -> None:
    step = lines()
    events = walk(step, [(200, y) for y in np.linspace(start, end, 9)])
    assert ways(events) == expected
    assert events[0].kind == "line-crossed"
    assert events[0].camera == "door"
    assert {key: events[0].details[key] for key in ("line", "track_id", "label")} == {
        "line": "gate",
        "track_id": 1,
        "label": "person",
    }
    assert step.counts["gate"][expected[0]] == {"person": 1}


def test_who_passes_beside_the_line_is_not_counted() -> None:
    assert walk(lines(), [(350, y) for y in range(60, 140, 8)]) == []


def test_who_goes_around_its_end_and_back_through_counts_once() -> None:
    around = [(350, 60), (350, 140), (200, 140), (200, 60)]
    assert ways(walk(lines(), around)) == ["out"]


def test_jitter_on_the_line_counts_once() -> None:
    rng = np.random.default_rng(1)
    jitter = [(200, 100 + rng.uniform(-1.9, 1.9)) for _ in range(200)]
    assert ways(walk(lines(), [(200, 60), *jitter, (200, 140)])) == ["in"]


def test_there_and_back_is_one_of_each_however_often() -> None:
    assert ways(walk(lines(), [(200, 60), (200, 140)] * 4)) == ["in", "out"]


def test_parts_of_the_image_and_percent_are_the_same_line() -> None:
    for text in ("gate:0.25,0.5,0.75,0.5", "gate:25%,50%,75%,50%"):
        step = lines(text)
        assert ways(walk(step, [(200, 60), (200, 140)])) == ["in"]
        (overlay,) = step(result(Detections.empty())).overlays
        assert (overlay.points, overlay.closed, overlay.counts["in"]) == (((100, 100), (300, 100)), False, {"person": 1})


@settings(max_examples=150)
@given(
    st.floats(0, 360),
    st.floats(2, 120),
    st.integers(0, 2**32 - 1),
    st.floats(0.3, 0.7),
    st.booleans(),
)
def test_a_crossing_counts_exactly_once_whatever_the_rate_drops_and_jitter(
    angle: float, stride: float, seed: int, where: float, back: bool
) -> None:
    """A walk of 600 pixels through a line of any direction, with jitter below the hysteresis and a third of the frames dropped."""
    rng = np.random.default_rng(seed)
    turn = np.deg2rad(angle)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    a, b = 1000 - 200 * along, 1000 + 200 * along
    step = lines("gate:" + ",".join(f"{value:.3f}" for value in (*a, *b)))
    middle = a + where * 400 * along
    steps = np.arange(-300, 300 + stride, stride)
    places = [middle + at * across * (-1 if back else 1) + rng.uniform(-0.6, 0.6, 2) for at in steps]
    kept = [places[0], *(place for place in places[1:-1] if rng.random() > 1 / 3), places[-1]]
    assert ways(walk(step, kept)) == ["out" if back else "in"]


# ZoneCounter

SQUARE = "desk:100,50,300,50,300,150,100,150"


def zones() -> ZoneCounter:
    return ZoneCounter([parse_zone(SQUARE)], LABELS)


def test_enter_stay_and_leave() -> None:
    step = zones()
    events = walk(step, [(50, 100), *[(200, 100)] * 10, (350, 100)])
    assert [(event.kind, event.details.get("dwell_s")) for event in events] == [("zone-entered", None), ("zone-left", 1.0)]
    assert step.counts["desk"] == {"inside": {}, "entered": {"person": 1}, "left": {"person": 1}}


def test_who_vanishes_inside_has_left_when_it_was_seen_last() -> None:
    step = zones()
    walk(step, [(200, 100)] * 5)
    assert step.counts["desk"]["inside"] == {"person": 1}
    events = [event for n in range(5, 30) for event in step(result(Detections.empty(), n)).events]
    assert [event.details["dwell_s"] for event in events] == [0.4]


def test_jitter_on_the_edge_is_one_stay() -> None:
    rng = np.random.default_rng(2)
    events = walk(zones(), [(50, 100), *[(100 + rng.normal(0, 0.6), 100) for _ in range(100)], (50, 100)])
    assert [event.kind for event in events] == ["zone-entered", "zone-left"]


def test_who_comes_back_counts_once_but_has_two_stays() -> None:
    step = zones()
    events = walk(step, [(50, 100), (200, 100), (50, 100), (200, 100), (50, 100)])
    assert [event.kind for event in events] == ["zone-entered", "zone-left"] * 2
    assert step.counts["desk"]["entered"] == {"person": 1}


def test_a_file_has_its_own_time() -> None:
    video = VideoFile(Path("a.mp4"))
    video.fps = 5.0
    step = ZoneCounter([parse_zone(SQUARE)], LABELS, clock=clock_of(video))
    events = walk(step, [*[(200, 100)] * 10, (50, 100)])
    assert events[-1].details["dwell_s"] == 2.0


@pytest.mark.parametrize("make", [lines, zones])
def test_a_classifier_crosses_nothing(make: type[LineCounter]) -> None:
    assert make()(result(Classes(np.ones(2, np.float32)))).events == ()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("1,2,3,4", "has no name", id="no name"),
        pytest.param("a:1,2,3", "is no line of 2 points", id="odd"),
        pytest.param("a:1,2,3,4,5,6", "is no line of 2 points", id="three points"),
        pytest.param("a:1,2,x,4", "is no line of 2 points", id="a word"),
        pytest.param("a:nan,2,3,4", "is no line of 2 points", id="nan"),
        pytest.param("a:1,2,1,2", "one place", id="no length"),
        pytest.param("a:10%,2,3%,4", "with and without %", id="mixed"),
    ],
)
def test_a_wrong_line_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_line(text)


def test_a_zone_needs_an_area_and_may_have_a_colon_in_its_name() -> None:
    with pytest.raises(InputError, match="on one line"):
        parse_zone("a:0,0,10,0,20,0")
    assert parse_zone("hall: left:0,0,1,0,1,1").name == "hall: left"
    assert not parse_shape("a:0,0,1,2", "line", least=2).relative


def test_memory_of_tracks_is_bounded() -> None:
    step, memory = lines(), PerTrack(list[int], most=10)
    for track in range(5000):
        memory[track].append(track)
        if track < 100:
            walk(step, [(200, 60), (200, 140)], track=track)
    assert len(memory) == 10
    assert step.counts["gate"]["in"] == {"person": 100}
