"""Int8 files of YOLOX-nano that collapse, made again from the published float network: is each named with its cause, without labels?

``python -m edgecnn.benchmarks.figures.yolox_collapse --json FILE``

ONNX and TFLite with boxes in pixels and scores in one output that is quantized with one scale, and the published ONNX file as ONNX
Runtime's quantizer makes it int8 by default, with one scale for all channels of a weight. Needs ``EDGECNN_DATA`` with
``models/yolox_nano_kazuhito`` and ``coco-subset``.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.ort_int8 import CalibrationFeeds, quantize_file
from edgecnn.benchmarks.figures.yolox_graph import FILE, SIZE, joined_layout
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.files import check_writable
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.run import evaluate_pair
from edgecnn.types import Array

CALIBRATION, UNLABELLED = 24, 48


@click.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(json_path: Path | None) -> None:
    """Make the files again and look for the cause without labels; then measure their mAP."""
    if json_path is not None:
        check_writable(json_path)
    logging.getLogger().setLevel(logging.ERROR)
    data = Path(os.environ.get("EDGECNN_DATA", "../shared/data"))
    inputs = [_input(path) for path in sorted((data / "coco-subset/train2017").glob("*.jpg"))[:CALIBRATION]]
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgecnn-yolox-") as name:
        for title, decoder, before, after in _files(Path(name), data / FILE, inputs):
            row = {"file": title, **_measured(before, after, decoder, data)}
            rows.append(row)
            click.echo(
                f"{title}: mAP {row['map_before']:.4f} -> {row['map_after']:.4f}; without labels: {row['cause']}, {row['words']}"
            )
    if json_path is not None:
        figure.record(json_path, "yolox_collapse", {"rows": rows})


def _files(folder: Path, published: Path, inputs: Sequence[Array]) -> Iterator[tuple[str, str, Path, Path]]:
    """Title, decoder, float file and int8 file."""
    image = torch.zeros(1, 3, SIZE, SIZE)
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["output"], "opset_version": 18, "external_data": False}
    torch.onnx.export(joined_layout(), (image,), str(folder / "joined.onnx"), dynamo=True, **names)
    yield (
        "one scale, ONNX",
        "yolo",
        folder / "joined.onnx",
        _onnx(folder / "joined.onnx", folder / "joined-int8.onnx", inputs, True),
    )
    yield "one scale, TFLite", "yolo", *_tflite(folder, image, inputs)
    yield "ONNX Runtime's defaults", "yolox", published, _onnx(published, folder / "defaults-int8.onnx", inputs, False)


def _onnx(source: Path, path: Path, inputs: Sequence[Array], per_channel: bool) -> Path:
    import onnxruntime

    name = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"]).get_inputs()[0].name
    return quantize_file(source, path, CalibrationFeeds(name, inputs), per_channel=per_channel)


def _tflite(folder: Path, image: torch.Tensor, inputs: Sequence[Array]) -> tuple[Path, Path]:
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    before, after = folder / "joined.tflite", folder / "joined-int8.tflite"
    litert_torch.convert(joined_layout(), (image,)).export(str(before))
    signature, ports = next(iter(Interpreter(str(before)).get_signature_list().items()))
    job = quantizer.Quantizer(str(before), recipe.static_wi8_ai8())
    ranges = job.calibrate({signature: [{ports["inputs"][0]: given} for given in inputs]})
    after.write_bytes(bytes(job.quantize(ranges).quantized_model))
    return before, after


def _input(path: Path) -> Array:
    """(1, 3, SIZE, SIZE) float32 BGR of 0..255, the image in the upper left corner on grey."""
    image = cv2.imread(str(path))
    assert image is not None
    factor = SIZE / max(image.shape[:2])
    small = cv2.resize(image, (round(image.shape[1] * factor), round(image.shape[0] * factor)))
    canvas = np.full((SIZE, SIZE, 3), 114, np.float32)
    canvas[: small.shape[0], : small.shape[1]] = small
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None])


def _measured(before: Path, after: Path, decoder: str, data: Path) -> dict[str, Any]:
    """The cause from images without labels, and mAP of both files with labels."""
    options = CardOptions(
        labels=data / FILE.rpartition("/model/")[0] / "coco_classes.txt",
        color="bgr",
        mean=(0.0,),
        std=(1.0,),
        resize="letterbox",
        align="corner",
        pad_value=114,
        iou_threshold=0.45,
        decode=decoder,
    )
    files: dict[str, Any] = {"before": before, "after": after, "options": options}
    blind = evaluate_pair(PairConfig(data=DatasetSelection(str(data / "coco-subset/val2017"), limit=UNLABELLED), **files))
    seen = evaluate_pair(PairConfig(data=DatasetSelection(str(data / "coco-subset/instances_val_first128.json")), **files))
    assert seen.mean is not None
    cause = blind.causes[0] if blind.causes else None
    return {
        "cause": "" if cause is None else cause.name,
        "words": "" if cause is None else cause.words,
        "evidence": {} if cause is None else cause.evidence,
        "agreement": blind.agreement,
        "map_before": seen.mean.before.primary,
        "map_after": seen.mean.after.primary,
    }


if __name__ == "__main__":
    figure.run(command)
