"""What the dataset formats without a reader are recognized by: words and rows in the first bytes of their files, and names of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import PurePath

from edgecnn.data.formats.coco_files import OTHER_TASKS
from edgecnn.images.kinds import SUFFIXES

ARCHIVE = "an archive"
# Folders of pictures in which each color stands for a class.
MASKS = {"segmentationclass", "segmentationclasspng", "segmentationobject", "gtfine", "gtcoarse"}
# The same where a folder of images is beside them; otherwise a class may be called so.
MASKS_BESIDE_IMAGES = {"labels", "annotations", "mask", "masks"}
NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
# Geiger et al. 2012: type, truncated, occluded, alpha, 4 of the box, 3 + 3 + 1 in the world, and a score in results
KITTI = re.compile(rf"[A-Za-z_]+(?: {NUMBER}){{14,15}}\s*")
# Xia et al. 2018: four corners, class, difficult; some writers leave the last one out
DOTA = re.compile(rf"(?:{NUMBER}[ ,]+){{8}}[A-Za-z][\w -]*?(?:[ ,]+[0-2])?\s*")
VISDRONE = re.compile(r"\d+(?:,-?\d+){7},?\s*")
YOLO = re.compile(r"\d+(?: +(?:0?\.\d+|[01](?:\.0*)?)){4}\s*")
WIDER = re.compile(r"\d+(?: +-?\d+){9}\s*")
# Columns of a table of boxes.
CORNERS = (
    {"xmin", "ymin", "xmax", "ymax"},
    {"x_min", "y_min", "x_max", "y_max"},
    {"x1", "y1", "x2", "y2"},
    {"left", "top", "width", "height"},
    {"bbox_x", "bbox_y", "bbox_width", "bbox_height"},
    {"bbox"},
)

# Words that are all in a file of the format, the most particular formats first.
JSON_WORDS = (
    ("labelme", ('"shapes"', '"flags"')),
    ("labelme", ('"shapes"', '"imagePath"')),
    ("a project of the VGG Image Annotator", ('"_via_',)),
    ("annotations of the VGG Image Annotator", ('"shape_attributes"', '"filename"')),
    ("Label Studio; export it as COCO or YOLO", ('"from_name"', '"to_name"')),
    ("BDD100K", ('"box2d"',)),
    ("Supervisely", ('"classTitle"',)),
    ("Datumaro; export it as COCO or YOLO", ('"items"', '"categories"', '"infos"')),
    ("Datumaro; export it as COCO or YOLO", ('"items"', '"categories"', '"dm_format_version"')),
    ("CreateML", ('"coordinates"', '"annotations"', '"label"')),
)
# Label files of formats that are read, where they belong to no image.
YOLO_APART = "YOLO labels that belong to no image; put the images in images/ and the labels in labels/, with equal names"
VOC_APART = (
    "Pascal VOC without its images; put the .xml files into Annotations/ and the images into JPEGImages/, with equal names"
)
DOTA_APART = "DOTA labels that belong to no image; put the images in images/ and the labels in labelTxt/, with equal names"
APART = (YOLO_APART, VOC_APART)
XML_WORDS = (
    (VOC_APART, ("<annotation>", "<object>", "<bndbox>")),
    ("CVAT; export it as COCO or YOLO", ("<annotations", "<image ")),
    ("CVAT; export it as COCO or YOLO", ("<annotations", "<track ")),
    ("annotations of dlib's imglab", ("<dataset", "<images")),
    ("UA-DETRAC", ("<sequence", "<frame")),
)
CONTAINERS = {
    "TFRecord": (".record",),
    "a table of Parquet or Arrow": (".parquet", ".arrow", ".feather"),
    "an LMDB database": (".mdb", ".lmdb"),
    "arrays of NumPy": (".npz", ".npy"),
    "a file of MATLAB": (".mat",),
    "HDF5": (".h5", ".hdf5"),
    ARCHIVE: (".zip", ".tar", ".tgz", ".rar", ".7z", ".gz", ".bz2", ".xz"),
}
CIFAR = re.compile(r"data_batch_\d+(\.bin)?|test_batch(\.bin)?|batches\.meta(\.txt)?|(coarse|fine)_label_names\.txt")
CIFAR_100 = {"meta", "test", "train"}


def _json(name: str, head: str) -> str:
    task = next((prefix for prefix in OTHER_TASKS if name.startswith(prefix)), "")
    if task == "person_keypoints_":
        return "COCO for key points; name the file itself to use its boxes"
    if task:
        return f"COCO for another task ({task.strip('_').replace('_', ' ')}); get the instances_ file of the same download"
    return _by_words(head, JSON_WORDS)


def _xml(_name: str, head: str) -> str:
    return _by_words(head, XML_WORDS)


def _csv(_name: str, head: str) -> str:
    rows = [_cells(line) for line in head.splitlines()[:2]]
    if not rows:
        return ""
    columns = {cell.lower() for cell in rows[0]}
    if {"imageid", "labelname", "xmin"} <= columns:
        return "Open Images (a CSV file of boxes)"
    if "region_shape_attributes" in columns:
        return "annotations of the VGG Image Annotator"
    has_numbers = all(re.fullmatch(NUMBER, cell) for cell in rows[0][1:5])
    if any(names <= columns for names in CORNERS) or (len(rows[0]) == 6 and _is_image(rows[0][0]) and has_numbers):
        return "a CSV file of boxes"
    return ""


def _txt(_name: str, head: str) -> str:
    lines = head.splitlines()[:3]
    first = lines[0] if lines else ""
    if KITTI.fullmatch(first):
        return "KITTI"
    if len(lines) == 3 and _is_image(first) and lines[1].strip().isdigit() and WIDER.fullmatch(lines[2]):
        return "WIDER FACE"
    if first.startswith("imagesource:") or DOTA.fullmatch(first):
        return DOTA_APART
    if VISDRONE.fullmatch(first):
        return "VisDrone"
    if YOLO.fullmatch(first):
        return YOLO_APART
    return ""


def is_row_of_another_format(line: str) -> bool:
    """Whether the first line of a label file shows a text format of boxes other than YOLO's."""
    return line.startswith("imagesource:") or any(row.fullmatch(line) for row in (KITTI, DOTA, VISDRONE))


