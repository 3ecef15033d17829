"""The kinds of inputs: what an undamaged one is, how it is damaged, and the public entry points that read it."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edgecnn.errors import InputError
from tests.fuzz import corpus
from tests.fuzz.mutate import Files, in_bytes, in_json, in_one_of, in_text, in_values, in_zip

Step = Callable[[], object]
Steps = Callable[[Path], Sequence[Step]]
Damage = Callable[[Random, Files], Files]

FRAMES = 8  # of a source


class WrongExitError(Exception):
    """A command ended with an exit code or an output that it must not have."""


@dataclass(frozen=True)
class Kind:
    """``make`` gives the undamaged variants; ``steps`` are the uses of a damaged one in a folder, each of which may refuse it.

    ``engine``: an inference engine loads the file. It may crash; then the helper process has to say so in one line.
    ``share``: of the inputs of a run, less where one takes half a second.
    """

    make: Callable[[], Sequence[Files]]
    damage: Damage
    steps: Steps
    engine: bool = False
    share: float = 1.0


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
        partial(_predict, path),
    )


def _predict(path: Path) -> None:
    from edgecnn.runtime.model.predictor import Predictor

    with Predictor(path) as predictor:
        predictor(np.full((20, 30, 3), 99, np.uint8))
        predictor(np.full((300, 20, 3), 9, np.uint8))


def _model(folder: Path) -> Sequence[Step]:
    found = [path for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".tflite", ".xml")]
    return [step for path in found for step in use_model(path)]


def _with_texts(metadata: Mapping[str, str | bytes], task: str, folder: Path) -> Sequence[Step]:
    """An ONNX file with these texts: fields are appended to the protobuf, so that the texts need not be valid."""
    from tests.contracts.tiny import _field

    content = _bare(task) + b"".join(_field(14, _field(1, key) + _field(2, text)) for key, text in metadata.items())
    path = folder / "model.onnx"
    path.write_bytes(content)
    return use_model(path)


@cache
def _bare(task: str) -> bytes:
    return corpus.model_file("onnx", {}, task)["tiny.onnx"]


def _task(folder: Path) -> str:
    return "detect" if (folder / "detect").exists() else "classify"


def _card(folder: Path) -> Sequence[Step]:
    text = (folder / "card.json").read_bytes()
    steps = _with_texts(
        {corpus.CARD_KEY: text, corpus.GOLDENS_KEY: base64.b64encode(corpus.goldens(_task(folder)))}, _task(folder), folder
    )
    return [*steps, partial(_read_card, text)]


def _read_card(text: bytes) -> None:
    """Also cards that are no UTF-8 inside a file: the engine refuses the file before the card is read."""
    from edgecnn.card import ModelCard

    found = ModelCard.from_json(text.decode("utf-8", "surrogateescape"))
    assert ModelCard.from_json(found.to_json()).to_json() == found.to_json()
    found.preprocess.folded()


def _goldens(folder: Path) -> Sequence[Step]:
    from edgecnn.golden import decode

    task = _task(folder)
    content = (folder / "goldens.npz").read_bytes()
    # a damaged base64 is kept as it is
    text = content[1:] if content.startswith(b"!") else base64.b64encode(content)
    steps = _with_texts({corpus.CARD_KEY: corpus.card(task).to_json(), corpus.GOLDENS_KEY: text}, task, folder)
    return [steps[1], lambda: decode(text.decode("utf-8", "surrogateescape"))]


def _record(folder: Path) -> Sequence[Step]:
    """The selftest of a file whose engine record is damaged."""
    task = _task(folder)
    own = {**corpus.texts(task), corpus.ENGINE_KEY: (folder / "record.json").read_bytes()}
    return [_with_texts(own, task, folder)[1]]


def _damage_goldens(rng: Random, files: Files) -> Files:
    content = files["goldens.npz"]
    if rng.random() < 0.1:
        return {**files, "goldens.npz": b"!" + in_bytes(rng, base64.b64encode(content))}
    return {**files, "goldens.npz": in_zip(_damage_array)(rng, content)}


def _damage_array(rng: Random, content: bytes) -> bytes:
    """Damage the JSON in an array of bytes, another array's header or values, or put an array of another type there."""
    kind = rng.randrange(4)
    if kind == 0:
        other = (
            np.zeros((3, 0)),
            np.array(["a"]),
            np.array([None]),
            np.float32(1),
            np.zeros((2, 2, 2), np.complex64),
            np.zeros(5, "u1,f4"),
        )
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(rng.choice(other)))
        return buffer.getvalue()
    if kind == 1:
        buffer = io.BytesIO()
        shape = rng.choice(((2**44,), (2**31, 2**31), (-1,), (0,), (2**63,), (1,) * 40))
        np.lib.format.write_array_header_1_0(
            buffer, {"descr": rng.choice(("<f4", "|u1", "<u2")), "fortran_order": False, "shape": shape}
        )
        return buffer.getvalue() + rng.randbytes(64)
    array = np.load(io.BytesIO(content))
    if array.dtype != np.uint8 or not array.tobytes().startswith(b"{"):
        return in_bytes(rng, content)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.frombuffer(in_json(rng, array.tobytes()), np.uint8))
    return buffer.getvalue()


