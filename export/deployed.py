"""Takes the deployed form of a detector that returns more than its decoder reads: decoded boxes beside raw maps, or raw maps alone.

The class of a YOLO network returns decoded boxes and, for the loss, the maps that they were decoded from; only its export mode returns
the boxes alone. In a file, further outputs cost time and the decoder would refuse them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import READ, ModelCard
from edgecnn.export.inference_check import flatten
from edgecnn.postprocess.cells import cell_count, cells
from edgecnn.postprocess.yolo import STRIDES, layout_of
from edgecnn.postprocess.yolo_obb import class_axis

KEY = "head"  # in the training record of the card: what was taken
MOST_BINS = 32  # of the distribution of a distance


class OneOutput(nn.Module):
    """``model`` with only one of its output tensors, counted as ``flatten`` does."""

    def __init__(self, model: nn.Module, index: int) -> None:
        super().__init__()
        self.model, self.index = model, index

    def forward(self, image: Tensor) -> Tensor:
        """The output of that index."""
        return flatten(self.model(image))[self.index]


class DecodedMaps(nn.Module):
    """``model``, whose outputs are raw maps (1, 4 * bins + C, h, w) of strides 8, 16 and 32, decoded as YOLOv8 and YOLO11 do.

    Out: (1, 4 + C, N), centre and size in pixels and class scores. A distance is the expected value of its distribution (distribution
    focal loss, arXiv:2006.04388) in strides, from the centre of a cell to the left, top, right and bottom.
    """

    centres: Tensor
    strides: Tensor
    bins: Tensor

    def __init__(self, model: nn.Module, order: Sequence[int], bins: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.model, self.order, self.count = model, tuple(order), bins
        corners, strides = (torch.from_numpy(part) for part in cells(size, STRIDES))
        self.register_buffer("strides", strides.T[None].clone())
        self.register_buffer("centres", corners.T[None] / strides.T[None] + 0.5)
        self.register_buffer("bins", torch.arange(bins, dtype=torch.float32).reshape(1, bins, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Boxes and scores."""
        maps = flatten(self.model(image))
        rows = torch.cat([maps[index].flatten(2) for index in self.order], 2)
        parts, scores = rows[:, : 4 * self.count], rows[:, 4 * self.count :]
        shares = parts.reshape(1, 4, self.count, -1).transpose(1, 2).softmax(1)
        near, far = (shares * self.bins).sum(1).chunk(2, 1)
        low, high = self.centres - near, self.centres + far
        return torch.cat([(low + high) / 2 * self.strides, (high - low) * self.strides, scores.sigmoid()], 1)


def deployed(model: nn.Module, card: ModelCard) -> tuple[nn.Module, ModelCard]:
    """``model`` in its deployed form, and the card with a sentence on what was taken; both unchanged where there is nothing to do."""
    if READ in card.decode.options or card.decode.name not in ("yolo", "yolox", "yolo-obb"):
        return model, card
    shapes = _shapes(model, card)
    if len(shapes) < 2:
        return model, card
    fitting = [index for index, shape in enumerate(shapes) if _fits(shape, card)]
    if len(fitting) == 1:
        text = f"output {fitting[0] + 1} of {len(shapes)} is taken, {_shown(shapes[fitting[0]])}; not taken: "
        text += ", ".join(_shown(shape) for index, shape in enumerate(shapes) if index not in fitting)
        return OneOutput(model, fitting[0]), _noted(card, text)
    order = _map_order(shapes, card.preprocess.size)
    bins = (shapes[0][1] - len(card.labels)) // 4
    if order and card.decode.name == "yolo" and 1 < bins <= MOST_BINS and shapes[0][1] == 4 * bins + len(card.labels):
        text = f"its raw maps are decoded in the graph: {', '.join(map(_shown, shapes))}, distributions of {bins} distances"
        return DecodedMaps(model, order, bins, card.preprocess.size), _noted(card, text)
    return model, card


def line(card: ModelCard) -> str:
    """The line about the head in the output of an export; empty where the model is exported as it is."""
    text = card.training.get(KEY)
    return f"head: {text}\n" if isinstance(text, str) else ""


def _noted(card: ModelCard, text: str) -> ModelCard:
    return card.replace(training={**card.training, KEY: text})


def _shapes(model: nn.Module, card: ModelCard) -> list[tuple[int, ...]]:
    """The shapes of all outputs; [] for a model that does not run, which the export reports."""
    image = torch.zeros(1, card.preprocess.channels, *card.preprocess.size)
    training: Any = model.training
    try:
        with torch.no_grad():
            return [tuple(output.shape) for output in flatten(_eval(model)(image))]
    except Exception:  # of any layer of other people's code
        return []
    finally:
        if training:
            model.train()


def _eval(model: nn.Module) -> nn.Module:
    try:
        return model.eval()
    except NotImplementedError:  # modules of torch.export programs
        return model


def _fits(shape: tuple[int, ...], card: ModelCard) -> bool:
    size, classes = card.preprocess.size, len(card.labels)
    if card.decode.name == "yolox":
        return shape == (1, cell_count(size, STRIDES), 5 + classes)
    if card.decode.name == "yolo-obb":
        return class_axis(shape, classes) is not None
    return bool(layout_of(shape, size, classes))


def _map_order(shapes: Sequence[tuple[int, ...]], size: tuple[int, int]) -> list[int]:
    """The indices of the maps by stride, where the outputs are one map for each of ``STRIDES`` with the same channels; else []."""
    grids = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in STRIDES]
    places = {shape[2:]: index for index, shape in enumerate(shapes) if len(shape) == 4 and shape[1] == shapes[0][1]}
    return [places[grid] for grid in grids] if len(shapes) == len(grids) and set(places) == set(grids) else []


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