def _lines_of_json(_name: str, head: str) -> str:
    first = head.partition("\n")[0]
    if '"source-ref"' in first:
        return "a manifest of SageMaker"
    return "an image folder of Hugging Face" if '"file_name"' in first else ""


LABELS: dict[str, Callable[[str, str], str]] = {
    ".json": _json,
    ".xml": _xml,
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _txt,
    ".jsonl": _lines_of_json,
    ".manifest": _lines_of_json,
}
"""By suffix: the title of the format that a file of this name and first bytes has, "; " and what to do; "" for none."""


def container(name: str, beside: Collection[str]) -> str:
    """The title of a file that holds images inside, by its name and those ``beside`` it; "" for any other file."""
    if CIFAR.fullmatch(name) or (name in CIFAR_100 and set(beside) >= CIFAR_100):
        return "CIFAR's own files"
    if ".tfrecord" in name.lower():  # coco-train.tfrecord-00000-of-00010
        return "TFRecord"
    suffix = PurePath(name.lower()).suffix
    return next((title for title, suffixes in CONTAINERS.items() if suffix in suffixes), "")


def names_an_image(head: str, images: Collection[str]) -> bool:
    """Whether the second or third line has the name of one of ``images`` and more columns."""
    rows = [cells for line in head.splitlines()[1:3] if len(cells := _cells(line)) > 1]
    return any(PurePath(cell).name in images for cells in rows for cell in cells if cell)


def _cells(line: str) -> list[str]:
    separator = next((mark for mark in ",;\t" if mark in line), None)
    return [cell.strip().strip('"') for cell in line.split(separator)]


def _is_image(name: str) -> bool:
    return PurePath(name.strip()).suffix.lower() in SUFFIXES


def _by_words(head: str, table: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return next((title for title, words in table if all(word in head for word in words)), "")