def _metadata(folder: Path) -> Sequence[Step]:
    show, _, predict = _with_texts(json.loads((folder / "texts.json").read_bytes()), _task(folder), folder)
    return show, predict  # no goldens, which a selftest needs


def _damage_texts(rng: Random, files: Files) -> Files:
    """Damage one of the texts, leave one out or give it to another key."""
    record = json.loads(files["texts.json"])
    key = rng.choice(list(record))
    kind = rng.randrange(10)
    if kind == 0:
        del record[key]
    elif kind == 1:
        record[rng.choice(list(record))] = record[key]
    else:
        record[key] = in_text(rng, record[key].encode()).decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()
    return {**files, "texts.json": json.dumps(record).encode()}


# --- PyTorch ----------------------------------------------------------------------------------------------------------------------


def _checkpoint(folder: Path) -> Sequence[Step]:
    from edgecnn.models import load_checkpoint
    from edgecnn.models.checkpoint import read_card

    path = folder / "model.safetensors"
    return (partial(read_card, path), partial(load_checkpoint, path), partial(command, "info", str(path)))


def _weights(folder: Path) -> Sequence[Step]:
    from edgecnn.export.factory import load_weights

    return [partial(load_weights, corpus.network(), path) for path in sorted(folder.iterdir())]


def _program(folder: Path) -> Sequence[Step]:
    from edgecnn.export.program import read_program

    return [partial(read_program, path) for path in sorted(folder.iterdir())]


# --- datasets and lists -----------------------------------------------------------------------------------------------------------


def _dataset(*queries: str) -> Steps:
    def steps(folder: Path) -> Sequence[Step]:
        return [partial(_read_dataset, f"{folder}{query}") for query in ("", *queries)]

    return steps


def _read_dataset(address: str) -> None:
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


def _labels(folder: Path) -> Sequence[Step]:
    from edgecnn.labels import parse_labels

    return [partial(_read_labels, parse_labels, path) for path in sorted(folder.iterdir())]


def _read_labels(read: Callable[[Path], tuple[str, ...]], path: Path) -> None:
    names = read(path)
    assert names
    assert all(name.strip() for name in names)


def _address(folder: Path) -> Sequence[Step]:
    file = folder / "address.txt"
    text = (file.read_bytes() if file.is_file() else b"DIR").decode("utf-8", "replace").rstrip("\r\n")
    place = text.replace("DIR", str(folder / "data"))
    return (partial(_open_address, place), partial(_open_source, place))


def _open_address(text: str) -> None:
    from edgecnn.data import dataset_splits, held_out_split, open_dataset

    dataset = open_dataset(text, limit=3)
    for index in range(len(dataset)):
        dataset.samples[index].read()
    dataset_splits(text)
    held_out_split(text)


# --- sources and settings ---------------------------------------------------------------------------------------------------------


def _sources(folder: Path) -> Sequence[Step]:
    from edgecnn.data.image_files import image_size, read_image

    steps: list[Step] = []
    for path in sorted(folder.iterdir()):
        steps.append(partial(_open_source, str(path)))
        if path.suffix not in (".mp4", ".mkv", ".avi"):
            steps += [partial(read_image, path), partial(image_size, path), partial(_open_source, str(folder))]
    return steps


