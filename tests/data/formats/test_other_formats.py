"""Datasets of formats without a reader are named in the refusal, and never read as images without labels or as class folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]
KITTI = "Car 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\n"
WIDER = "0--Parade/a.jpg\n1\n449 330 122 149 0 0 0 0 0 0 \n"
OPEN_IMAGES = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\na,xclick,/m/0,1,0.1,0.2,0.1,0.5\n"
CVAT = '<?xml version="1.0"?>\n<annotations><image id="0" name="a.png"/></annotations>'
VOC = "<annotation><object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object></annotation>"
LABELS = [
    # the image, a file beside it, its text, and what the refusal calls it
    ("training/image_2/a.png", "training/label_2/a.txt", KITTI, "KITTI (training/label_2/a.txt)"),
    ("images/a.png", "labels/a.txt", KITTI, "KITTI (labels/a.txt)"),
    ("WIDER_train/images/0/a.png", "wider_face_split/bbx_gt.txt", WIDER, "WIDER FACE"),
    ("pictures/a.png", "labelTxt/a.txt", "1 1 9 1 9 9 1 9 small-vehicle 0\n", "DOTA labels that belong to no image"),
    ("images/a.png", "annotations/a.txt", "684,8,273,116,0,0,0,0\n", "VisDrone"),
    ("pictures/a.png", "texts/a.txt", "0 0.5 0.5 0.2 0.2\n", "YOLO labels that belong to no image"),
    ("a.png", "a.json", '{"version": "5", "flags": {}, "shapes": [], "imagePath": "a.png"}', "labelme (a.json)"),
    ("a.png", "all.json", '[{"image": "a.png", "annotations": [{"label": "x", "coordinates": {}}]}]', "CreateML"),
    ("a.png", "via.json", '{"a.png": {"filename": "a.png", "regions": [{"shape_attributes": {}}]}}', "VGG Image Annotator"),
    ("images/a.png", "labels/a.json", '[{"name": "a", "labels": [{"box2d": {}}]}]', "BDD100K"),
    ("img/a.png", "ann/a.png.json", '{"objects": [{"classTitle": "cat"}]}', "Supervisely"),
    ("images/a.png", "annotations/a.json", '{"infos": {}, "categories": {}, "items": []}', "Datumaro"),
    ("images/a.png", "project.json", '[{"annotations": [{"from_name": "l", "to_name": "i"}]}]', "Label Studio"),
    ("val2017/a.png", "annotations/captions_val2017.json", '{"images": []}', "COCO for another task (captions)"),
    ("val2017/a.png", "annotations/person_keypoints_val2017.json", "{}", "COCO for key points"),
    ("images/a.png", "annotations.xml", CVAT, "CVAT"),
    ("a.png", "faces.xml", "<dataset><images><image file='a.png'/></images></dataset>", "imglab"),
    ("images/a.png", "labels/a.xml", VOC, "Pascal VOC without its images"),
    ("train/a.png", "boxes.csv", OPEN_IMAGES, "Open Images"),
    ("train/a.png", "train/_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n", "a CSV file of boxes"),
    ("a.png", "boxes.csv", "a.png,837,346,981,456,cow\n", "a CSV file of boxes"),
    ("a.png", "metadata.jsonl", '{"file_name": "a.png", "objects": {}}\n', "an image folder of Hugging Face"),
    ("train/a.png", "train.csv", "id,label\na,cat\n", "images with a table about them (train.csv)"),
    ("aligned/a.png", "attributes.txt", "1\nOld Young\na.png -1 1\n", "images with a table about them"),
]


@pytest.mark.parametrize(("image", "file", "text", "name"), LABELS, ids=[f"{one[3]} {one[1]}" for one in LABELS])
def test_labels_of_other_formats_are_named(
    tmp_path: Path, write_image: Writer, image: str, file: str, text: str, name: str
) -> None:
    write_image(tmp_path / image)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError) as caught:
        open_dataset(tmp_path)
    assert caught.value.problem.startswith(f"{tmp_path} looks like ")
    assert name in caught.value.problem
    assert caught.value.problem.endswith(", which is not read")


@pytest.mark.parametrize("folders", [("images", "labels"), ("img", "masks")])
def test_masks_are_named(tmp_path: Path, write_image: Writer, folders: tuple[str, str]) -> None:
    for folder in folders:
        write_image(tmp_path / folder / "a.png")
    with pytest.raises(InputError, match=rf"looks like images with segmentation masks \({folders[1]}/\)"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/batches.meta"), "CIFAR's own files"),
        (("meta", "test", "train"), "CIFAR's own files"),
        (("data_batch_1.bin",), "CIFAR's own files"),
        (("coco/1.1.0/coco-train.tfrecord-00000-of-00001",), "TFRecord"),
        (("data/train-00000-of-00001.parquet",), "Parquet"),
        (("train/data.mdb", "train/lock.mdb"), "LMDB"),
        (("images.zip",), r"an archive \(images.zip\), which is not read; unpack it first"),
    ],
)
def test_files_that_hold_images_are_named(tmp_path: Path, files: tuple[str, ...], name: str) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"\x80\x03")
    with pytest.raises(InputError, match=f"looks like .*{name}"):
        open_dataset(tmp_path)


def test_the_images_alone_can_be_used(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(KITTI)
    with pytest.raises(InputError, match="add format=images to its address to use the images alone"):
        open_dataset(tmp_path)
    assert len(open_dataset(f"{tmp_path}?format=images")) == 1


def test_files_beside_class_folders_that_are_no_labels_do_not_matter(tmp_path: Path, write_image: Writer) -> None:
    for name in ("cat", "dog"):
        write_image(tmp_path / name / "a.png")
        (tmp_path / name / f"GT-{name}.csv").write_text("Filename;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\na.png;1;1;9;9;0\n")
    (tmp_path / "train.csv").write_text("path,label\ncat/a.png,cat\n")
    (tmp_path / "README.txt").write_text("Two animals,\na, b and others\n")
    assert open_dataset(tmp_path).labels == ("cat", "dog")


@pytest.mark.parametrize("classes", [("mask", "no_mask"), ("faces", "masks")])
def test_a_class_may_be_called_like_masks(tmp_path: Path, write_image: Writer, classes: tuple[str, str]) -> None:
    for name in classes:
        write_image(tmp_path / name / "a.png")
    assert open_dataset(tmp_path).labels == classes


def test_notes_beside_images_are_no_labels(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "coins.png")
    (tmp_path / "README.txt").write_text("Pictures\ncoins are Greek, 0.5 2 3 4\n")
    (tmp_path / "settings.json").write_text('{"pictures": "here"}')
    assert open_dataset(tmp_path).kind == "images without labels"


def test_yolo_with_only_background_is_still_yolo(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "train.cache").write_bytes(b"")
    assert open_dataset(tmp_path, labels="cat").kind == "YOLO"
