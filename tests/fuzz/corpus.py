"""The undamaged inputs of each kind, made here: small model files, datasets, images, videos and settings."""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.golden import GOLDENS_KEY, Golden, decode, encode, sample_output
from edgecnn.integrity.digest import sealed
from edgecnn.postprocess import decode as decode_outputs
from edgecnn.runtime.model.engine_record import ENGINE_KEY
from edgecnn.runtime.model.engine_record import encode as encode_record
from edgecnn.synthetic_inputs import pattern
from edgecnn.types import TensorSpec
from tests.contracts.tiny import Graph, write
from tests.fuzz.mutate import Files

SIZE = 16
SCORES = np.array([[1, 3, 2]], np.float32)
CELLS = np.full((1, 5, 4), 0.5, np.float32)
INPUT = TensorSpec("image", (1, SIZE, SIZE, 3), "uint8", "NHWC")


def card(task: str = "classify") -> ModelCard:
    """The card of a classifier with three classes, or of a detector with two."""
    detector = task == "detect"
    return ModelCard(
        name="tiny",
        task="detect" if detector else "classify",
        labels=("cat", "dog") if detector else ("cat", "dog", "mug"),
        preprocess=Preprocess((SIZE, SIZE)).folded(),
        decode=Decode("fcos", {"strides": [8, 16], "score_threshold": 0.3, "iou_threshold": 0.6, "max_detections": 10})
        if detector
        else Decode("softmax"),
        inputs=(INPUT,),
        outputs=tuple(TensorSpec(name, value.shape, "float32") for name, value in outputs(task).items()),
        model={"name": "resnet-xs", "options": {"classes": 3, "size": [SIZE, SIZE]}},
        training={"seed": 1, "epochs": [1, 2, 3], "loss": {"first": 1.5}},
        parity={
            "passed": True,
            "real_inputs": "two images",
            "rows": [{"kind": "real", "n": 2, "outputs": {"scores": {"largest": 1e-6, "mean": 1e-7, "cosine": 1.0}}}],
        },
        sha256="0" * 64,
    )


def outputs(task: str) -> dict[str, Any]:
    return {"boxes": CELLS, "scores": np.full((1, 5, 2), 0.4, np.float32)} if task == "detect" else {"logits": SCORES}


@cache
def goldens(task: str = "classify") -> bytes:
    """The .npz of two goldens: a real image and a pattern."""
    import base64

    found = decode_outputs(outputs(task), card(task))
    kept = {name: sample_output(value, 4.0, 8) for name, value in outputs(task).items()}
    image = pattern("gradient", SIZE, SIZE)
    return base64.b64decode(encode([Golden("real", image, kept, found), Golden("noise", pattern("noise", SIZE, SIZE), kept)]))


def texts(task: str) -> dict[str, str]:
    import base64

    return {CARD_KEY: card(task).to_json(), GOLDENS_KEY: base64.b64encode(goldens(task)).decode()}


def engine_record(task: str = "classify") -> str:
    """The outputs that the verifying engine is said to have computed for both goldens."""
    import base64

    stored = decode(base64.b64encode(goldens(task)).decode())
    return encode_record([outputs(task)] * len(stored), [golden.outputs for golden in stored], "onnx")


def sealed_file(form: str, task: str = "classify") -> Files:
    """A model file with digests, as an export writes it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write(folder, form, Graph(outputs(task), shape=INPUT.shape, gain=0.0))
        own = {key: text for key, text in texts(task).items() if key != CARD_KEY}
        path.write_bytes(sealed(path, card(task), {**own, ENGINE_KEY: engine_record(task)})[1])
        return read_folder(folder)


def model_file(form: str, metadata: Mapping[str, str], task: str = "classify") -> Files:
    """A model file in a format, with texts inside."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, form, Graph(outputs(task), shape=INPUT.shape, gain=0.0, metadata=dict(metadata)))
        return read_folder(folder)


