"""int8 ONNX files on an emulated processor without VNNI (qemu-user) against the same files here: agreement, differences, latency.

``python -m edgecnn.benchmarks.figures.saturation cups OLD.onnx --images FOLDER --json FILE``
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import cv2
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.columns import align_columns
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.parity import TOLERANCES
from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.tasks import compare
from edgecnn.types import Array, Image

EMULATOR = "qemu-x86_64"
WITHIN = 0.5  # percentage points of agreement that may be lost
RUNS = 30  # of each file for its latency, the files in turns
CHILD = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
images, name = numpy.load(sys.argv[2]), session.get_inputs()[0].name
found = [session.run(None, {name: image}) for image in images]
numpy.savez(sys.argv[3], *(numpy.concatenate(rows) for rows in zip(*found)))
"""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--images", "folder", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of photos.")
@click.option("--limit", type=click.IntRange(1), default=32, show_default=True, help="Number of photos.")
@click.option("--cpu", default="Haswell", show_default=True, help="The emulated processor, one without VNNI.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(files: tuple[Path, ...], folder: Path, limit: int, cpu: str, json_path: Path | None) -> None:
    """Run ONNX files here and on an emulated processor, and compare their outputs."""
    if shutil.which(EMULATOR) is None:
        raise InputError(f"{EMULATOR} is not installed", "install the package qemu-user")
    if json_path is not None:
        check_writable(json_path)
    photos = [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(folder.iterdir())[:limit]]
    backends = [open_backend(path, threads=1) for path in files]
    with ProgressLine() as status:
        rows = []
        for path, backend in zip(files, backends, strict=True):
            status(f"{path.name} on {cpu}")
            rows.append(_row(path, backend, photos, cpu))
        status("latency")
        for row, milliseconds in zip(rows, _latency(backends), strict=True):
            row["milliseconds"] = milliseconds
    click.echo(table(rows))
    if json_path is not None:
        content = {"emulated": cpu, "emulator": EMULATOR, "within_points": WITHIN, "photos": len(photos), "rows": rows}
        figure.record(json_path, "saturation", content)


def _row(path: Path, backend: Backend, photos: Sequence[Image], cpu: str) -> dict[str, Any]:
    card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path)) if CARD_KEY in backend.metadata else None
    spec = backend.inputs[0]
    if card is not None:
        prepare = Preprocessor(card.preprocess, spec)
        images = np.stack([prepare(photo)[0][spec.name].copy() for photo in photos])
    else:
        images = np.stack([cv2.resize(photo, (spec.shape[2], spec.shape[1]))[None] for photo in photos])
    here = [backend.run({spec.name: image}) for image in images]
    names = [output.name for output in backend.outputs]
    exact = [np.concatenate([outputs[name] for outputs in here]) for name in names]
    there = _emulated(path, images, cpu)
    return {
        "name": path.name,
        "sha256": sha256_of(path),
        "images": len(images),
        "agreement": _agreement(card, names, exact, there),
        "cosine": min(_cosine(*pair) for pair in zip(exact, there, strict=True)),
        "largest": max(float(np.abs(a - b).max() / max(np.ptp(a), 1e-9)) for a, b in zip(exact, there, strict=True)),
    }


def _emulated(path: Path, images: Array, cpu: str) -> list[Array]:
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        given, made = Path(folder) / "in.npy", Path(folder) / "out.npz"
        np.save(given, images)
        words = [EMULATOR, "-cpu", cpu, sys.executable, "-c", CHILD, str(path), str(given), str(made)]
        subprocess.run(words, check=True, capture_output=True)
        with np.load(made) as found:
            return [found[name] for name in found.files]


def _agreement(card: ModelCard | None, names: Sequence[str], exact: Sequence[Array], there: Sequence[Array]) -> float:
    """Share of labels, or of boxes of both, that agree; without a card the largest value of the first output is the label."""
    if card is None:
        return float((exact[0].argmax(-1) == there[0].argmax(-1)).mean())
    pairs = []
    for index in range(len(exact[0])):
        first, second = (
            decode({name: array[index : index + 1] for name, array in zip(names, side, strict=True)}, card)
            for side in (exact, there)
        )
        pairs.append(compare(first, second, TOLERANCES["int8"]))
    return sum(pair.same for pair in pairs) / max(sum(pair.total for pair in pairs), 1)


def _cosine(first: Array, second: Array) -> float:
    one, other = first.ravel().astype(np.float64), second.ravel().astype(np.float64)
    return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-12))


def _latency(backends: Sequence[Backend]) -> list[float]:
    """Median milliseconds of each file on this processor, the files in turns, one thread."""
    feeds = [{backend.inputs[0].name: np.full(backend.inputs[0].shape, 127, np.uint8)} for backend in backends]
    samples: list[list[float]] = [[] for _ in backends]
    for _ in range(RUNS):
        for backend, feed, found in zip(backends, feeds, samples, strict=True):
            started = perf_counter()
            backend.run(feed)
            found.append((perf_counter() - started) * 1e3)
    return [float(np.median(found)) for found in samples]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["file", "images", "agreement", "cosine", "largest difference", "ms here"]]
    for row in rows:
        numbers = [
            f"{row['agreement'] * 100:.1f} %",
            f"{row['cosine']:.4f}",
            f"{row['largest']:.4f}",
            f"{row['milliseconds']:.2f}",
        ]
        cells.append([row["name"], str(row["images"]), *numbers])
    return align_columns(cells, left=1)


if __name__ == "__main__":
    figure.run(command)
