"""The public entry points that read an input: steps, each of which may refuse it in one line."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.errors import InputError
from tests.fuzz import corpus

Step = Callable[[], object]


Steps = Callable[[Path], Sequence[Step]]


FRAMES = 8  # of a source


class WrongExitError(Exception):
    """A command ended with an exit code or an output that it must not have."""


def command(*arguments: str) -> None:
    """Run a command of edgecnn; raises ``InputError`` with its line where it refuses, and ``WrongExitError`` for a wrong end.

    Right are the exit codes 0, 1 and 2, the last two with one line.
    """
    from edgecnn.cli import main

    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            main(list(arguments), prog_name="edgecnn")
        except SystemExit as end:
            code = end.code or 0
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("error: ")]
    if code not in (0, 1, 2) or (code and len(lines) != 1) or "Traceback" in errors.getvalue():
        raise WrongExitError(f"exit code {code}: {errors.getvalue()[-300:]!r}")
    if code:
        problem, _, fix = lines[0].removeprefix("error: ").partition("; ")
        raise InputError(problem, fix)


# --- model files ---------------------------------------------------------------------------------------------------------------


def use_model(path: Path) -> Sequence[Step]:
    form = ("--json",) if path.is_file() and sum(path.read_bytes()[-64:]) % 2 else ()
    return (
        partial(command, "info", str(path), *form),
        partial(command, "selftest", str(path), *form),
        partial(predict, path),
    )


def predict(path: Path) -> None:
    from edgecnn.runtime.model.predictor import Predictor

    with Predictor(path) as predictor:
        predictor(np.full((20, 30, 3), 99, np.uint8))
        predictor(np.full((300, 20, 3), 9, np.uint8))


def model_steps(folder: Path) -> Sequence[Step]:
    found = [path for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".tflite", ".xml")]
    return [step for path in found for step in use_model(path)]


def with_texts(metadata: Mapping[str, str | bytes], task: str, folder: Path) -> Sequence[Step]:
    """An ONNX file with these texts: fields are appended to the protobuf, so that the texts need not be valid."""
    from tests.contracts.tiny import _field

    content = bare_model(task) + b"".join(_field(14, _field(1, key) + _field(2, text)) for key, text in metadata.items())
    path = folder / "model.onnx"
    path.write_bytes(content)
    return use_model(path)


@cache
def bare_model(task: str) -> bytes:
    return corpus.model_file("onnx", {}, task)["tiny.onnx"]


def task_of(folder: Path) -> str:
    return "detect" if (folder / "detect").exists() else "classify"


def card_steps(folder: Path) -> Sequence[Step]:
    text = (folder / "card.json").read_bytes()
    steps = with_texts(
        {corpus.CARD_KEY: text, corpus.GOLDENS_KEY: base64.b64encode(corpus.goldens(task_of(folder)))}, task_of(folder), folder
    )
    return [*steps, partial(read_card, text)]


def read_card(text: bytes) -> None:
    """Also cards that are no UTF-8 inside a file: the engine refuses the file before the card is read."""
    from edgecnn.card import ModelCard

    found = ModelCard.from_json(text.decode("utf-8", "surrogateescape"))
    assert ModelCard.from_json(found.to_json()).to_json() == found.to_json()
    found.preprocess.folded()


def goldens_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.golden import decode

    task = task_of(folder)
    content = (folder / "goldens.npz").read_bytes()
    # a damaged base64 is kept as it is
    text = content[1:] if content.startswith(b"!") else base64.b64encode(content)
    steps = with_texts({corpus.CARD_KEY: corpus.card(task).to_json(), corpus.GOLDENS_KEY: text}, task, folder)
    return [steps[1], lambda: decode(text.decode("utf-8", "surrogateescape"))]


def record_steps(folder: Path) -> Sequence[Step]:
    """The selftest of a file whose engine record is damaged."""
    task = task_of(folder)
    own = {**corpus.texts(task), corpus.ENGINE_KEY: (folder / "record.json").read_bytes()}
    return [with_texts(own, task, folder)[1]]


def metadata_steps(folder: Path) -> Sequence[Step]:
    show, _, predict = with_texts(json.loads((folder / "texts.json").read_bytes()), task_of(folder), folder)
    return show, predict  # no goldens, which a selftest needs


# --- PyTorch ----------------------------------------------------------------------------------------------------------------------


def checkpoint_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.models import load_checkpoint
    from edgecnn.models.checkpoint import read_card

    path = folder / "model.safetensors"
    return (partial(read_card, path), partial(load_checkpoint, path), partial(command, "info", str(path)))


def weights_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.export.factory import load_weights

    return [partial(load_weights, corpus.network(), path) for path in sorted(folder.iterdir())]


def program_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.export.program import read_program

    return [partial(read_program, path) for path in sorted(folder.iterdir())]


# --- datasets and lists -----------------------------------------------------------------------------------------------------------


def dataset_steps(*queries: str) -> Steps:
    def steps(folder: Path) -> Sequence[Step]:
        return [partial(read_dataset, f"{folder}{query}") for query in ("", *queries)]

    return steps


def read_dataset(address: str) -> None:
    from edgecnn.data import open_dataset
    from edgecnn.data.problems import problem_lines
    from edgecnn.errors import EdgeCnnError

    dataset = open_dataset(address)
    problem_lines(dataset)
    for index in range(min(len(dataset), 12)):
        sample = dataset.samples[index]
        try:
            pixels = sample.read()
        except EdgeCnnError as error:  # one damaged image; the others are read
            check_line(error)
            continue
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        if sample.boxes is not None:
            assert np.isfinite(sample.boxes.xyxy).all()
            assert (sample.boxes.class_id < len(dataset.labels)).all()
        if sample.label is not None:
            assert 0 <= sample.label < len(dataset.labels)
        if sample.value is not None:
            assert math.isfinite(sample.value)


def labels_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.labels import parse_labels

    return [partial(read_labels, parse_labels, path) for path in sorted(folder.iterdir())]


def read_labels(read: Callable[[Path], tuple[str, ...]], path: Path) -> None:
    names = read(path)
    assert names
    assert all(name.strip() for name in names)


def address_steps(folder: Path) -> Sequence[Step]:
    file = folder / "address.txt"
    text = (file.read_bytes() if file.is_file() else b"DIR").decode("utf-8", "replace").rstrip("\r\n")
    place = text.replace("DIR", str(folder / "data"))
    return (partial(open_address, place), partial(open_source, place))


def open_address(text: str) -> None:
    from edgecnn.data import dataset_splits, held_out_split, open_dataset

    dataset = open_dataset(text, limit=3)
    for index in range(len(dataset)):
        dataset.samples[index].read()
    dataset_splits(text)
    held_out_split(text)


# --- sources and settings ---------------------------------------------------------------------------------------------------------


def sources_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.data.image_files import image_size, read_image

    steps: list[Step] = []
    for path in sorted(folder.iterdir()):
        steps.append(partial(open_source, str(path)))
        if path.suffix not in (".mp4", ".mkv", ".avi"):
            steps += [partial(read_image, path), partial(image_size, path), partial(open_source, str(folder))]
    return steps


def open_source(text: str) -> None:
    from edgecnn.runtime.sources import open_source

    source = open_source(text, paced=False)
    # nothing is asked of the network, of cameras or of standard input
    if source.live or not (text.startswith("scene:") or Path(text).exists()):
        return
    with source:
        for count, _ in enumerate(source, 1):
            if count == FRAMES:
                break


def cameras_steps(folder: Path) -> Sequence[Step]:
    from edgecnn.live.cameras_file import CamerasFile
    from edgecnn.live.config import CameraConfig

    return (lambda: CamerasFile(folder / "cameras.toml", CameraConfig()).read(),)


def settings_steps(folder: Path) -> Sequence[Step]:
    record = json.loads((folder / "settings.json").read_bytes())
    return (partial(fill, record), partial(open_with, record))


def fill(record: Mapping[str, Any]) -> None:
    from edgecnn.live.config import CameraConfig, RunConfig
    from edgecnn.live.config_fields import filled

    camera = filled(CameraConfig, record)
    filled(RunConfig, {key: value for key, value in record.items() if key not in ("cameras", "cameras_file")}, cameras=(camera,))


def open_with(record: Mapping[str, Any]) -> None:
    """The settings that Python code gives: a wrong one must not end in a traceback from deep inside."""
    from edgecnn.runtime.model.detector import Detector
    from edgecnn.runtime.pipeline.stream import stream

    given = {name: record[name] for name in ("device", "threads", "requests", "score_threshold") if name in record}
    more = {name: record[name] for name in ("policy", "max_frames", "timeout") if name in record}
    with Detector("cups", **given) as detector:
        detector(np.zeros((32, 32, 3), np.uint8))
    for _ in zip(range(2), stream("scene:cups?count=2", "cups", **given, **more), strict=False):
        pass


def check_line(error: Exception) -> None:
    """Raise ``WrongExitError`` where an error of edgecnn is not one printable line "problem; fix"."""
    text = str(error)
    if not text.isprintable() or "; " not in text:
        raise WrongExitError(f"{type(error).__name__} is not one line of plain text: {text[:300]!r}")