def read_folder(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def image(suffix: str = ".png", width: int = 40, height: int = 30, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 5, width // 5, 3), np.uint8)
    return bytes(cv2.imencode(suffix, cv2.resize(pixels, (width, height)))[1])


def with_exif(jpeg: bytes, orientation: int = 6) -> bytes:
    """The JPEG with an EXIF block that turns it."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def coco() -> Files:
    record = {
        "images": [{"id": number, "file_name": f"{number}.png", "width": 40, "height": 30} for number in (11, 12)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 11, "category_id": 7, "bbox": [1, 2, 10, 12], "area": 120.0, "iscrowd": 0},
            {"id": 2, "image_id": 12, "category_id": 3, "bbox": [5.5, 6, 8, 8], "area": None, "iscrowd": 1},
        ],
    }
    return {"instances_val.json": json.dumps(record).encode(), "val/11.png": image(seed=1), "val/12.png": image(seed=2)}


def voc() -> Files:
    xml = (
        "<annotation>\n<filename>a.png</filename>\n<size><width>40</width><height>30</height><depth>3</depth></size>\n<object>\n"
        "<name>dog</name>\n<difficult>0</difficult>\n<bndbox>\n<xmin>2</xmin>\n<ymin>3</ymin>\n<xmax>20</xmax>\n<ymax>15</ymax>\n"
        "</bndbox>\n</object>\n</annotation>\n"
    )
    return {
        "Annotations/a.xml": xml.encode(),
        "Annotations/b.xml": xml.replace("a.png", "b.png").replace("dog", "cat").encode(),
        "JPEGImages/a.png": image(seed=1),
        "JPEGImages/b.png": image(seed=2),
        "ImageSets/Main/train.txt": b"a\n",
        "ImageSets/Main/val.txt": b"b\n",
    }


def dota() -> Files:
    return {
        "train/images/a.png": image(seed=1),
        "train/labelTxt/a.txt": b"imagesource:GoogleEarth\ngsd:0.146\n2 3 20 3 20 15 2 15 ship 0\n30 5 36 9 30 14 25 9 large-plane 1\n",
        "val/images/b.png": image(seed=2),
        "val/labelTxt/b.txt": b"30.0 5.0 36.0 9.0 30.0 14.0 25.0 9.0 ship 0\n",
    }


def yolo() -> Files:
    return {
        "data.yaml": b"path: .\ntrain: images/train\nval: images/val\nnc: 2\nnames:\n  0: cat\n  1: 'dog'\n",
        "images/train/a.png": image(seed=1),
        "images/train/b.png": image(seed=2),
        "images/val/c.png": image(seed=3),
        "labels/train/a.txt": b"0 0.5 0.5 0.2 0.3\n1 0.25 0.25 0.1 0.1\n",
        "labels/train/b.txt": b"1 0.1 0.1 0.4 0.1 0.4 0.4\n",
        "labels/val/c.txt": b"0 0.5 0.5 1 1\n",
    }


def idx() -> Files:
    files = {}
    for prefix, count in (("train", 6), ("t10k", 4)):
        pixels = np.random.default_rng(count).integers(0, 255, (count, 8, 8), np.uint8)
        files[f"{prefix}-images-idx3-ubyte"] = struct.pack(">4I", 0x803, count, 8, 8) + pixels.tobytes()
        files[f"{prefix}-labels-idx1-ubyte"] = struct.pack(">2I", 0x801, count) + bytes(range(count))
    return files


def mot() -> Files:
    info = "[Sequence]\nname=street\nimDir=img1\nframeRate=25\nseqLength=2\nimWidth=40\nimHeight=30\nimExt=.png\n"
    rows = "1,1,2,3,10,12,1,1,0.9\n2,1,3,3,10,12,1,1,0.8\n2,2,20,3,8,12,0,7,1\n"
    return {
        "street/seqinfo.ini": info.encode(),
        "street/gt/gt.txt": rows.encode(),
        "street/img1/000001.png": image(seed=1),
        "street/img1/000002.png": image(seed=2),
    }


def folders() -> Files:
    names = [(split, name, number) for split in ("train", "val") for name in ("cat", "dog") for number in range(2)]
    return {f"{split}/{name}/{number}.png": image(seed=index) for index, (split, name, number) in enumerate(names)}


def values() -> Files:
    return {"values.csv": b"file,angle\na.png,12.5\nimages/b.png,-3\n", "a.png": image(seed=1), "images/b.png": image(seed=2)}


def images() -> Files:
    jpeg = image(".jpg")
    return {
        "a.png": image(),
        "b.jpg": jpeg,
        "c.jpg": with_exif(jpeg),
        "d.webp": image(".webp"),
        "e.bmp": image(".bmp"),
        "f.tiff": image(".tiff"),
        "g.ppm": image(".ppm"),
    }


def videos() -> Files:
    """A few frames in MP4, Matroska and AVI."""
    import av

    files = {}
    for suffix, codec in ((".mp4", "h264"), (".mkv", "mpeg4"), (".avi", "mjpeg")):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format={".mp4": "mp4", ".mkv": "matroska", ".avi": "avi"}[suffix]) as container:
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(6):
                pixels = cv2.resize(np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8), (64, 48))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
            container.mux(stream.encode(None))
        files[f"clip{suffix}"] = buffer.getvalue()
    return files


CAMERAS = b"""model = "cups"
track = true
score-threshold = 0.4

[[camera]]
name = "door"
source = "images/*.png"
only = ["person", "car"]
line = { entry = [0.1, 0.5, 0.9, 0.5] }
zone = { floor = [0.1, 0.1, 0.9, 0.1, 0.5, 0.9] }
every = 2
jsonl = "door.jsonl"
rotate = "100MB"

[[camera]]
name = "yard"
source = 0
max-fps = 10
max_age = "500ms"
roi = [0, 0, 100, 100]
tiles = "2x2:0.2"
color = "rgb"
mean = [1.0, 2, 3]
policy = "latest"
"""


def checkpoint() -> Files:
    """A .safetensors file of edgecnn with its card."""
    from edgecnn.models.checkpoint import save_checkpoint
    from edgecnn.models.registry import create

    options = {"classes": 3, "channels": 3, "size": [SIZE, SIZE]}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.safetensors"
        mine = card().replace(
            preprocess=Preprocess((SIZE, SIZE)), inputs=(), outputs=(), model={"name": "resnet-xs", "options": options}
        )
        save_checkpoint(path, create("resnet-xs", **options), mine)
        return {"model.safetensors": path.read_bytes()}


def network() -> Any:
    """A network of another project: a convolution, a batch-norm and a classifier."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()


def weights() -> Files:
    """State dicts as training scripts leave them."""
    import argparse

    import torch
    from safetensors.torch import save

    state = network().state_dict()
    files = {"weights.safetensors": save(state)}
    nested = {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3, "best": np.float64(0.5)}
    for name, content in (
        ("plain.pt", state),
        ("nested.pth", nested),
        ("arguments.pt", {"model": state, "args": argparse.Namespace(a=1)}),
    ):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        files[name] = buffer.getvalue()
    return files


def program() -> Files:
    """A .pt2 file of torch.export."""
    import torch

    buffer = io.BytesIO()
    torch.export.save(torch.export.export(network(), (torch.zeros(1, 3, SIZE, SIZE),)), buffer)
    return {"net.pt2": buffer.getvalue()}


ULTRALYTICS = {
    "names": "{0: 'cat', 1: 'dog', 2: 'mug'}",
    "task": "classify",
    "imgsz": f"[{SIZE}, {SIZE}]",
    "stride": "32",
    "description": "Ultralytics model",
}
MODEL_API = {
    "model_info.model_type": "Classification",
    "model_info.labels": "cat dog a_mug",
    "model_info.mean_values": "1 2 3",
    "model_info.scale_values": "255",
    "model_info.reverse_input_channels": "True",
    "model_info.resize_type": "fit_to_window_letterbox",
    "model_info.pad_value": "114",
    "model_info.confidence_threshold": "0.5",
}
