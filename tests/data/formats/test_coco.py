from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn.data import dataset_splits, open_dataset
from edgecnn.data.relabel import to_classes
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
    assert (first.image_id, first.name, first.read().shape) == (11, "val/11.png", (30, 40, 3))
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


def record(folder: Path, **changes: Any) -> Path:
    """A COCO file with one image (a.png) and one box, with other lists or none."""
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 10]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content | changes))
    return path


def found(path: Path) -> list[int]:
    """The number of boxes in each image."""
    return [len(sample.boxes or ()) for sample in open_dataset(path).samples]


@pytest.mark.parametrize(
    ("image_id", "annotated"),
    [
        pytest.param("img-1", "img-1", id="words"),
        pytest.param("00001", "00001", id="text with zeros"),
        pytest.param(1.0, 1, id="float and int"),
        pytest.param(1, "1", id="int and text"),
        pytest.param("1", 1.0, id="text and float"),
    ],
)
def test_ids_may_be_written_in_several_ways(tmp_path: Path, write_image: Writer, image_id: Any, annotated: Any) -> None:
    write_image(tmp_path / "a.png")
    images = [{"id": image_id, "file_name": "a.png"}]
    annotations = [{"id": 5, "image_id": annotated, "category_id": "1", "bbox": ["1", "2", "10", "10"], "iscrowd": "0"}]
    dataset = open_dataset(record(tmp_path, images=images, annotations=annotations))
    boxes = dataset.samples[0].boxes
    assert dataset.problems == ()
    assert boxes is not None
    assert (boxes.xyxy.tolist(), boxes.crowd.tolist() if boxes.crowd is not None else None) == ([[1, 2, 11, 12]], [False])


@pytest.mark.parametrize(
    "name",
    ["images\\a.png", "./images/a.png", "C:\\data\\images\\a.png", "/home/someone/images/a.png", "other/images/a.png", "a.png"],
)
def test_a_file_name_may_be_of_another_machine(tmp_path: Path, write_image: Writer, name: str) -> None:
    write_image(tmp_path / "images" / "a.png")
    assert found(record(tmp_path, images=[{"id": 1, "file_name": name}])) == [1]


def test_an_absolute_file_name_of_this_machine_is_used(tmp_path: Path, write_image: Writer) -> None:
    image = write_image(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "set").mkdir()
    assert found(record(tmp_path / "set", images=[{"id": 1, "file_name": str(image)}])) == [1]


@pytest.mark.parametrize("name", ["gone/a.png", "cam1/a.png", "../a.png", "\0", "a" * 5000, "", " ", "."])
def test_an_image_is_never_guessed_in_another_folder(tmp_path: Path, write_image: Writer, name: str) -> None:
    write_image(tmp_path / "set" / "cam2" / "a.png")
    (tmp_path / "set" / "cam1").mkdir()
    with pytest.raises(InputError, match="has no usable image") as caught:
        open_dataset(record(tmp_path / "set", images=[{"id": 1, "file_name": name}]))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_images_of_one_name_in_two_folders_are_a_problem(tmp_path: Path, write_image: Writer) -> None:
    for folder in ("first", "second"):
        write_image(tmp_path / "images" / folder / "a.png")
    with pytest.raises(InputError, match=r"several images of this name, in first, second: a\.png"):
        open_dataset(record(tmp_path))


def test_an_image_that_one_split_lacks_is_not_taken_from_another(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "train" / "b.png")
    write_image(tmp_path / "val" / "a.png")
    record(tmp_path, images=[{"id": 1, "file_name": "a.png"}]).rename(tmp_path / "train.json")
    record(tmp_path).rename(tmp_path / "val.json")
    with pytest.raises(InputError, match=r"train\.json: image 1: no such file: a\.png"):
        open_dataset(tmp_path, split="train")
    assert len(open_dataset(tmp_path, split="val")) == 1


@pytest.mark.parametrize("area", [None, 0, "unknown", float("nan")])
def test_an_area_that_is_unknown_is_that_of_the_box(tmp_path: Path, write_image: Writer, area: Any) -> None:
    write_image(tmp_path / "a.png")
    dataset = open_dataset(record(tmp_path, annotations=[box(image=1, category=1, area=area)]))
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert boxes.area is not None
    assert (boxes.area.tolist(), dataset.problems) == ([100], ())