def _open_source(text: str) -> None:
    from edgecnn.runtime.sources import open_source

    source = open_source(text, paced=False)
    # nothing is asked of the network, of cameras or of standard input
    if source.live or not (text.startswith("scene:") or Path(text).exists()):
        return
    with source:
        for count, _ in enumerate(source, 1):
            if count == FRAMES:
                break


def _cameras(folder: Path) -> Sequence[Step]:
    from edgecnn.live.cameras_file import CamerasFile
    from edgecnn.live.config import CameraConfig

    return (lambda: CamerasFile(folder / "cameras.toml", CameraConfig()).read(),)


def _settings(folder: Path) -> Sequence[Step]:
    record = json.loads((folder / "settings.json").read_bytes())
    return (partial(_fill, record), partial(_open_with, record))


def _fill(record: Mapping[str, Any]) -> None:
    from edgecnn.live.config import CameraConfig, RunConfig
    from edgecnn.live.config_fields import filled

    camera = filled(CameraConfig, record)
    filled(RunConfig, {key: value for key, value in record.items() if key not in ("cameras", "cameras_file")}, cameras=(camera,))


def _open_with(record: Mapping[str, Any]) -> None:
    """The settings that Python code gives: a wrong one must not end in a traceback from deep inside."""
    from edgecnn.runtime.model.detector import Detector
    from edgecnn.runtime.pipeline.stream import stream

    given = {name: record[name] for name in ("device", "threads", "requests", "score_threshold") if name in record}
    more = {name: record[name] for name in ("policy", "max_frames", "timeout") if name in record}
    with Detector("cups", **given) as detector:
        detector(np.zeros((32, 32, 3), np.uint8))
    for _ in zip(range(2), stream("scene:cups?count=2", "cups", **given, **more), strict=False):
        pass


SETTINGS = {
    "source": "scene:cups?count=2",
    "model": "cups",
    "name": "door",
    "policy": "all",
    "every": 1,
    "max_fps": None,
    "timeout_s": 5.0,
    "timeout": 5.0,
    "device": "cpu",
    "threads": 1,
    "requests": 1,
    "score_threshold": 0.3,
    "lines": [],
    "only": ["cup"],
    "track": True,
    "max_frames": 2,
    "log": "off",
    "repeat": 1,
}
ADDRESSES = (
    "DIR",
    "DIR?split=train&val_fraction=0.25&seed=3",
    "DIR?list=DIR/list.txt",
    "DIR?rename=cat=dog&classes=dog&labels=a,b",
    "DIR?group=[a-z]+&split=val",
    "DIR?merge=thing&limit=3",
    "scene:cups?seed=3&count=20&every=4&fps=10",
    "scene:cups?size=240x320&cut=2",
    "0?size=1280x720&fps=30&fourcc=MJPG",
    "rtsp://me:secret@127.0.0.1:9/a?b=c",
    "http://127.0.0.1:9/x.mjpg",
    "gst:videotestsrc ! appsink",
    "DIR/train/*/?.png",
    "frame_%04d.png",
)


def _with_address() -> Sequence[Files]:
    data = {f"data/{path}": content for path, content in corpus.folders().items()}
    return [{"address.txt": text.encode(), "data/list.txt": b"0.png\n1.png\n", **data} for text in ADDRESSES]


def _pairs(*mutators: Any) -> Damage:
    return in_one_of(mutators)


def _tasks(name: str, make: Callable[[str], bytes]) -> Sequence[Files]:
    """For both tasks; an empty file called "detect" names the task."""
    return [{name: make("classify")}, {name: make("detect"), "detect": b""}]


def _only(name: str, damage: Callable[[Random, bytes], bytes]) -> Damage:
    return lambda rng, files: {**files, name: damage(rng, files[name])}


def _texts() -> Sequence[Files]:
    return [{"texts.json": json.dumps(record).encode()} for record in (corpus.ULTRALYTICS, corpus.MODEL_API)]


def _models(form: str) -> Callable[[], Sequence[Files]]:
    return lambda: [
        corpus.model_file(form, corpus.texts("classify"), "classify"),
        corpus.model_file(form, corpus.texts("detect"), "detect"),
        corpus.sealed_file(form),
    ]


LABELS: Files = {
    "names.txt": "cat\ndog\n\nblue car\n".encode("utf-8-sig"),
    "data.yaml": b"nc: 3\nnames: [cat, 'dog', \"blue car\"]\ntrain: images\n",
    "map.yaml": b"names:\n  0: cat\n  1: it's\n  2: no\n",
    "names.json": b'{"names": {"0": "cat", "1": "dog"}}',
}


