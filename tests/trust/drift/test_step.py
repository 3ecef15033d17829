"""A camera that is watched: events, status, learning, and the frames that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.frame_choice import FrameChoice, KeptFrame
from edgecnn.reference_profile.collect import ProfileCollector
from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.reference_profile.profile import ReferenceProfile
from edgecnn.trust.drift.frame_place import ALIKE, place_of
from edgecnn.trust.drift.frames_sink import ANNOTATIONS, DriftFramesSink
from edgecnn.trust.drift.step import DriftStep
from edgecnn.trust.drift.watch import DriftWatch
from edgecnn.types import Detections, Event, Frame, Image, Result

FPS = 2


def picture(index: int, light: float = 1.0) -> Image:
    """A table with a disc that wanders, and a grain of its own in each frame."""
    random = np.random.default_rng(index)
    image = np.full((48, 64, 3), (90, 110, 130), np.float32)
    cv2.circle(image, (10 + index % 40, 24), 9, (40, 60, 200), -1)
    image += random.normal(0, 4, image.shape) + random.normal(0, 6)
    return np.asarray(np.clip(image * light, 0, 255), np.uint8)


def boxes(index: int) -> Detections:
    count = 1 + index % 2
    return Detections(
        np.float32([[4, 8, 24, 40], [30, 8, 50, 40]])[:count], np.full(count, 0.8, np.float32), np.zeros(count, np.int64)
    )


def profile() -> ReferenceProfile:
    found = ProfileCollector()
    for index in range(200):
        found.add(picture(10_000 + index), boxes(index))
    return found.profile("training", "tables")


def result(index: int, light: float = 1.0, at: float | None = None) -> Result:
    seconds = index / FPS if at is None else at
    return Result(Frame(index, seconds, picture(index, light)), boxes(index), {}, 0.0, "door")


def events(step: DriftStep, first: int, last: int, light: float = 1.0) -> list[Event]:
    return [event for index in range(first, last) for event in step(result(index, light)).events]


def test_a_night_begins_and_ends() -> None:
    step = DriftStep(DriftWatch(profile()), "200 images")
    assert not events(step, 0, 100)
    assert (step.status().state, step.status().text) == ("normal", "no drift")
    (started, *_) = dark = events(step, 100, 220, 0.1)
    assert [event.kind for event in dark] == ["drift-started", "drift-changed"][: len(dark)]
    assert started.details["frame"] - 100 <= 60 * FPS
    assert started.camera == "door"
    assert "in training" in started.details["text"]
    assert started.details["measures"][0]["deviations"] < 0
    status = step.status()
    assert (status.state, status.episodes) == ("drifted", 1)
    assert status.text.startswith("drift: ")
    assert status.to_json()["findings"][0]["measure"] == status.findings[0]["measure"]
    after = events(step, 220, 340)
    assert [event.kind for event in after].count("drift-ended") == 1
    ended = after[-1]
    assert "back to normal after" in ended.details["text"]
    assert step.status().state == "normal"
    assert 50 <= step.status().drifted_s <= 110


def test_a_camera_that_comes_back_is_the_same_one() -> None:
    """Frames of a lost camera are missing; neither the drift nor what is known of it is forgotten."""
    step = DriftStep(DriftWatch(profile()), "200 images")
    assert next(event.kind for event in events(step, 0, 100, 0.1)) == "drift-started"
    later = [event for index in range(100, 160) for event in step(result(index, 0.1, at=5000 + index / FPS)).events]
    assert not [event for event in later if event.kind != "drift-changed"]
    assert step.status().state == "drifted"


def test_frames_between_the_measured_ones_cost_nothing_and_pass_unchanged() -> None:
    step = DriftStep(DriftWatch(profile()), "200 images")
    measured = [step.watch.due(index / 30) and step(result(index, at=index / 30)) is not None for index in range(300)]
    assert 19 <= sum(measured) <= 21
    one = result(0, at=9.9)
    assert step(one) is one


def test_a_profile_is_learnt_and_then_used() -> None:
    kept: list[ReferenceProfile] = []

    def keep(found: ReferenceProfile) -> str:
        kept.append(found)
        return ", kept"

    step = DriftStep(DriftWatch(None, learn_s=120, camera="door"), "the first 120 s", learnt=keep)
    events(step, 0, 100)
    assert (step.status().state, step.status().text) == ("learning", "drift: learning what is usual, 41% done")
    (learnt,) = events(step, 100, 260)
    assert (learnt.kind, learnt.details["text"]) == ("drift-learnt", "the reference profile is learnt, kept")
    assert kept[0].source == "stream"
    assert kept[0].thumbnail.size
    assert 1 <= kept[0].independent < kept[0].images
    assert not events(step, 260, 400)
    assert events(step, 400, 500, 0.1)[0].kind == "drift-started"


def test_frames_of_a_drift_are_kept_as_a_dataset(tmp_path: Path) -> None:
    step = DriftStep(DriftWatch(profile()), "200 images")
    step.keeps_evidence = True
    sink = DriftFramesSink(tmp_path / "odd", step, ("disc",), most=3, most_bytes=10**6)
    for index in range(60):
        sink.write(step(result(index)))
    assert not list((tmp_path / "odd").iterdir())
    for index in range(60, 260):
        sink.write(step(result(index, 0.1 + index % 7 / 40)))
    sink.close()
    dataset = open_dataset(tmp_path / "odd")
    assert (len(dataset), dataset.labels, dataset.problems) == (3, ("disc",), ())
    document = json.loads((tmp_path / "odd" / ANNOTATIONS).read_text())
    assert {image["file_name"] for image in document["images"]} == {path.name for path in (tmp_path / "odd").glob("*.jpg")}
    assert document["images"][-1]["drift"][0]["measure"]
    assert all(box["score"] == 0.8 for box in document["annotations"])
    # the next run compares with the earlier frames
    again = DriftFramesSink(tmp_path / "odd", step, ("disc",), most=3, most_bytes=10**6)
    for index in range(260, 300):
        again.write(step(result(index, 0.1 + index % 7 / 40)))
    frames = [image["frame"] for image in json.loads((tmp_path / "odd" / ANNOTATIONS).read_text())["images"]]
    assert len(frames) == 3
    assert max(frames) >= 260


def kept(folder: Path) -> list[str]:
    document = json.loads((folder / ANNOTATIONS).read_text())
    names = [image["file_name"] for image in document["images"]]
    assert set(names) == {path.name for path in folder.glob("*.jpg")}
    return names


def sink_with_frames(folder: Path, most: int = 4) -> tuple[DriftStep, DriftFramesSink]:
    """A sink that keeps ``most`` frames of a night."""
    step = DriftStep(DriftWatch(profile()), "200 images")
    step.keeps_evidence = True
    sink = DriftFramesSink(folder, step, ("disc",), most=most, most_bytes=10**6)
    for index in range(200):
        sink.write(step(result(index, 0.1 + index % 7 / 40)))
    assert len(kept(folder)) == most
    return step, sink


def test_a_frame_is_named_by_its_time_its_number_and_what_is_odd(tmp_path: Path) -> None:
    sink_with_frames(tmp_path)
    document = json.loads((tmp_path / ANNOTATIONS).read_text())
    for image in document["images"]:
        stamp, number, measure = image["file_name"].removesuffix(".jpg").split("_")
        assert stamp.endswith("Z")
        assert int(number) == image["frame"]
        assert measure == image["drift"][0]["measure"].replace(" ", "-")
        assert abs(image["positions"]["brightness"]) > 3


def test_frames_that_are_normal_again_are_not_kept(tmp_path: Path) -> None:
    """A drift ends after half a minute inside; what is seen in that time is not odd."""
    step, sink = sink_with_frames(tmp_path)
    before = kept(tmp_path)
    for index in range(200, 300):
        sink.write(step(result(index)))
    assert step.status().state == "normal"
    assert len(set(kept(tmp_path)) - set(before)) <= 1  # one is darker than most


def test_a_full_disk_leaves_the_dataset_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, sink = sink_with_frames(tmp_path)
    before = kept(tmp_path)

    def full(path: Path, content: str | bytes) -> None:
        if path.name == ANNOTATIONS:
            raise InputError("can't write: no space left on device", "delete files")
        write_file(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("edgecnn.trust.drift.frames_sink.write_file", full)
        failed = 0
        for index in range(200, 260):
            try:
                sink.write(step(result(index, 0.3 + index % 5 / 20)))
            except InputError:
                failed += 1
    assert failed
    assert kept(tmp_path) == before
    for index in range(260, 300):
        sink.write(step(result(index, 0.3 + index % 5 / 20)))
    assert kept(tmp_path) != before
    assert len(kept(tmp_path)) == len(before)


def test_frames_of_an_earlier_run_stay_where_they_show_something_else(tmp_path: Path) -> None:
    step, _ = sink_with_frames(tmp_path)
    before = kept(tmp_path)
    (tmp_path / before[0]).unlink()  # labelled and taken away
    step = DriftStep(DriftWatch(profile()), "200 images")
    step.keeps_evidence = True
    again = DriftFramesSink(tmp_path, step, ("disc",), most=4, most_bytes=10**6)
    for index in range(60):  # all alike
        again.write(step(Result(Frame(index, index / FPS, picture(7, 0.05)), boxes(0), {}, 0.0, "door")))
    after = kept(tmp_path)
    assert before[0] not in after
    assert len(after) == 4
    assert len(set(after) & set(before)) == 3


def test_dark_frames_that_differ_by_noise_look_alike() -> None:
    random = np.random.default_rng(0)
    black = [measure_image(random.integers(0, 6, (240, 320, 3)).astype(np.uint8)) for _ in range(2)]
    places = [place_of(one.thumbnail, one.values["contrast"], {"brightness": -8.0}) for one in black]
    assert not FrameChoice(9, 10**6, [KeptFrame("a", 0, places[0], 10)], alike=ALIKE).wants(9, places[1])
    lit = [
        measure_image(cv2.circle(np.full((48, 64, 3), 20, np.uint8), (x, 24), 9, (220, 220, 220), -1).astype(np.uint8))
        for x in (12, 40)
    ]
    places = [place_of(one.thumbnail, one.values["contrast"], {"brightness": -8.0}) for one in lit]
    assert FrameChoice(9, 10**6, [KeptFrame("a", 0, places[0], 10)], alike=ALIKE).wants(9, places[1])


def test_the_folder_of_another_program_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ANNOTATIONS).write_text('{"info": {"description": "mine"}, "images": []}')
    with pytest.raises(InputError, match="is not one of edgecnn run"):
        DriftFramesSink(tmp_path, DriftStep(DriftWatch(profile()), ""), ("disc",), most=3, most_bytes=10**6)
    assert "mine" in (tmp_path / ANNOTATIONS).read_text()


def test_the_older_of_two_frames_that_look_alike_makes_room() -> None:
    choice = FrameChoice(2, 10**6)
    first, second, third = np.float32([0, 0]), np.float32([5, 5]), np.float32([0, 1])
    assert choice.add(KeptFrame("a", 0, first, 10)) == []
    assert not choice.wants(1, second)  # too soon
    assert choice.wants(3, second)
    assert choice.add(KeptFrame("b", 3, second, 10)) == []
    assert not choice.wants(6, first)  # nothing new
    assert choice.wants(700, first)
    assert choice.add(KeptFrame("c", 6, third, 10)) == ["a"]
    assert FrameChoice(9, 25).add(KeptFrame("a", 0, first, 30)) == []