def test_another_stated_size_names_both(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "a.png")
    images = [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}]
    assert [(one.where, one.what) for one in open_dataset(record(tmp_path, images=images)).problems] == [
        (
            "a.png",
            "the image has 40x30 pixels, but boxes.json: image 1 states 80x60; its boxes may be in the wrong place",
        )
    ]
    images = [{"id": 1, "file_name": "a.png", "width": 30, "height": 40}]
    assert "turned by its EXIF orientation" in open_dataset(record(tmp_path, images=images)).problems[0].what
    images = [{"id": 1, "file_name": "a.png", "width": 0, "height": None}]
    assert open_dataset(record(tmp_path, images=images)).problems == ()


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        pytest.param(
            {"annotations": [box(image=1, category=1), {**box(image=1, category=1), "id": 6}]},
            "boxes.json: annotation 6",
            "the same box and class as annotation 5; left out",
            id="a box twice",
        ),
        pytest.param(
            {"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}]},
            "boxes.json",
            "the categories 1 and 2 are both called cat; they are one class",
            id="a name twice",
        ),
        pytest.param(
            {"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]},
            "boxes.json: image 1",
            "the id for a second time; left out",
            id="an id twice",
        ),
        pytest.param(
            {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "./a.png"}]},
            "boxes.json: image 2",
            "the file of boxes.json: image 1 for a second time: ./a.png",
            id="a file twice",
        ),
        pytest.param(
            {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": 7}]},
            "boxes.json: image 2",
            "no file_name, but 7; left out",
            id="a number for a name",
        ),
        pytest.param(
            {"annotations": [box(image=1, category=1), None]},
            "boxes.json: annotations[1]",
            "no annotation, but None; left out",
            id="null",
        ),
        pytest.param(
            {"annotations": [box(image=1, category=1), {"image_id": 1, "category_id": 1, "bbox": "1234"}]},
            "boxes.json: annotations[1]",
            "no box of four numbers: 1234; left out",
            id="text for a box",
        ),
        pytest.param(
            {"annotations": [box(image=1, category=1), {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 10**400]}]},
            "boxes.json: annotations[1]",
            f"no box of four numbers: [1, 2, 3, 1{'0' * 66}...; left out",
            id="a huge number",
        ),
    ],
)
def test_an_entry_that_is_left_out_is_named(
    tmp_path: Path, write_image: Writer, changes: dict[str, Any], where: str, what: str
) -> None:
    write_image(tmp_path / "a.png")
    dataset = open_dataset(record(tmp_path, **changes))
    assert [(one.where, one.what) for one in dataset.problems] == [(where, what)]
    assert [len(sample.boxes or ()) for sample in dataset.samples] == [1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"categories": [{"id": 1}]}, r"categories\[0\] is \{'id': 1\}, without an id and a name", id="no name"),
        pytest.param({"categories": [7]}, r"categories\[0\] is 7", id="a number"),
        pytest.param({"categories": [{"id": 1, "name": "a"}, {"id": 1.0, "name": "b"}]}, "the id 1, a and b", id="an id twice"),
        pytest.param({"images": {}}, "images must be a list", id="an object for a list"),
        pytest.param({"annotations": None}, "annotations must be a list", id="null for a list"),
    ],
)
def test_a_record_that_can_not_be_read_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(record(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"[" * 100_000, "lists in lists without end", id="nested"),
        pytest.param(b'{"images": ' + b"9" * 10_000 + b"}", "can't read the COCO file", id="a number of 10,000 digits"),
        pytest.param(b"\xff\xfe\x00", "can't read the COCO file", id="cut UTF-16"),
    ],
)
def test_hostile_json_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "instances.json").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(tmp_path / "instances.json")
    assert "\n" not in str(caught.value)


def test_a_parent_category_that_nothing_uses_is_no_class(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "a.png")
    categories = [
        {"id": 0, "name": "animals", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "animals"},
        {"id": 2, "name": "dog", "supercategory": "animals"},
    ]
    assert open_dataset(record(tmp_path, categories=categories)).labels == ("cat", "dog")
    used = open_dataset(record(tmp_path, categories=categories, annotations=[box(image=1, category=0)]))
    assert used.labels == ("animals", "cat", "dog")


def test_images_without_an_entry_are_counted(tmp_path: Path, write_image: Writer) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "images" / name)
    (tmp_path / "images" / "notes.txt").touch()
    dataset = open_dataset(record(tmp_path))
    assert {what: count for what, count in dataset.left_out.items() if count} == {".txt": 1, "images without an entry": 1}


@pytest.mark.parametrize(
    ("listed", "unlabelled"),
    [
        pytest.param([7], {1}, id="one"),
        pytest.param(["3", 7.0], {0, 1}, id="other forms of ids"),
        pytest.param([99, None, {}], set(), id="no categories"),
        pytest.param("7", set(), id="no list"),
    ],
)
def test_categories_that_are_not_exhaustive_are_unlabelled_in_an_image(
    tmp_path: Path, write_coco: Writer, listed: Any, unlabelled: set[int]
) -> None:
    path = write_coco(tmp_path, [box()])
    record = json.loads(path.read_text())
    record["images"][0]["not_exhaustive_category_ids"] = listed
    path.write_text(json.dumps(record))
    dataset = open_dataset(path)
    assert [sample.unlabelled for sample in dataset.samples] == [unlabelled, frozenset()]
    assert dataset.unlabelled == frozenset()


def test_a_category_that_no_image_is_labelled_with_is_unlabelled_in_the_dataset(tmp_path: Path, write_coco: Writer) -> None:
    path = write_coco(tmp_path, [box()])
    record = json.loads(path.read_text())
    for image, listed in zip(record["images"], ([3, 7], [3]), strict=True):
        image["not_exhaustive_category_ids"] = listed
    path.write_text(json.dumps(record))
    assert open_dataset(path).unlabelled == {0}
    assert to_classes(open_dataset(path), ("bird", "dog", "cat")).unlabelled == {0, 2}


@pytest.mark.parametrize("info", [None, [], {"sources": 3}, {"sources": [1, {"dataset": "a"}]}])
def test_the_sources_of_a_converted_dataset_are_read(tmp_path: Path, write_coco: Writer, info: Any) -> None:
    path = write_coco(tmp_path, [box()])
    path.write_text(json.dumps({**json.loads(path.read_text()), "info": info}))
    assert open_dataset(path).sources == (({"dataset": "a"},) if info and "sources" in info and info["sources"] != 3 else ())
