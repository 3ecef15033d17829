from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.data import Dataset, open_dataset
from edgecnn.data.check.dataset import check_dataset
from edgecnn.data.convert import ConvertConfig, Converted, convert, result_text
from edgecnn.data.ensemble import Trust
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.data.relabel import to_classes
from edgecnn.errors import InputError
from edgecnn.types import Array, Boxes, Detections, Image

SIZES = ((120, 80), (60, 90), (32, 32))  # width, height


def write_yolo(folder: Path, names: str = "cat\ndog\n", seed: int = 0) -> Path:
    """Three images of noise with two boxes each: class 0 and class 1."""
    random = np.random.default_rng(seed)
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for index, (width, height) in enumerate(SIZES):
        image = random.integers(0, 255, (height, width, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"images/clip{index}_a.png"), image)
        (folder / f"labels/clip{index}_a.txt").write_text("0 .5 .5 .5 .25\n1 .3 .3 .2 .3\n")
    (folder / "classes.txt").write_text(names)
    return folder


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "animals")


def converted(out: Path, *data: object, teachers: list[PseudoLabeler] | None = None, **more: Any) -> Converted:
    return convert(ConvertConfig(tuple(map(str, data)), out, **more), teachers or [])


def boxes_of(dataset: Dataset, index: int) -> Boxes:
    boxes = dataset.samples[index].boxes
    assert boxes is not None
    return boxes


def finds(*rows: tuple[float, float, float, float]) -> PseudoLabeler:
    """A teacher that finds a bird at each of ``rows``, with the scores 0.9, 0.3, 0.3, ..."""
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    score = np.where(np.arange(len(rows)) == 0, 0.9, 0.3).astype(np.float32)

    def predict(image: Image) -> Detections:
        return Detections(xyxy, score, np.zeros(len(rows), np.int64))

    return PseudoLabeler(predict, ("bird",), "birds.onnx", "abc")


def test_it_reads_back_to_equal_boxes(animals: Path, tmp_path: Path) -> None:
    converted(tmp_path / "out", animals)
    before, after = open_dataset(animals), open_dataset(tmp_path / "out")
    assert after.labels == ("cat", "dog")
    assert after.problems == ()
    for index in range(len(SIZES)):
        one, other = boxes_of(before, index), boxes_of(after, index)
        assert one.class_id.tolist() == other.class_id.tolist()
        assert np.allclose(one.xyxy, other.xyxy, atol=0.011)
        assert before.samples[index].read().shape == after.samples[index].read().shape


def test_images_are_scaled_down_but_never_up(animals: Path, tmp_path: Path) -> None:
    converted(tmp_path / "out", animals, max_side=60)
    before, after = open_dataset(animals), open_dataset(tmp_path / "out")
    sizes = [after.samples[index].read().shape[1::-1] for index in range(3)]
    assert sizes == [(60, 40), (40, 60), (32, 32)]
    for index, (old, new) in enumerate(zip(SIZES, sizes, strict=True)):
        scale = np.tile(np.array(new) / np.array(old), 2)
        assert np.allclose(boxes_of(before, index).xyxy * scale, boxes_of(after, index).xyxy, atol=0.02)


def test_ignored_boxes_and_areas_are_kept(animals: Path, tmp_path: Path) -> None:
    record = {
        "images": [{"id": 7, "file_name": "clip0_a.png", "width": 120, "height": 80}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40], "area": 600, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [50, 20, 30, 40], "area": 600, "iscrowd": 1},
        ],
        "categories": [{"id": 3, "name": "cat"}],
    }
    (animals / "images/instances.json").write_text(json.dumps(record))
    made = converted(tmp_path / "out", animals / "images/instances.json", max_side=60)
    boxes = boxes_of(open_dataset(tmp_path / "out"), 0)
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, True]
    assert boxes.area is not None
    assert boxes.area.tolist() == [150, 150]
    assert made.sources[0]["boxes"] == {"cat": 1}
    assert made.sources[0]["ignored"] == {"cat": 1}