def _dict(make: Callable[[], Files]) -> Callable[[], Sequence[Files]]:
    return lambda: [make()]


def _each(files: Callable[[], Files]) -> Callable[[], Sequence[Files]]:
    """One variant for each file: every input damages one of them alone."""
    return lambda: [{path: content} for path, content in files().items()]


def _list_files() -> Sequence[Files]:
    return [
        {
            "address.txt": b"DIR?list=DIR/list.txt",
            "data/list.txt": b"0.png\ntrain/cat/1.png\n",
            **{f"data/{key}": value for key, value in corpus.folders().items()},
        }
    ]


KINDS: Mapping[str, Kind] = {
    "card": Kind(
        lambda: _tasks("card.json", lambda task: corpus.card(task).to_json().encode()), _only("card.json", in_json), _card
    ),
    "goldens": Kind(lambda: _tasks("goldens.npz", corpus.goldens), _damage_goldens, _goldens, share=0.6),
    "record": Kind(
        lambda: _tasks("record.json", lambda task: corpus.engine_record(task).encode()), _only("record.json", in_json), _record
    ),
    "metadata": Kind(_texts, _damage_texts, _metadata),
    "onnx": Kind(_models("onnx"), _pairs((".onnx", in_bytes)), _model, engine=True),
    "tflite": Kind(_models("tflite"), _pairs((".tflite", in_bytes)), _model, engine=True),
    "openvino": Kind(_models("openvino"), _pairs((".xml", in_text), (".xml", in_bytes), (".bin", in_bytes)), _model, engine=True),
    "checkpoint": Kind(_dict(corpus.checkpoint), _pairs((".safetensors", in_bytes)), _checkpoint),
    "weights": Kind(_each(corpus.weights), _pairs((".safetensors", in_bytes), ("", in_zip(in_bytes))), _weights),
    "program": Kind(_dict(corpus.program), _pairs((".json", in_json), ("", in_zip(in_bytes))), _program, share=0.2),
    "labels": Kind(_each(lambda: LABELS), _pairs((".json", in_json), ("", in_text)), _labels),
    "yolo": Kind(_dict(corpus.yolo), _pairs((".txt", in_text), (".yaml", in_text), (".png", in_bytes)), _dataset("?split=train")),
    "coco": Kind(_dict(corpus.coco), _pairs((".json", in_json), (".png", in_bytes)), _dataset("/instances_val.json")),
    "voc": Kind(_dict(corpus.voc), _pairs((".xml", in_text), (".txt", in_text), (".png", in_bytes)), _dataset("?split=train")),
    "idx": Kind(_dict(corpus.idx), _pairs(("ubyte", in_bytes)), _dataset("?split=train", "?split=test")),
    "mot": Kind(_dict(corpus.mot), _pairs((".ini", in_text), (".txt", in_text), (".png", in_bytes)), _dataset("/street")),
    "folders": Kind(_dict(corpus.folders), _pairs((".png", in_bytes)), _dataset("?split=val")),
    "values": Kind(_dict(corpus.values), _pairs((".csv", in_text), (".png", in_bytes)), _dataset()),
    "list": Kind(_list_files, _pairs(("list.txt", in_text), ("list.txt", in_bytes)), lambda folder: _address(folder)[:1]),
    "address": Kind(_with_address, _only("address.txt", in_text), _address),
    "image": Kind(_each(corpus.images), _pairs(("", in_bytes)), _sources),
    "video": Kind(_each(corpus.videos), _pairs(("", in_bytes)), _sources),
    "cameras": Kind(lambda: [{"cameras.toml": corpus.CAMERAS}], _pairs((".toml", in_text)), _cameras),
    "settings": Kind(
        lambda: [{"settings.json": json.dumps(SETTINGS).encode()}], _only("settings.json", in_values), _settings, share=0.2
    ),
}


def check_line(error: Exception) -> None:
    """Raise ``WrongExitError`` where an error of edgecnn is not one printable line "problem; fix"."""
    text = str(error)
    if not text.isprintable() or "; " not in text:
        raise WrongExitError(f"{type(error).__name__} is not one line of plain text: {text[:300]!r}")
