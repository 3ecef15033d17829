from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.data.formats.mot import frame_rate
from edgecnn.data.video_frames import VideoFrames
from edgecnn.errors import InputError

Writer = Callable[..., Path]


@pytest.fixture
def write_mot(write_image: Writer) -> Writer:
    """Write a sequence of three images of 40 x 30 with these lines of gt.txt, and give its folder."""

    def write(folder: Path, lines: list[str], frames: int = 3) -> Path:
        for number in range(1, frames + 1):
            write_image(folder / "img1" / f"{number:06d}.png", seed=number)
        (folder / "gt").mkdir(parents=True, exist_ok=True)
        (folder / "gt" / "gt.txt").write_text("\n".join(lines))
        (folder / "seqinfo.ini").write_text("[Sequence]\nname=a\nimDir=img1\nframeRate=25\nseqLength=3\n")
        return folder

    return write


def test_boxes_count_pixels_from_zero_and_keep_identities(tmp_path: Path, write_mot: Writer) -> None:
    dataset = open_dataset(
        write_mot(tmp_path / "a", ["2,7,5,6,10,20,1,-1,-1,-1", "1,7,1,1,4,5,1,-1,-1,-1", "2,9,2,3,4,5,1,-1,-1,-1"])
    )
    assert (dataset.task, dataset.labels, len(dataset), dataset.problems) == ("detect", ("person",), 3, ())
    first, second, third = (sample.boxes for sample in dataset.samples)
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.xyxy.tolist() == [[0, 0, 4, 5]]
    assert second.xyxy.tolist() == [[4, 5, 14, 25], [1, 2, 5, 7]]
    assert second.identity is not None
    assert second.identity.tolist() == [7, 9]
    assert len(third) == 0
    assert {sample.group for sample in dataset.samples} == {"a"}


def test_what_does_not_count_is_crowd(tmp_path: Path, write_mot: Writer) -> None:
    lines = ["1,1,1,1,4,5,1,1,1", "1,2,9,1,4,5,0,1,1", "1,3,9,9,4,5,1,7,1"]
    boxes = open_dataset(write_mot(tmp_path, lines)).samples[0].boxes
    assert boxes is not None
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, True, True]


@pytest.mark.parametrize("column_8", ["12.5", "3", "-7", "0"])
def test_a_position_in_the_world_is_no_class(tmp_path: Path, write_mot: Writer, column_8: str) -> None:
    boxes = open_dataset(write_mot(tmp_path, [f"1,1,1,1,4,5,1,{column_8},8.25,0", "1,2,9,1,4,5,0,3,2,0"])).samples[0].boxes
    assert boxes is not None
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, True]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("\ufeff1,1,2,3,4,5,1,1,0.5", id="byte order mark"),
        pytest.param("1, 1, 2.0, 3.0, 4.0, 5.0, 1, 1, 0.5,", id="spaces, floats, a comma at the end"),
        pytest.param("1.0 1.0 2 3 4 5 1 1 0.5", id="no commas"),
        pytest.param("1,1,2,3,4,5,1,-1,-1,-1,", id="ten columns and a comma at the end"),
    ],
)
def test_a_line_may_be_written_in_several_ways(tmp_path: Path, write_mot: Writer, line: str) -> None:
    dataset = open_dataset(write_mot(tmp_path, [line]))
    boxes = dataset.samples[0].boxes
    assert dataset.problems == ()
    assert boxes is not None
    assert (boxes.xyxy.tolist(), boxes.crowd is not None and boxes.crowd.any()) == ([[1, 2, 5, 7]], False)


def test_a_person_who_leaves_the_picture_is_cut_without_complaint(tmp_path: Path, write_mot: Writer) -> None:
    dataset = open_dataset(write_mot(tmp_path, ["1,1,-9,1,20,50,1,-1,-1,-1"]))
    assert dataset.problems == ()
    assert dataset.samples[0].boxes is not None
    assert dataset.samples[0].boxes.xyxy.tolist() == [[0, 0, 10, 30]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("1,1,2,3", "4 columns instead of", id="too short"),
        pytest.param("1,1,2,x,4,5,1", "not all numbers", id="a word"),
        pytest.param("0,1,2,3,4,5,1", "a frame from 1", id="frame 0"),
        pytest.param("1.5,1,2,3,4,5,1", "no whole numbers", id="half a frame"),
        pytest.param("1,1,2,3,nan,5,1", "no whole numbers|no number|without extent", id="nan"),
        pytest.param("1,1,2,3,0,5,1", "without extent: 0 x 5", id="no width"),
        pytest.param("1,8,90,3,4,5,1", "outside the image of 40x30", id="outside"),
        pytest.param("9,1,2,3,4,5,1", "frame 9, of which there is no picture", id="no picture"),
        pytest.param("1,5,2,3,4,5,1", "identity 5 for a second time in frame 1", id="twice"),
    ],
)
def test_a_bad_line_is_named_and_left_out(tmp_path: Path, write_mot: Writer, line: str, said: str) -> None:
    dataset = open_dataset(write_mot(tmp_path, ["1,5,1,1,4,5,1,-1,-1,-1", "", line]))
    (problem,) = dataset.problems
    assert problem.where == "gt/gt.txt:3"
    assert any(part in problem.what for part in said.split("|"))
    assert [len(sample.boxes or ()) for sample in dataset.samples] == [1, 0, 0]


