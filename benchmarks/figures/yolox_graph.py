"""YOLOX-nano with its published weights as a PyTorch network, built from the published ONNX file, in two output layouts.

``edgecnn.benchmarks.figures.yolox_graph:own_layout`` and ``:joined_layout`` are factories for ``edgecnn export``; the file is looked for in
``EDGECNN_DATA``. Input of both: RGB or BGR pixels of 0..255, as the published file has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FILE = "models/yolox_nano_kazuhito/model/yolox_nano.onnx"
SIZE, STRIDES = 416, (8, 16, 32)
_Values = Sequence[Any]
_OPERATORS: dict[str, Callable[[_Values, dict[str, Any]], Tensor]] = {
    "Sigmoid": lambda given, _: torch.sigmoid(given[0]),
    "Mul": lambda given, _: given[0] * given[1],
    "Add": lambda given, _: given[0] + given[1],
    "Concat": lambda given, options: torch.cat(list(given), options["axis"]),
    "MaxPool": lambda given, options: nn.functional.max_pool2d(
        given[0], options["kernel_shape"], options["strides"], options["pads"][:2]
    ),
    "Reshape": lambda given, _: given[0].reshape([int(size) for size in given[1]]),
    "Transpose": lambda given, options: given[0].permute(options["perm"]),
    "Resize": lambda given, _: nn.functional.interpolate(given[0], scale_factor=2.0, mode="nearest"),
    "Slice": lambda given, _: _sliced(given),
}


def _sliced(given: _Values) -> Tensor:
    picture: Tensor = given[0]
    for start, end, axis, step in zip(*given[1:5], strict=True):
        index = [slice(None)] * picture.ndim
        index[int(axis)] = slice(int(start), min(int(end), picture.shape[int(axis)]), int(step))
        picture = picture[tuple(index)]
    return picture


class YoloxNano(nn.Module):
    """The operators of the ONNX file, each convolution as a layer: (B, 3, 416, 416) to (B, 3549, 85), raw boxes in cells."""

    def __init__(self, path: Path) -> None:
        import onnx

        super().__init__()
        graph = onnx.load(path).graph
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.image = next(entry.name for entry in graph.input if entry.name not in self.constants)
        self.result = graph.output[0].name
        self.layers = nn.ModuleDict()
        self.steps = []
        for number, node in enumerate(graph.node):
            options = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
            self.steps.append((node.op_type, list(node.input), node.output[0], options, str(number)))
            if node.op_type == "Conv":
                self.layers[str(number)] = _convolution([self.constants[name] for name in node.input[1:]], options)

    def forward(self, image: Tensor) -> Tensor:
        """The output of the file."""
        values: dict[str, Any] = {self.image: image}
        for kind, inputs, output, options, number in self.steps:
            given = [values[name] if name in values else self.constants[name] for name in inputs if name]
            values[output] = self.layers[number](given[0]) if kind == "Conv" else _OPERATORS[kind](given, options)
        result: Tensor = values[self.result]
        return result


def _convolution(weights: Sequence[np.ndarray[Any, Any]], options: dict[str, Any]) -> nn.Conv2d:
    outputs, inputs, *kernel = weights[0].shape
    groups, padding = options["group"], options["pads"][:2]
    layer = nn.Conv2d(
        inputs * groups, outputs, kernel, options["strides"], padding, options["dilations"], groups, len(weights) > 1
    )
    layer.load_state_dict(dict(zip(("weight", "bias"), map(torch.tensor, weights), strict=False)))
    return layer


class JoinedLayout(nn.Module):
    """The same network in the layout of YOLOv8: (B, 84, 3549), boxes xywh in pixels, class scores with the object's in them."""

    cells: Tensor
    strides: Tensor

    def __init__(self, network: YoloxNano) -> None:
        super().__init__()
        self.network = network
        grids = [
            torch.stack(torch.meshgrid(*[torch.arange(SIZE // stride)] * 2, indexing="xy"), -1).reshape(-1, 2)
            for stride in STRIDES
        ]
        strides = [torch.full((len(grid), 1), float(stride)) for grid, stride in zip(grids, STRIDES, strict=True)]
        self.register_buffer("cells", torch.cat(grids)[None])
        self.register_buffer("strides", torch.cat(strides)[None])

    def forward(self, image: Tensor) -> Tensor:
        """Decoded boxes and scores."""
        rows = self.network(image)
        boxes = [(rows[..., :2] + self.cells) * self.strides, rows[..., 2:4].exp() * self.strides]
        return torch.cat([*boxes, rows[..., 5:] * rows[..., 4:5]], -1).transpose(1, 2)


def own_layout() -> nn.Module:
    """The network as it was published."""
    return YoloxNano(Path(os.environ.get("EDGECNN_DATA", "../shared/data"), FILE)).eval()


def joined_layout() -> nn.Module:
    """The network in the layout of YOLOv8."""
    return JoinedLayout(YoloxNano(Path(os.environ.get("EDGECNN_DATA", "../shared/data"), FILE))).eval()
