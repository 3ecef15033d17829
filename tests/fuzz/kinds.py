"""The kinds of inputs: what an undamaged one is, how it is damaged, and the steps that read it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from tests.fuzz import corpus
from tests.fuzz.entry_points import (
    Steps,
    address_steps,
    cameras_steps,
    card_steps,
    checkpoint_steps,
    dataset_steps,
    goldens_steps,
    labels_steps,
    metadata_steps,
    model_steps,
    program_steps,
    record_steps,
    settings_steps,
    sources_steps,
    weights_steps,
)
from tests.fuzz.mutate import Files, in_bytes, in_json, in_one_of, in_text, in_values, in_zip

Damage = Callable[[Random, Files], Files]


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
        lambda: _tasks("card.json", lambda task: corpus.card(task).to_json().encode()), _only("card.json", in_json), card_steps
    ),
    "goldens": Kind(lambda: _tasks("goldens.npz", corpus.goldens), _damage_goldens, goldens_steps, share=0.6),
    "record": Kind(
        lambda: _tasks("record.json", lambda task: corpus.engine_record(task).encode()),
        _only("record.json", in_json),
        record_steps,
    ),
    "metadata": Kind(_texts, _damage_texts, metadata_steps),
    "onnx": Kind(_models("onnx"), _pairs((".onnx", in_bytes)), model_steps, engine=True),
    "tflite": Kind(_models("tflite"), _pairs((".tflite", in_bytes)), model_steps, engine=True),
    "openvino": Kind(
        _models("openvino"), _pairs((".xml", in_text), (".xml", in_bytes), (".bin", in_bytes)), model_steps, engine=True
    ),
    "checkpoint": Kind(_dict(corpus.checkpoint), _pairs((".safetensors", in_bytes)), checkpoint_steps),
    "weights": Kind(_each(corpus.weights), _pairs((".safetensors", in_bytes), ("", in_zip(in_bytes))), weights_steps),
    "program": Kind(_dict(corpus.program), _pairs((".json", in_json), ("", in_zip(in_bytes))), program_steps, share=0.2),
    "labels": Kind(_each(lambda: LABELS), _pairs((".json", in_json), ("", in_text)), labels_steps),
    "yolo": Kind(
        _dict(corpus.yolo), _pairs((".txt", in_text), (".yaml", in_text), (".png", in_bytes)), dataset_steps("?split=train")
    ),
    "coco": Kind(_dict(corpus.coco), _pairs((".json", in_json), (".png", in_bytes)), dataset_steps("/instances_val.json")),
    "voc": Kind(
        _dict(corpus.voc), _pairs((".xml", in_text), (".txt", in_text), (".png", in_bytes)), dataset_steps("?split=train")
    ),
    "dota": Kind(_dict(corpus.dota), _pairs((".txt", in_text), (".png", in_bytes)), dataset_steps("?split=train")),
    "idx": Kind(_dict(corpus.idx), _pairs(("ubyte", in_bytes)), dataset_steps("?split=train", "?split=test")),
    "mot": Kind(_dict(corpus.mot), _pairs((".ini", in_text), (".txt", in_text), (".png", in_bytes)), dataset_steps("/street")),
    "folders": Kind(_dict(corpus.folders), _pairs((".png", in_bytes)), dataset_steps("?split=val")),
    "values": Kind(_dict(corpus.values), _pairs((".csv", in_text), (".png", in_bytes)), dataset_steps()),
    "list": Kind(_list_files, _pairs(("list.txt", in_text), ("list.txt", in_bytes)), lambda folder: address_steps(folder)[:1]),
    "address": Kind(_with_address, _only("address.txt", in_text), address_steps),
    "image": Kind(_each(corpus.images), _pairs(("", in_bytes)), sources_steps),
    "video": Kind(_each(corpus.videos), _pairs(("", in_bytes)), sources_steps),
    "cameras": Kind(lambda: [{"cameras.toml": corpus.CAMERAS}], _pairs((".toml", in_text)), cameras_steps),
    "settings": Kind(
        lambda: [{"settings.json": json.dumps(SETTINGS).encode()}], _only("settings.json", in_values), settings_steps, share=0.2
    ),
}