def test_classes_that_one_dataset_lacks_stay_unlabelled_there(animals: Path, tmp_path: Path) -> None:
    birds = write_yolo(tmp_path / "birds", "bird\ntree\n", seed=1)
    made = converted(tmp_path / "out", animals, birds, classes=("bird", "cat"))
    dataset = open_dataset(tmp_path / "out")
    assert dataset.unlabelled == frozenset()
    assert [sample.unlabelled for sample in dataset.samples] == [{0}] * 3 + [{1}] * 3
    assert [source["unlabelled"] for source in made.sources] == [["bird"], ["cat"]]
    assert to_classes(dataset, ("cat", "bird")).samples[0].unlabelled == {1}
    alone = converted(tmp_path / "alone", animals, classes=("bird", "cat"))
    assert open_dataset(tmp_path / "alone").unlabelled == {0}
    assert alone.record["images"][0]["not_exhaustive_category_ids"] == [1]


def test_pseudo_labels_fill_what_is_not_labelled_and_are_counted(animals: Path, tmp_path: Path) -> None:
    teacher = finds((1, 1, 21, 21), (20, 20, 30, 30))
    made = converted(tmp_path / "out", animals, classes=("cat", "bird"), teachers=[teacher], max_side=60)
    boxes = boxes_of(open_dataset(tmp_path / "out"), 0)
    assert boxes.class_id.tolist() == [0, 1, 1]
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, False, True]
    assert np.allclose(boxes.xyxy[1], [0.5, 0.5, 10.5, 10.5])  # the teacher saw the image before it was scaled
    source = made.sources[0]
    assert (source["boxes"], source["pseudo"]["boxes"], source["pseudo"]["ignored"]) == ({"cat": 3}, {"bird": 3}, {"bird": 3})
    assert result_text(made) == ["animals: 3 images; labelled cat 3; by teachers bird 3 (3 ignored)"]