def test_sequences_of_a_folder_are_groups_and_classes_can_be_renamed(tmp_path: Path, write_mot: Writer) -> None:
    for name in ("a", "b"):
        write_mot(tmp_path / name, ["1,1,1,1,4,5,1,-1,-1,-1"])
    dataset = open_dataset(f"{tmp_path}?rename=person:human&classes=face,human")
    assert [sample.group for sample in dataset.samples] == ["a"] * 3 + ["b"] * 3
    assert dataset.labels == ("face", "human")
    assert dataset.samples[0].boxes is not None
    assert dataset.samples[0].boxes.class_id.tolist() == [1]


def test_a_video_stands_for_the_images(tmp_path: Path, write_mot: Writer) -> None:
    folder = write_mot(tmp_path, ["2,1,1,1,4,5,1,-1,-1,-1", "9,1,1,1,4,5,1,-1,-1,-1"], frames=0)
    _video(folder / "a.avi", 5)
    dataset = open_dataset(folder)
    assert (len(dataset), [one.where for one in dataset.problems]) == (5, ["gt/gt.txt:2"])
    brightness = [int(dataset.samples[index].read().mean()) for index in (4, 0, 2)]
    assert brightness == pytest.approx([160, 0, 80], abs=4)
    assert frame_rate(folder) == 25


def test_a_forked_process_reads_its_own_place_in_the_video(tmp_path: Path) -> None:
    _video(tmp_path / "a.avi", 5)
    frames = VideoFrames(tmp_path / "a.avi")
    before = frames.read(1)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put(int(frames.read(3).mean())), daemon=True)
    child.start()
    child.join(10)
    assert child.exitcode == 0
    assert answers.get() == pytest.approx(120, abs=4)
    assert int(frames.read(2).mean()) == pytest.approx(80, abs=4)
    assert np.array_equal(frames.read(1), before)


def test_what_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(InputError, match="can't be read as one"):
        VideoFrames(tmp_path / "a.mp4")


def test_a_video_obeys_the_limits_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _video(tmp_path / "a.avi", 2)
    assert VideoFrames(tmp_path / "a.avi").size() == (40, 30)
    monkeypatch.setenv("EDGECNN_MAX_IMAGE_PIXELS", "1000")
    with pytest.raises(InputError, match=r"a\.avi: .*1,?200|a\.avi: .*40 ?x ?30"):
        VideoFrames(tmp_path / "a.avi")


@pytest.mark.real_data
def test_tud_campus(real_data: Path) -> None:
    dataset = open_dataset(real_data / "mot15" / "TUD-Campus")
    assert (len(dataset), dataset.problems) == (71, ())
    assert sum(len(sample.boxes or ()) for sample in dataset.samples) == 359


def _video(path: Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (40, 30))
    for number in range(frames):
        writer.write(np.full((30, 40, 3), 40 * number, np.uint8))
    writer.release()


def test_a_sequence_without_pictures_is_named(tmp_path: Path, write_mot: Writer) -> None:
    write_mot(tmp_path / "set" / "a", ["1,1,1,1,4,5,1,-1,-1,-1"])
    write_mot(tmp_path / "set" / "b", ["1,1,1,1,4,5,1,-1,-1,-1", "2,1,1,1,4,5,1,-1,-1,-1"], frames=0)
    dataset = open_dataset(tmp_path / "set")
    assert (len(dataset), [one.where for one in dataset.problems]) == (3, ["b/gt/gt.txt"])
    assert "no images in b/img1 and no video, so 2 boxes are left out" in dataset.problems[0].what
    with pytest.raises(InputError, match="no usable image"):
        open_dataset(tmp_path / "set" / "b")


def test_a_folder_that_seqinfo_names_wrongly_is_img1(tmp_path: Path, write_mot: Writer) -> None:
    folder = write_mot(tmp_path / "a", ["1,1,1,1,4,5,1,-1,-1,-1"])
    (folder / "seqinfo.ini").write_text("\ufeff[Sequence]\nimDir=frames\nframeRate=7\n")
    assert (len(open_dataset(folder)), frame_rate(folder)) == (3, 7)


@pytest.mark.parametrize("line", ["1,1e300,1,1,4,5,1", "1e300,1,1,1,4,5,1"])
def test_numbers_larger_than_any_are_problems(tmp_path: Path, write_mot: Writer, line: str) -> None:
    dataset = open_dataset(write_mot(tmp_path / "a", [line]))
    assert ["no whole numbers" in one.what for one in dataset.problems] == [True]
