from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn.data import dataset_splits, open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]


def box(image: int = 11, category: int = 7, bbox: Any = (1, 2, 10, 10), **more: Any) -> dict[str, Any]:
    return {"id": 5, "image_id": image, "category_id": category, "bbox": bbox, **more}


@pytest.mark.parametrize("place", [pytest.param("instances_val.json", id="file"), pytest.param("", id="folder")])
def test_categories_become_contiguous_and_ids_stay(tmp_path: Path, write_coco: Writer, place: str) -> None:
    write_coco(tmp_path, [box(area=55.5), box(category=3, iscrowd=1, area=20)])
    dataset = open_dataset(tmp_path / place)
    first = dataset.samples[0]
    assert dataset.labels == ("cat", "dog")
    assert (first.image_id, first.name, first.read().shape) == (11, "11.png", (30, 40, 3))
    assert first.boxes is not None
    assert first.boxes.xyxy.tolist() == [[1, 2, 11, 12], [1, 2, 11, 12]]
    assert first.boxes.class_id.tolist() == [1, 0]
    assert first.boxes.crowd is not None
    assert first.boxes.crowd.tolist() == [False, True]
    assert first.boxes.area is not None
    assert first.boxes.area.tolist() == [55.5, 20]
    assert dataset.samples[1].boxes is not None
    assert len(dataset.samples[1].boxes) == 0


def test_labels_choose_and_order_the_categories(tmp_path: Path, write_coco: Writer) -> None:
    dataset = open_dataset(write_coco(tmp_path, [box()]), labels=("dog", "cat"))
    boxes = dataset.samples[0].boxes
    assert dataset.labels == ("dog", "cat")
    assert boxes is not None
    assert boxes.class_id.tolist() == [0]


def test_splits_are_told_from_file_names(tmp_path: Path, write_coco: Writer, write_image: Writer) -> None:
    write_coco(tmp_path, [box()], "instances_train2017.json")
    write_coco(tmp_path, [], "instances_val2017.json")
    for number in (11, 12):
        write_image(tmp_path / "train2017" / f"{number}.png")
    assert dataset_splits(tmp_path) == ("train", "val")
    assert open_dataset(tmp_path, split="train").split == "train"
    assert len(open_dataset(tmp_path)) == 4


def test_files_of_no_split_are_named(tmp_path: Path, write_coco: Writer) -> None:
    write_coco(tmp_path, [box()], "first.json")
    write_coco(tmp_path, [], "second.json")
    with pytest.raises(InputError, match=r"several COCO files: first\.json, second\.json; name the file itself"):
        open_dataset(tmp_path)


def test_images_are_found_beside_an_annotations_folder(tmp_path: Path, write_coco: Writer) -> None:
    file = write_coco(tmp_path, [box()])
    (tmp_path / "annotations").mkdir()
    file.rename(tmp_path / "annotations" / file.name)
    assert len(open_dataset(tmp_path)) == 2


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        pytest.param(box(bbox=(1, 2, 0, 5)), "without extent", id="no width"),
        pytest.param(box(bbox=(1, 2, 3)), "no box of four numbers", id="three numbers"),
        pytest.param(box(bbox=None), "no box of four numbers", id="no box"),
        pytest.param(box(bbox=("a", 2, 3, 4)), "no box of four numbers", id="a word"),
        pytest.param(box(category=4), "the category 4", id="unknown category"),
        pytest.param(box(image=99), "the image id 99", id="unknown image"),
    ],
)
def test_a_bad_annotation_is_named_by_id(tmp_path: Path, write_coco: Writer, annotation: dict[str, Any], said: str) -> None:
    dataset = open_dataset(write_coco(tmp_path, [annotation]))
    assert [one.where for one in dataset.problems] == ["instances_val.json: annotation 5"]
    assert said in dataset.problems[0].what
    assert len(dataset) == 2


def test_a_missing_and_a_cut_image_are_problems(tmp_path: Path, write_coco: Writer) -> None:
    file = write_coco(tmp_path, [box()])
    (tmp_path / "val" / "12.png").unlink()
    dataset = open_dataset(file)
    assert len(dataset) == 1
    assert [(one.where, one.what) for one in dataset.problems] == [("instances_val.json: image 12", "no such file: 12.png")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("", "can't read the COCO file", id="empty"),
        pytest.param('{"images": [', "can't read the COCO file", id="cut"),
        pytest.param("[1, 2]", "is a list, such as detections", id="a list"),
        pytest.param('{"images": [], "annotations": []}', "no categories", id="no categories"),
        pytest.param(
            '{"images": [{}], "annotations": [], "categories": []}', "an image without an id; left out", id="image without id"
        ),
        pytest.param(
            '{"images": [1], "annotations": [], "categories": []}', r"the first .*: images\[0\]", id="image that is a number"
        ),
        pytest.param('{"images": [], "annotations": [], "categories": []}', "has no usable image; name another", id="no images"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "instances_val.json"
    file.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(file)
    assert "\n" not in str(caught.value)


def test_other_json_files_in_the_folder_do_not_count(tmp_path: Path, write_coco: Writer) -> None:
    write_coco(tmp_path, [box()])
    (tmp_path / "notes.json").write_text(json.dumps({"author": "someone"}))
    assert len(open_dataset(tmp_path)) == 2


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("split", "images", "boxes"), [pytest.param("train", 288, 2373, id="train"), pytest.param("val", 128, 899, id="val")]
)
def test_coco_subset_has_its_images_and_boxes(real_data: Path, split: str, images: int, boxes: int) -> None:
    dataset = open_dataset(real_data / "coco-subset", split=split)
    assert len(dataset) == images
    assert sum(len(sample.boxes) for sample in dataset.samples if sample.boxes) == boxes
    assert (len(dataset.labels), dataset.problems) == (80, ())
