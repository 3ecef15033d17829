"""The int8 decision on MLPerf Tiny's TFLite files, run unchanged: CIFAR-10 ResNet-8 and Visual Wake Words, float and int8.

``python -m edgecnn.benchmarks.figures.choose_tiny --data DIR --json FILE``

DIR holds ``models/mlperf_tiny``, ``cifar10-jpeg`` and ``coco-subset`` as the project's data folder does. Visual Wake Words has no set of
its own there: its labels are made from COCO's boxes by its definition, a person of at least 0.5 % of the image, with the 128 images of
``coco-subset`` val and the 288 of train, which the networks may have been trained on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import click

from edgecnn.benchmarks.choose import kept
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.document import to_document, without_folders
from edgecnn.benchmarks.choose.report import to_text
from edgecnn.benchmarks.choose.run import measure_choice
from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.third_party import TINY, prepared
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.runtime.model.card_inference import CardOptions

LEAST: Final = 0.005  # share of the image that a person covers, from Chowdhery et al., Visual Wake Words Dataset, 2019
CLASSES: Final = ("no person", "person")
CIFAR_CLASSES: Final = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"


def wake_words(annotations: Path, images: Path, folder: Path) -> int:
    """Sort the images of a COCO file into folders of CLASSES, by links; returns how many."""
    content = json.loads(annotations.read_text(encoding="utf-8"))
    person = next(one["id"] for one in content["categories"] if one["name"] == "person")
    sizes = {one["id"]: one["width"] * one["height"] for one in content["images"]}
    with_person = {
        box["image_id"]
        for box in content["annotations"]
        if box["category_id"] == person and box["bbox"][2] * box["bbox"][3] >= LEAST * sizes[box["image_id"]]
    }
    for one in content["images"]:
        place = folder / CLASSES[one["id"] in with_person]
        place.mkdir(parents=True, exist_ok=True)
        (place / Path(one["file_name"]).name).symlink_to((images / Path(one["file_name"]).name).resolve())
    return len(sizes)


@contextmanager
def models(data: Path) -> Iterator[list[tuple[str, ChooseConfig]]]:
    """The two models with their data and options, in temporary folders."""
    trained = data / "models" / TINY
    with prepared(data) as places, tempfile.TemporaryDirectory(prefix="edgecnn-") as made:
        coco = data / "coco-subset"
        for file, images in (("instances_val_first128.json", "val2017"), ("instances_train2017_subset.json", "train2017")):
            if (coco / file).is_file():
                wake_words(coco / file, coco / images, Path(made))
        cifar, words = (trained / f"{name}/trained_models" for name in ("image_classification", "visual_wake_words"))
        yield [
            (
                "CIFAR-10 ResNet-8",
                _config(
                    (cifar / "pretrainedResnet.tflite", cifar / "pretrainedResnet_quant.tflite"),
                    f"{places['made']}/cifar10",
                    CardOptions(task="classify", labels=Path(CIFAR_CLASSES), color="rgb", mean=(0.0,), std=(1.0,)),
                ),
            ),
            (
                "Visual Wake Words",
                _config(
                    (words / "vww_96_float.tflite", words / "vww_96_int8.tflite"),
                    made,
                    CardOptions(task="classify", labels=Path(",".join(CLASSES)), color="rgb", mean=(0.0,), std=(255.0,)),
                ),
            ),
        ]


def _config(files: tuple[Path, ...], data: str, options: CardOptions) -> ChooseConfig:
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise InputError(f"{missing} does not exist", "name the folder with models/mlperf_tiny")
    return ChooseConfig(files=files, data=DatasetSelection(data), options=options)


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path), required=True, help="Folder with models/ and the datasets.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(folder: Path, json_path: Path | None) -> None:
    """Choose between float and int8 for both models."""
    if json_path is not None:
        check_writable(json_path)
    results: list[dict[str, Any]] = []
    with models(folder) as cases, ProgressLine() as status:
        for name, config in cases:
            choice = measure_choice(config, status, status.above)
            status.above(f"\n{name}: {to_text(choice, config.budget)}\n")
            known = kept.circumstances(config, choice.paths, choice.device)
            results.append({"model": name, **without_folders(to_document(choice, known, datetime.now(timezone.utc).isoformat()))})
    if json_path is not None:
        figure.record(json_path, "choose_tiny", {"models": results})


if __name__ == "__main__":
    figure.run(command)
