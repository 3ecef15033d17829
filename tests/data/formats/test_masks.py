"""Datasets of images with masks: folders, palettes, Pascal VOC, and the segmentations and key points of COCO."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.data.image_files import ImageError
from edgecnn.data.mask_files import read_mask
from edgecnn.errors import InputError

MASK = np.uint8([[0, 0, 1, 1], [0, 2, 2, 255], [0, 2, 2, 255]])


def image(path: Path, size: tuple[int, int] = (3, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8))


def grey(path: Path, mask: np.ndarray = MASK) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), mask)


def palette_png(path: Path, mask: np.ndarray, colours: list[tuple[int, int, int]]) -> None:
    """A PNG with a palette, as VOC has them; OpenCV can't write one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in mask)
    header = struct.pack(">IIBBBBB", mask.shape[1], mask.shape[0], 8, 3, 0, 0, 0)
    table = bytes(value for colour in colours for value in colour)
    body = chunk(b"IHDR", header) + chunk(b"PLTE", table) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        image(tmp_path / f"images/{name}.jpg")
        grey(tmp_path / f"masks/{name}.png")
    (tmp_path / "classes.txt").write_text("background\ncup\nplate\n")
    return tmp_path


def test_images_with_masks_are_recognized(tmp_path: Path) -> None:
    dataset = open_dataset(folder(tmp_path))
    assert (dataset.task, dataset.labels, len(dataset)) == ("segment", ("background", "cup", "plate"), 2)
    read = dataset.samples[0].mask
    assert read is not None
    assert (read() == MASK).all()


def test_names_of_classes_may_come_from_the_address(tmp_path: Path) -> None:
    (folder(tmp_path) / "classes.txt").unlink()
    assert open_dataset(f"{tmp_path}?labels=background,a,b").labels == ("background", "a", "b")
    with pytest.raises(InputError, match=r"no names of the classes; write them into classes\.txt"):
        open_dataset(tmp_path)


def test_splits_in_both_layouts(tmp_path: Path) -> None:
    for place in (tmp_path / "one/train", tmp_path / "one/val"):
        image(place / "images/a.jpg")
        grey(place / "masks/a.png")
    for name in ("train", "val"):
        image(tmp_path / f"two/images/{name}/a.jpg")
        grey(tmp_path / f"two/masks/{name}/a.png")
    for top in ("one", "two"):
        assert len(open_dataset(f"{tmp_path / top}?labels=background,a,b", split="val")) == 1


def test_an_image_without_a_mask_and_one_of_another_size_are_problems(tmp_path: Path) -> None:
    top = folder(tmp_path)
    image(top / "images/c.jpg")
    image(top / "images/d.jpg", (5, 5))
    grey(top / "masks/d.png")
    dataset = open_dataset(top)
    assert len(dataset) == 2
    assert [problem.where for problem in dataset.problems] == ["images/c.jpg", "images/d.jpg"]


def test_voc_gives_masks_where_they_are_asked_for(tmp_path: Path) -> None:
    image(tmp_path / "JPEGImages/a.jpg")
    image(tmp_path / "JPEGImages/b.jpg")
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0)] + [(0, 0, 0)] * 252 + [(224, 224, 192)]
    palette_png(tmp_path / "SegmentationClass/a.png", MASK, colours)
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\n")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>4</width><height>3</height><depth>3</depth></size><object><name>cup</name>"
        "<bndbox><xmin>0</xmin><ymin>0</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object></annotation>"
    )
    assert open_dataset(tmp_path).task == "detect"
    dataset = open_dataset(f"{tmp_path}?task=segment&split=train")
    assert dataset.labels[:2] == ("background", "aeroplane")
    (sample,) = dataset.samples
    assert sample.mask is not None
    assert (sample.mask() == MASK).all()


def test_a_black_and_white_mask_has_two_classes(tmp_path: Path) -> None:
    grey(tmp_path / "m.png", np.uint8([[0, 255]]))
    assert read_mask(tmp_path / "m.png", 2).tolist() == [[0, 1]]
    assert read_mask(tmp_path / "m.png", 3).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        pytest.param(np.uint8([[0, 7]]), "it has class 7, but there are 3 class names, 0 to 2", id="class"),
        pytest.param(np.uint8([[[0, 7, 9]]]), "it has colours instead of class ids", id="colours"),
        pytest.param(np.uint16([[0, 700]]), "it has colours instead of class ids", id="16 bits"),
    ],
)
def test_a_mask_that_fits_no_class_is_refused(tmp_path: Path, mask: np.ndarray, said: str) -> None:
    grey(tmp_path / "m.png", mask)
    with pytest.raises(ImageError, match=said):
        read_mask(tmp_path / "m.png", 3)


def coco(tmp_path: Path) -> Path:
    image(tmp_path / "a.jpg", (20, 30))
    square = {"segmentation": [[2, 2, 12, 2, 12, 12, 2, 12]], "bbox": [2, 2, 10, 10], "area": 100, "iscrowd": 0}
    runs = {"segmentation": {"size": [20, 30], "counts": [400, 20, 180]}, "bbox": [20, 0, 1, 20], "area": 20, "iscrowd": 1}
    record = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 30, "height": 20}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 3, "keypoints": [4, 5, 2, 0, 0, 0], "num_keypoints": 1, **square},
            {"id": 2, "image_id": 5, "category_id": 3, **runs},
        ],
        "categories": [{"id": 3, "name": "cup", "keypoints": ["rim", "foot"]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(record))
    return tmp_path / "coco.json"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_coco_segmentations_become_a_mask(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    dataset = open_dataset(f"{coco(tmp_path)}?task=segment")
    assert (dataset.task, dataset.labels) == ("segment", ("background", "cup"))
    read = dataset.samples[0].mask
    assert read is not None
    mask = read()
    assert mask.shape == (20, 30)
    assert (mask[3:12, 3:12] == 1).all()
    assert (mask[:, 20] == 255).all()
    assert (mask == 0).sum() > 400


def test_coco_key_points_have_the_names_of_the_category(tmp_path: Path) -> None:
    dataset = open_dataset(coco(tmp_path), task="pose")
    assert (dataset.task, dataset.labels) == ("pose", ("rim", "foot"))
    sample = dataset.samples[0]
    assert sample.points is not None
    assert sample.boxes is not None
    assert sample.points.tolist() == [[[4, 5, 2], [0, 0, 0]]]
    assert sample.boxes.xyxy.tolist() == [[2, 2, 12, 12]]
    assert open_dataset(coco(tmp_path)).task == "detect"


def test_key_points_can_not_be_renamed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="key points, which can't be selected or renamed"):
        open_dataset(f"{coco(tmp_path)}?task=pose&rename=rim:edge")


def test_classes_of_a_mask_are_renamed_and_left_out(tmp_path: Path) -> None:
    renamed = open_dataset(f"{folder(tmp_path)}?rename=cup,plate:dish").samples[0].mask
    assert renamed is not None
    assert set(np.unique(renamed())) == {0, 1, 255}
    chosen = open_dataset(f"{tmp_path}?classes=background,plate").samples[0].mask
    assert chosen is not None
    assert (chosen()[0] == [0, 0, 255, 255]).all()
    assert (chosen()[1] == [0, 1, 1, 255]).all()
