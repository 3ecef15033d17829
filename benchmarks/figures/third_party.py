"""Third-party models on real data, each measured by one ``edgecnn evaluate`` command and compared with its known accuracy.

``python -m edgecnn.benchmarks.figures.third_party --data DIR --json FILE``

DIR holds ``models/`` and the datasets as the project's data folder does; the known values are those of its README, measured with other
programs. ``--limit`` is for a quick test: accuracy on fewer images is not comparable.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.columns import align_columns
from edgecnn.errors import InputError
from edgecnn.files import check_writable

WITHIN = 1.0  # points
COCO = ("--data", "{data}/coco-subset/instances_val_first128.json")
FACES = ("--data", "{data}/facemask853", "--merge", "face")
CIFAR = ("--data", "{made}/cifar10", "--labels", "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck")
PHOTOS = ("--data", "{made}/photos")
TINY = "mlperf_tiny/benchmark/training"
FACE_RAW = "version-RFB-320_without_postprocessing"

# Photo of coral_tflite, and names of classes that are right for it.
CORAL = {"cat.bmp": "tiger cat", "parrot.jpg": "macaw", "grace_hopper.bmp": "military uniform"}


@dataclass(frozen=True, slots=True)
class ThirdPartyModel:
    """One file, the options it needs, and its known values in points by metric."""

    name: str
    file: str
    options: tuple[str, ...]
    known: dict[str, float] = field(default_factory=dict)
    note: str = ""


CASES = (
    ThirdPartyModel("YOLOX-nano", "yolox_nano_kazuhito/model/yolox_nano.onnx", COCO, {"map": 33.2, "ap50": 50.2}),
    ThirdPartyModel(
        "YOLOX-nano", "yolox_nano_kazuhito/model/yolox_nano_dynamic_range_quantize.tflite", COCO, {"map": 33.2, "ap50": 50.2}
    ),
    ThirdPartyModel(
        "SSD MobileNet v1",
        "ssd_mobilenet_v1_coco/detect.tflite",
        (*COCO, "--labels", "{models}/ssd_mobilenet_v1_coco/labelmap.txt"),
        {"map": 22.4, "ap50": 35.7},
    ),
    ThirdPartyModel("FastestDet", "fastestdet/example/onnx-runtime/FastestDet.onnx", COCO, {"map": 19.1, "ap50": 35.7}),
    ThirdPartyModel(
        "UltraFace RFB-320", "ultralight-face/models/onnx/version-RFB-320.onnx", (*FACES, "--every", "4"), {"ap50": 58.0}
    ),
    ThirdPartyModel(
        "UltraFace RFB-320 raw", f"ultralight-face/models/onnx/{FACE_RAW}.onnx", (*FACES, "--every", "4"), {"ap50": 58.0}
    ),
    ThirdPartyModel(
        "UltraFace RFB-320 raw", f"ultralight-face/tflite/pretrained/{FACE_RAW}.tflite", (*FACES, "--every", "4"), {"ap50": 58.0}
    ),
    ThirdPartyModel(
        "face-detection-adas-0001",
        "openvino_ir_omz/intel/face-detection-adas-0001/FP16/face-detection-adas-0001.xml",
        (*FACES, "--labels", "face"),
        {"ap50": 73.0},
        "all 710 images; on every 4th a bare OpenVINO script gives 68.7 too",
    ),
    ThirdPartyModel(
        "ResNet-8 float",
        f"{TINY}/image_classification/trained_models/pretrainedResnet.tflite",
        (*CIFAR, "--color", "rgb", "--mean", "0", "--std", "1"),
        {"top1": 75.5},
        "JPEG copy of CIFAR-10: published on the lossless set 85 and more",
    ),
    ThirdPartyModel(
        "ResNet-8 int8",
        f"{TINY}/image_classification/trained_models/pretrainedResnet_quant.tflite",
        (*CIFAR, "--task", "classify"),
        {"top1": 75.5},
    ),
    ThirdPartyModel(
        "MobileNet v1 0.25 128",
        "coral_tflite/mobilenet_v1_0.25_128_quant.tflite",
        PHOTOS,
        {"top1": 100.0},
        "three photos, compared within their three classes",
    ),
)


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path), required=True, help="Folder with models/ and the datasets.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images of each dataset.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(folder: Path, limit: int | None, json_path: Path | None) -> None:
    """Measure third-party models on real data through `edgecnn evaluate`."""
    if not (folder / "models").is_dir():
        raise InputError(f"--data: {folder} has no folder models", "name the folder with models and datasets")
    if json_path is not None:
        check_writable(json_path)
    rows: list[dict[str, Any]] = []
    with prepared(folder) as places, ProgressLine() as status:
        for case in CASES:
            status(f"{case.name}, {Path(case.file).suffix[1:]}")
            rows += measure(case, places, limit)
    click.echo(table(rows))
    click.echo(f"\n{conclusion(rows)}" if limit is None else "\na part of the images only: not comparable")
    if json_path is not None:
        figure.record(json_path, "third_party", {"within_points": WITHIN, "limit": limit, "rows": rows})


@contextmanager
def prepared(folder: Path, *, unpack: bool = True) -> Iterator[dict[str, str]]:
    """Folders by the names that options use; CIFAR-10 (if ``unpack``) and the photos are arranged in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as made:
        if unpack:
            with tarfile.open(folder / "cifar10-jpeg" / "cifar10-jpeg-test.tar.xz") as archive:
                if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later
                    archive.extraction_filter = tarfile.data_filter
                archive.extractall(made)
            (Path(made) / "test").rename(Path(made) / "cifar10")
        for photo, label in CORAL.items():
            place = Path(made) / "photos" / label
            place.mkdir(parents=True)
            (place / photo).symlink_to((folder / "models" / "coral_tflite" / photo).resolve())
        yield {"data": str(folder), "models": str(folder / "models"), "made": made}


