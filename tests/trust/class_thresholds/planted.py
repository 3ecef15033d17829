"""A detector that says the same of every image, and images with objects at known places."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess

LABELS = ("face", "hat", "cap")
# class, score, corners as shares of the image
FOUND = ((0, 0.9, (0, 0, 0.5, 1)), (0, 0.4, (0.6, 0.6, 0.9, 0.9)), (1, 0.1, (0.5, 0, 1, 1)), (2, 0.2, (0, 0, 0.2, 0.2)))
BEST = {"face": 0.65, "hat": 0.05}  # the middle of 0.41 to 0.9 and of 0.01 to 0.1
IMAGES = 24


def detector(path: Path) -> Path:
    """Finds a face in the left half with 0.9, another one that is not there with 0.4, and a hat in the right half with 0.1."""
    rows = np.float32([[0, class_id + 1, score, *place] for class_id, score, place in FOUND]).reshape(1, 1, -1, 7)
    card = ModelCard(
        name="planted",
        task="detect",
        labels=LABELS,
        preprocess=Preprocess((32, 32), resize="stretch", color="bgr", input_dtype="uint8"),
        decode=Decode("ssd", {"score_threshold": 0.3}),
        training={"seed": 1},
    )
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, (1, 32, 32, 3))
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "table"], ["found"]),
    ]
    fixed = [numpy_helper.from_array(np.float32(0), "zero"), numpy_helper.from_array(rows, "table")]
    output = helper.make_tensor_value_info("found", TensorProto.FLOAT, rows.shape)
    graph = helper.make_graph(nodes, "planted", [image], [output], fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    save_model(model, str(path))
    return path


def photos(folder: Path, split: str = "") -> Path:
    """VOC: images of 40 x 20 pixels with a face in the left half and a hat in the right half, and a cap in the first five."""
    root = folder / split if split else folder
    for name in ("images", "annotations"):
        (root / name).mkdir(parents=True)
    for number in range(IMAGES):
        boxes = [("face", 0, 0, 20, 20), ("hat", 20, 0, 40, 20), *[("cap", 0, 0, 8, 4)] * (number < 5)]
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for name, x1, y1, x2, y2 in boxes
        )
        (root / "annotations" / f"{number:02}.xml").write_text(f"<annotation>{objects}</annotation>")
        cv2.imwrite(str(root / "images" / f"{number:02}.png"), np.full((20, 40, 3), 50 + number, np.uint8))
    return folder
