"""YOLOX-nano with its published weights, built from the published ONNX file, in two output layouts.

``edgecnn.benchmarks.figures.yolox_graph:own_layout`` and ``:joined_layout`` are factories for ``edgecnn export``; the file is looked for in
``EDGECNN_DATA``. Input of both: BGR pixels of 0..255.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from edgecnn.benchmarks.figures.onnx_network import OnnxNetwork
from edgecnn.postprocess.cells import cells
from edgecnn.postprocess.yolo import STRIDES

FILE = "models/yolox_nano_kazuhito/model/yolox_nano.onnx"
SIZE = 416


class JoinedLayout(nn.Module):
    """The same network in the layout of YOLOv8: (B, 84, 3549), boxes xywh in pixels, class scores with the object's in them."""

    corners: Tensor
    strides: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        corners, strides = map(torch.from_numpy, cells((SIZE, SIZE), STRIDES))
        self.register_buffer("corners", corners[None].float())
        self.register_buffer("strides", strides.reshape(1, -1, 1).float())

    def forward(self, image: Tensor) -> Tensor:
        """Decoded boxes and scores."""
        rows = self.network(image)
        boxes = [rows[..., :2] * self.strides + self.corners, rows[..., 2:4].exp() * self.strides]
        return torch.cat([*boxes, rows[..., 5:] * rows[..., 4:5]], -1).transpose(1, 2)


def own_layout() -> nn.Module:
    """The network as it was published: raw boxes (1, 3549, 85) in cells."""
    return OnnxNetwork(Path(os.environ.get("EDGECNN_DATA", "../shared/data"), FILE)).eval()


def joined_layout() -> nn.Module:
    """The network in the layout of YOLOv8."""
    return JoinedLayout(own_layout()).eval()
