"""Tiny networks that are trained in seconds on generated images, written as ONNX files and quantized by ONNX Runtime, well or badly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.benchmarks.figures.ort_int8 import CalibrationFeeds, quantize_file
from edgecnn.types import Array, Image

NETWORKS = ("plain", "pooled", "separable")
CLASSES = ("dark", "rows", "columns", "falling", "rising", "checks")
OBJECTS = ("disc", "square")
SIZE, SCENE = 32, 128  # pixels of an image to classify, and of one with objects
CELLS = SCENE // 8
_OTHER_CELLS = (SCENE // 16) ** 2 + (SCENE // 32) ** 2  # of strides 16 and 32, where this network finds nothing


def patterns(count: int, seed: int, classes: Sequence[int] = range(len(CLASSES))) -> tuple[list[Image], Array]:
    """Images (SIZE, SIZE, 3) of stripes and checks with their classes; those of the first class are dark."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    truth = random.choice(np.asarray(classes), count)
    images = []
    for label in truth.tolist():
        period, shift = random.uniform(5, 9), random.uniform(0, 9)
        along = {0: x, 1: y, 2: x, 3: x + y, 4: x - y, 5: x}[label]
        wave = np.sin(2 * np.pi * (along + shift) / period)
        wave = wave * np.sin(2 * np.pi * (y + shift) / period) if label == 5 else wave
        contrast = random.uniform(6, 12) if label == 0 else random.uniform(70, 110)
        grey = (24 if label == 0 else 128) + contrast * wave + random.normal(0, 3, (SIZE, SIZE))
        images.append(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, 2))
    return images, truth


def scenes(count: int, seed: int) -> tuple[list[Image], list[tuple[int, float, float, float]]]:
    """Images (SCENE, SCENE, 3) with one object each: class, centre x and y, side."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:SCENE, 0:SCENE]
    images, truth = [], []
    for _ in range(count):
        label, side = int(random.integers(2)), float(random.uniform(40, 110))
        cx, cy = random.uniform(side / 2, SCENE - side / 2, 2)
        inside = (
            (x - cx) ** 2 + (y - cy) ** 2 < side**2 / 4 if label == 0 else (abs(x - cx) < side / 2) & (abs(y - cy) < side / 2)
        )
        image = random.normal(90, 12, (SCENE, SCENE, 3)) + inside[..., None] * random.uniform(50, 110, 3)
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        truth.append((label, float(cx), float(cy), side))
    return images, truth


def as_input(images: Sequence[Image]) -> Tensor:
    """(B, 3, H, W) in 0..1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def body(widths: Sequence[int], kind: str = "plain") -> nn.Sequential:
    """A network of one of NETWORKS that halves the image with each width.

    plain: convolutions of stride 2 with ReLU; pooled: convolutions with ReLU and max-pooling; separable: depthwise convolutions of stride
    2 and pointwise ones with ReLU6, after a plain first one.
    """
    layers: list[nn.Module] = []
    for before, after in zip((3, *widths), widths, strict=False):
        if kind == "pooled":
            layers += [nn.Conv2d(before, after, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)]
        elif kind == "separable" and layers:
            layers += [nn.Conv2d(before, before, 3, 2, 1, groups=before), nn.ReLU6(), nn.Conv2d(before, after, 1), nn.ReLU6()]
        else:
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.ReLU6() if kind == "separable" else nn.ReLU()]
    return nn.Sequential(*layers)


def train_classifier(seed: int, steps: int = 160, kind: str = "plain") -> nn.Sequential:
    """A classifier of ``patterns``, of one of NETWORKS."""
    torch.manual_seed(seed)
    network = nn.Sequential(body((16, 24, 32), kind), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, len(CLASSES)))
    images, truth = patterns(1000, seed)
    inputs, labels = as_input(images), torch.from_numpy(truth)
    _fit(network, steps, lambda chosen: F.cross_entropy(network(inputs[chosen]), labels[chosen]), len(images), seed)
    return network.eval()


