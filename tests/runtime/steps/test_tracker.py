from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("lap")

from edgecnn.data import open_dataset
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.steps.line_counter import LineCounter, parse_line
from edgecnn.runtime.steps.tracker import Tracker
from edgecnn.runtime.tracking import TrackOptions
from edgecnn.scene import Scene, parse_scene
from edgecnn.types import Classes, Detections, Frame, Result

IMAGE = np.zeros((480, 640, 3), np.uint8)


def seen(found: Detections, index: int, image: np.ndarray = IMAGE) -> Result:
    return Result(Frame(index, index / 30, image), found, {}, 0.0)


def box(x: float, y: float, width: float = 60, height: float = 120, score: float = 0.9) -> Detections:
    xyxy = np.array([[x - width / 2, y - height, x + width / 2, y]], np.float32)
    return Detections(xyxy, np.array([score], np.float32), np.zeros(1, np.int64))


def test_a_trail_has_the_last_places_and_ends_with_its_track() -> None:
    step = Tracker(trail=5)
    last = [step(seen(box(100 + 4 * n, 300), n)) for n in range(9)][-1]
    assert last.trails[1].shape == (5, 2)
    np.testing.assert_allclose(last.trails[1][-1], (132, 300))
    for n in range(9, 80):  # longer than the 2 s that a track survives
        last = step(seen(Detections.empty(), n))
    assert last.trails == {}
    assert step._places == {}


def test_a_picture_of_another_size_begins_anew() -> None:
    step = Tracker()
    for n in range(3):
        step(seen(box(100, 300), n))
    after = step(seen(box(100, 300), 3, np.zeros((960, 1280, 3), np.uint8))).prediction
    assert isinstance(after, Detections)
    assert after.track_id is not None
    assert after.track_id.tolist() == [2]


def test_classes_pass() -> None:
    whole = seen(Classes(np.ones(2, np.float32)), 0)  # type: ignore[arg-type]
    assert Tracker()(whole) is whole


@settings(max_examples=25)
@given(st.floats(60, 400), st.integers(1, 5), st.floats(0, 0.5), st.integers(0, 2**32 - 1))
def test_one_who_crosses_is_counted_exactly_once(speed: float, every: int, lost: float, seed: int) -> None:
    """Detected with jitter and changing scores by a camera of 30 frames a second, of which each N-th is looked at and some are dropped.

    Between two looks it moves less than half its width; faster than that, overlap can't tell who is who.
    """
    rng = np.random.default_rng(seed)
    track, line = Tracker(), LineCounter([parse_line("gate:0.5,0,0.5,1")], ("person",))
    index, ways = 0, []
    stride = every if speed * every / 30 <= 30 else 1
    while (x := 40 + speed * index / 30) < 600:
        found = box(x + rng.normal(0, 0.8), 400 + rng.normal(0, 0.8), score=rng.uniform(0.62, 0.95))
        ways += [event.details["way"] for event in line(track(seen(found, index))).events]
        index += stride
        while rng.random() < lost and speed * (index + stride) / 30 - (x - 40) < 30:
            index += stride
    assert ways == ["out"]
    assert line.counts["gate"]["out"] == {"person": 1}


@pytest.mark.parametrize("every", [1, 3])
def test_cups_of_the_scene_keep_their_identities(every: int) -> None:
    """True boxes of one cut: a thing that is seen has one identity; after more than a second of hiding it may have another."""
    scene, step = Scene(parse_scene("scene:cups?seed=5&cut=20")), Tracker()
    names: dict[int, set[int]] = {}
    for index in range(0, 120, every):
        image, truth = scene.render(index)
        shown = truth.boxes.pick(~truth.boxes.crowd) if truth.boxes.crowd is not None else truth.boxes
        found = Detections(shown.xyxy, np.full(len(shown), 0.9, np.float32), shown.class_id)
        tracked = step(seen(found, index, image)).prediction
        assert isinstance(tracked, Detections)
        assert tracked.track_id is not None
        assert shown.identity is not None
        for xyxy, track in zip(tracked.xyxy, tracked.track_id, strict=True):
            (own,) = np.flatnonzero((shown.xyxy == xyxy).all(axis=1))
            names.setdefault(int(track), set()).add(int(shown.identity[own]))
    assert all(len(owners) == 1 for owners in names.values())
    assert len(names) <= 1.5 * len(set.union(*names.values()))


@pytest.mark.real_data
def test_people_on_a_real_street_are_counted_as_by_hand(real_data: Path) -> None:
    """The line in the middle of TUD-Campus: what a detector and tracking count is what the identities of the truth give."""
    dataset = open_dataset(real_data / "mot15" / "TUD-Campus")
    model = real_data / "models" / "yolox_nano_kazuhito" / "model" / "yolox_nano.onnx"
    line = "gate:0.5,0,0.5,1"
    true, ours = LineCounter([parse_line(line)], ("person",)), LineCounter([parse_line(line)], ("person",))
    track = Tracker(TrackOptions(high=0.5, new=0.6), clock=lambda frame: frame.index / 25)
    with Predictor(model, options=CardOptions(score_threshold=0.1)) as predictor:
        person = predictor.card.labels.index("person")
        for index, sample in enumerate(dataset.samples):
            image, boxes = sample.read(), sample.boxes
            assert boxes is not None
            true(seen(Detections(boxes.xyxy, np.ones(len(boxes), np.float32), boxes.class_id, boxes.identity), index, image))
            found = predictor(image)
            assert isinstance(found, Detections)
            ours(track(seen(found[found.class_id == person], index, image)))
    assert true.counts["gate"] == {"in": {"person": 1}, "out": {"person": 4}}
    assert ours.counts == true.counts
