"""Planted collapses of int8 files over ten seeds: is each named with its cause, without labels, and does a clean file pass?

``python -m edgecnn.benchmarks.figures.int8_collapse --first-seed 100 --network separable --json FILE``

A tiny classifier and a tiny detector are trained for each seed and quantized well and badly: one scale for boxes and scores, calibration
on the dark class only, on images that are thirty times too dark (saturation), and on values a thousand times too large (nothing of the
image is left).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import cv2

from edgecnn.benchmarks.figures import figure, tiny_networks
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.files import check_writable
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.run import evaluate_pair

IMAGES, CALIBRATION = 36, 32
TAIL = ("reshape", "sigmoid", "pixels", "join")
# the fault, and the cause that has to be named; () where none may be
PLANTED = {
    "clean classifier": (),
    "clean detector": (),
    "one scale for boxes and scores": ("shared-scale",),
    "calibration on one class": ("one-class-calibration",),
    "saturation": ("saturation",),
    "values too large": ("constant", "output-range"),
}
CLASSIFIED = {"clean classifier", "calibration on one class", "saturation", "values too large"}  # the others are of detectors


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Number of seeds.")
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True, help="The seeds count from here on.")
@click.option("--network", type=click.Choice(tiny_networks.NETWORKS), default="plain", show_default=True, help="What is trained.")
@click.option("--fault", "faults", type=click.Choice(list(PLANTED)), multiple=True, help="Only this fault, or several.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(seeds: int, first_seed: int, network: str, faults: tuple[str, ...], json_path: Path | None) -> None:
    """Quantize tiny networks well and badly, and look for the cause without labels."""
    if json_path is not None:
        check_writable(json_path)
    logging.getLogger().setLevel(logging.ERROR)  # ONNX Runtime's quantizer advises to prepare each graph
    rows: list[dict[str, Any]] = []
    with ProgressLine() as line:
        for seed in range(first_seed, first_seed + seeds):
            line(f"seed {seed}, {seed - first_seed + 1} of {seeds}")
            rows += [{"seed": seed, **row} for row in _rows(seed, network, faults or tuple(PLANTED))]
    summary = {}
    for fault, causes in PLANTED.items():
        if faults and fault not in faults:
            continue
        own = [row for row in rows if row["fault"] == fault]
        right = sum(row["cause"] in causes if causes else not row["cause"] for row in own)
        caught = sum(bool(row["cause"]) for row in own)
        summary[fault] = {"of": len(own), "told": caught, "right": right}
        words = f"named {caught}, with its cause {right}" if causes else f"passed {right}"
        click.echo(f"{fault:<32} {words} of {len(own)}")
    if json_path is not None:
        figure.record(json_path, "int8_collapse", {"network": network, "summary": summary, "rows": rows})


def _rows(seed: int, network: str, faults: Sequence[str]) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="edgecnn-collapse-") as name:
        folder = Path(name)
        if set(faults) & CLASSIFIED:
            yield from _classifiers(folder, seed, network, faults)
        if set(faults) - CLASSIFIED:
            yield from _detectors(folder, seed, network, faults)


def _classifiers(folder: Path, seed: int, network: str, faults: Sequence[str]) -> Iterator[dict[str, Any]]:
    before = tiny_networks.write_onnx(tiny_networks.train_classifier(seed, kind=network), folder / "classifier.onnx")
    images, _ = tiny_networks.patterns(IMAGES, seed + 1000)
    data = _write(folder / "patterns", images)
    options = CardOptions(labels=Path(",".join(tiny_networks.CLASSES)), color="rgb", mean=(0.0,), std=(255.0,), resize="stretch")
    calibration, _ = tiny_networks.patterns(CALIBRATION, seed + 2000)
    dark, _ = tiny_networks.patterns(CALIBRATION, seed + 2000, [0])
    for fault, chosen, gain in (
        ("clean classifier", calibration, 1.0),
        ("calibration on one class", dark, 1.0),
        ("saturation", calibration, 0.03),
        ("values too large", calibration, 1000.0),
    ):
        if fault in faults:
            after = tiny_networks.quantize(before, folder / "int8.onnx", chosen, gain=gain)
            yield {"fault": fault, **_compared(before, after, data, options)}


def _detectors(folder: Path, seed: int, network: str, faults: Sequence[str]) -> Iterator[dict[str, Any]]:
    before = tiny_networks.write_onnx(tiny_networks.train_detector(seed, kind=network), folder / "detector.onnx")
    data = _write(folder / "scenes", tiny_networks.scenes(IMAGES, seed + 1000)[0])
    labels = Path(",".join(tiny_networks.OBJECTS))
    options = CardOptions(labels=labels, color="rgb", mean=(0.0,), std=(255.0,), resize="stretch", decode="yolo")
    calibration, _ = tiny_networks.scenes(CALIBRATION, seed + 2000)
    for fault, keep in (("clean detector", TAIL), ("one scale for boxes and scores", ())):
        if fault in faults:
            after = tiny_networks.quantize(before, folder / "int8.onnx", calibration, keep=keep)
            yield {"fault": fault, **_compared(before, after, data, options)}


def _write(folder: Path, images: list[Any]) -> Path:
    folder.mkdir()
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number:03}.png"), image)
    return folder


def _compared(before: Path, after: Path, data: Path, options: CardOptions) -> dict[str, Any]:
    """The cause that is named ("" for none), and how far the files agree."""
    found = evaluate_pair(PairConfig(before=before, after=after, data=DatasetSelection(str(data)), options=options))
    first = found.causes[0] if found.causes else None
    return {
        "cause": "" if first is None else first.name,
        "words": "" if first is None else first.words,
        "agreement": found.agreement,
        "parts": int(sum(pair.total for pair in found.images)),
    }


if __name__ == "__main__":
    figure.run(command)