def train_detector(seed: int, steps: int = 160, kind: str = "plain") -> nn.Sequential:
    """A detector of ``scenes``, of one of NETWORKS: for each cell of 8 pixels four numbers of a box, and two logits."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        body((12, 24, 32), kind), nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 4 + len(OBJECTS), 1)
    )
    images, truth = scenes(300, seed)
    inputs = as_input(images)
    boxes = torch.zeros(len(images), 4, CELLS, CELLS)
    scores = torch.zeros(len(images), len(OBJECTS), CELLS, CELLS)
    for index, (label, cx, cy, side) in enumerate(truth):
        column, row = int(cx // 8), int(cy // 8)
        scores[index, label, row, column] = 1
        boxes[index, :, row, column] = torch.tensor([cx, cy, side, side]) / SCENE

    def loss(chosen: Tensor) -> Tensor:
        rows = network(inputs[chosen])
        there = scores[chosen].amax(1, keepdim=True)
        found = F.binary_cross_entropy_with_logits(rows[:, 4:], scores[chosen], pos_weight=torch.tensor(30.0))
        total: Tensor = found + 20 * ((rows[:, :4].sigmoid() - boxes[chosen]).abs() * there).sum() / there.sum()
        return total

    _fit(network, steps, loss, len(images), seed, batch=16)
    return network.eval()


def _fit(network: nn.Module, steps: int, loss: Callable[[Tensor], Tensor], count: int, seed: int, batch: int = 64) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), 4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, steps)
    random = np.random.default_rng(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(torch.from_numpy(random.integers(0, count, batch))).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def write_onnx(network: nn.Sequential, path: Path) -> Path:
    """The network as an ONNX file; a detector's boxes, in pixels, and scores are one output (1, 4 + classes, cells), as in YOLOv8."""
    from onnx import TensorProto, helper, numpy_helper, save_model

    nodes: list[Any] = []
    constants: dict[str, Array] = {}
    last = "image"
    layers = [layer for layer in network.modules() if not isinstance(layer, nn.Sequential)]
    for number, layer in enumerate(layers):
        made, inputs = f"t{number}", [last]
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            inputs += [f"w{number}", f"b{number}"]
            assert layer.bias is not None
            constants |= {inputs[1]: layer.weight.detach().numpy(), inputs[2]: layer.bias.detach().numpy()}
        elif isinstance(layer, nn.ReLU6):
            inputs += ["zero", "six"]
            constants |= {"zero": np.float32(0), "six": np.float32(6)}
        nodes.append(helper.make_node(_KINDS[type(layer)], inputs, [made], f"n{number}", **_attributes(layer)))
        last = made
    is_detector = isinstance(layers[-1], nn.Conv2d)
    if is_detector:
        nodes += _joined_head(last, constants)
    size, shape = (SCENE, (1, 4 + len(OBJECTS), CELLS**2 + _OTHER_CELLS)) if is_detector else (SIZE, (1, len(CLASSES)))
    ports = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, size, size)),
        helper.make_tensor_value_info("output" if is_detector else last, TensorProto.FLOAT, shape),
    ]
    fixed = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tiny", ports[:1], ports[1:], fixed)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


_KINDS = {
    nn.Conv2d: "Conv",
    nn.ReLU: "Relu",
    nn.ReLU6: "Clip",
    nn.MaxPool2d: "MaxPool",
    nn.AdaptiveAvgPool2d: "GlobalAveragePool",
    nn.Flatten: "Flatten",
    nn.Linear: "Gemm",
}


def _attributes(layer: nn.Module) -> dict[str, Any]:
    if isinstance(layer, nn.Conv2d):
        pad = int(layer.padding[0])
        return {"strides": list(layer.stride), "pads": [pad] * 4, "group": layer.groups}
    if isinstance(layer, nn.MaxPool2d):
        return {"kernel_shape": [2, 2], "strides": [2, 2]}
    return {"transB": 1} if isinstance(layer, nn.Linear) else {}


def _joined_head(last: str, constants: dict[str, Array]) -> list[Any]:
    """Sigmoids, boxes in pixels, and everything in one tensor."""
    from onnx import helper

    channels = 4 + len(OBJECTS)
    constants |= {
        "rows": np.array([1, channels, CELLS**2]),
        "factor": np.array([SCENE] * 4 + [1] * len(OBJECTS), np.float32).reshape(1, -1, 1),
        "nothing": np.zeros((1, channels, _OTHER_CELLS), np.float32),
    }
    return [
        helper.make_node("Reshape", [last, "rows"], ["table"], "reshape"),
        helper.make_node("Sigmoid", ["table"], ["shares"], "sigmoid"),
        helper.make_node("Mul", ["shares", "factor"], ["cells"], "pixels"),
        helper.make_node("Concat", ["cells", "nothing"], ["output"], "join", axis=2),
    ]


def quantize(source: Path, path: Path, images: Sequence[Image], *, keep: Sequence[str] = (), gain: float = 1.0) -> Path:
    """The file in int8 (QDQ, weights per channel), calibrated on ``images`` times ``gain``; the nodes of ``keep`` stay in float."""
    inputs = (as_input([image]).numpy() * np.float32(gain) for image in images)
    return quantize_file(source, path, CalibrationFeeds("image", inputs), per_channel=True, keep=keep)