def measure(case: ThirdPartyModel, places: dict[str, str], limit: int | None) -> list[dict[str, Any]]:
    """One row for each known value of a case; raises ``InputError`` where the command fails."""
    options = [option.format(**places) for option in case.options]
    found = evaluate([str(Path(places["models"]) / case.file), *options, *(["--limit", str(limit)] if limit else [])])
    return [
        {
            **asdict(case),
            "options": " ".join(case.options).format(data="DATA", models="DATA/models", made="MADE"),
            "format": found["format"],
            "images": found["score"]["n"],
            "metric": metric,
            "measured": found["score"]["values"][metric] * 100,
            "known": known,
        }
        for metric, known in case.known.items()
    ]


def evaluate(arguments: list[str]) -> dict[str, Any]:
    """The document of `edgecnn evaluate --json`; raises ``InputError`` with its last line of output where it fails."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        result = Path(folder) / "score.json"
        words = [sys.executable, "-m", "edgecnn", "evaluate", *arguments, "--json", str(result)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise InputError(f"edgecnn evaluate {' '.join(arguments)} failed: {last}", "correct that first")
        record: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return record


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["model", "format", "images", "metric", "measured", "known", "difference"]]
    for row in rows:
        numbers = [f"{row['measured']:.1f}", f"{row['known']:.1f}", f"{row['measured'] - row['known']:+.1f}"]
        cells.append([row["name"], row["format"], str(row["images"]), row["metric"], *numbers])
    notes = [f"{name}: {note}" for name, note in {row["name"]: row["note"] for row in rows}.items() if note]
    return "\n".join([align_columns(cells, left=2), *(["", *notes] if notes else [])])


def conclusion(rows: list[dict[str, Any]]) -> str:
    """Whether no model is more than a point below its known accuracy."""
    if not rows:
        return "nothing was measured"
    below = [f"{row['name']} {row['metric']}" for row in rows if not row["measured"] >= row["known"] - WITHIN]
    return f"no more than {WITHIN:g} point below the known value: " + (f"not {', '.join(below)}" if below else "all")


if __name__ == "__main__":
    figure.run(command)