def test_predictions_are_kept_in_the_cache(animals: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def predict(image: Image) -> Detections:
        asked.append(1)
        return Detections.empty()

    teacher = PseudoLabeler(predict, ("bird",), "birds.onnx", "abc", trust=Trust())
    for name in ("one", "two"):
        converted(tmp_path / name, animals, classes=("cat", "bird"), teachers=[teacher], cache=tmp_path / "cache")
    assert len(asked) == 3
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["0-animals-birds.json"]


def test_the_sources_are_noted_with_their_licences(animals: Path, tmp_path: Path) -> None:
    (animals / "LICENSE").write_text("CC BY 4.0")
    (animals / "README.SOURCE.txt").write_text("from there")
    (animals / "readme.png.exe").write_bytes(b"x")
    converted(tmp_path / "out", f"{animals}?rename=dog:cat")
    [source] = json.loads((tmp_path / "out/SOURCES.json").read_text())
    assert source["dataset"] == "animals?rename=dog:cat"
    assert source["licence_files"] == ["licences/animals/LICENSE", "licences/animals/README.SOURCE.txt"]
    assert (tmp_path / "out/licences/animals/LICENSE").read_text() == "CC BY 4.0"
    assert open_dataset(tmp_path / "out").sources[0]["boxes"] == {"cat": 6}


def test_bad_images_and_copies_are_left_out(animals: Path, tmp_path: Path) -> None:
    (animals / "images/clip2_b.png").write_bytes((animals / "images/clip2_a.png").read_bytes())
    damaged = (animals / "images/clip1_a.png").read_bytes()
    (animals / "images/clip1_a.png").write_bytes(damaged[:60] + bytes(200) + damaged[260:])
    made = converted(tmp_path / "out", animals)
    assert [problem.where for problem in made.problems] == ["images/clip1_a.png", "images/clip2_b.png"]
    assert "the same pixels" in made.problems[1].what
    assert made.sources[0]["left_out"] == 2
    assert len(open_dataset(tmp_path / "out")) == 2
    assert not check_dataset(tmp_path / "out").faults()


def test_what_looks_like_an_image_to_evaluate_on_is_left_out(animals: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    ramp = np.tile(np.linspace(0, 255, 90, dtype=np.uint8)[None, :, None], (60, 1, 3)).copy()
    ramp[10:30, 20:50] = 200
    cv2.imwrite(str(animals / "images/clip1_a.png"), ramp)
    cv2.imwrite(str(held / "other.jpg"), cv2.resize(ramp, (180, 120)))
    made = converted(tmp_path / "out", animals, apart_from=(str(held),))
    assert [(problem.where, problem.what) for problem in made.problems] == [
        ("images/clip1_a.png", "looks the same as other.jpg of held; left out")
    ]
    assert [image["file_name"] for image in made.record["images"]] == ["clip0_a.jpg", "clip2_a.jpg"]


def test_file_names_keep_their_stem_and_are_used_once(animals: Path, tmp_path: Path) -> None:
    others = [write_yolo(tmp_path / f"more{seed}", seed=seed) for seed in (1, 2)]
    made = converted(tmp_path / "out", animals, *others)
    names = [image["file_name"] for image in made.record["images"]]
    assert names[::3] == ["clip0_a.jpg", "clip0_a-2.jpg", "clip0_a-3.jpg"]
    assert len(list((tmp_path / "out/images").iterdir())) == len(set(names)) == 9
    assert open_dataset(f"{tmp_path / 'out'}?group=^([^_]+)_").samples[3].group == "clip0"


@pytest.mark.parametrize(("image_format", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_quality_decides_the_size_of_the_files(animals: Path, tmp_path: Path, image_format: str, suffix: str) -> None:
    sizes = []
    for quality in (30, 95):
        out = tmp_path / f"out{quality}"
        converted(out, animals, image_format=image_format, quality=quality)
        sizes.append((out / f"images/clip0_a{suffix}").stat().st_size)
    assert sizes[0] < sizes[1] / 2


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(12):
        frame: Array = np.full((48, 64, 3), 20 * number, np.uint8)
        writer.write(frame)
    writer.release()
    return path


def test_frames_of_a_video_are_images_without_labels(video: Path, tmp_path: Path) -> None:
    made = converted(tmp_path / "out", f"{video}?every=5", classes=("bird", "cat"), teachers=[finds((1, 1, 9, 9))])
    dataset = open_dataset(tmp_path / "out")
    assert [image["file_name"] for image in made.record["images"]] == ["walk-00.jpg", "walk-05.jpg", "walk-10.jpg"]
    assert [round(float(sample.read().mean()) / 20) for sample in dataset.samples] == [0, 5, 10]
    assert dataset.unlabelled == {1}
    assert boxes_of(dataset, 2).class_id.tolist() == [0]


def test_a_scene_can_be_written(tmp_path: Path) -> None:
    made = converted(tmp_path / "out", "scene:cups?seed=3&count=2&size=160x120", max_side=80)
    before, after = open_dataset("scene:cups?seed=3&count=2&size=160x120"), open_dataset(tmp_path / "out")
    assert len(boxes_of(before, 0)) == len(boxes_of(after, 0)) > 0
    assert "licence_files" not in made.sources[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"quality": 0}, "--quality 0 is not in 1..100", id="quality"),
        pytest.param({"max_side": 0}, "--max-side 0 is not above 0", id="side"),
        pytest.param({"image_format": "gif"}, "gif is not a format of images to write; use one of jpeg, webp", id="format"),
        pytest.param({"data": ()}, "there is no dataset to convert; name at least one", id="nothing"),
    ],
)
def test_options_out_of_range_are_refused(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        ConvertConfig(**{"data": ("x",), "out": tmp_path / "out", **more})


def test_a_folder_that_holds_something_is_not_touched(animals: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it holds something already; name a new folder"):
        converted(animals, animals)
    (tmp_path / "empty").mkdir()
    converted(tmp_path / "empty", animals)
    assert len(open_dataset(tmp_path / "empty")) == 3


def test_after_an_error_nothing_is_left(animals: Path, tmp_path: Path) -> None:
    other = write_yolo(tmp_path / "other", "tree\nhouse\n", seed=1)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"other has the classes tree, house, but animals cat, dog; map them .* --classes"):
        converted(tmp_path / "out", animals, other)

    def broken(image: Image) -> Detections:
        raise InputError("no", "yes")

    teacher = PseudoLabeler(broken, ("bird",), "birds.onnx")
    with pytest.raises(InputError, match="no; yes"):
        converted(tmp_path / "out", animals, classes=("cat", "bird"), teachers=[teacher])
    assert sorted(tmp_path.iterdir()) == before


def test_other_kinds_of_datasets_are_refused(animals: Path, tmp_path: Path, video: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "classes" / name / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="classes is a dataset to classify, but only boxes are converted"):
        converted(tmp_path / "out", tmp_path / "classes")
    with pytest.raises(InputError, match="walk has no classes; name them with --classes"):
        converted(tmp_path / "out", video)
    for path in (animals / "images").iterdir():
        path.write_bytes(path.read_bytes()[:100] + bytes(2000))
    with pytest.raises(InputError, match=r"no image can be written|has no usable image"):
        converted(tmp_path / "out", animals)
