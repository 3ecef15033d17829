"""A checkpoint as a function that can be differentiated: from its input tensor to the score of a class or of an object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.postprocess.cells import cells
from edgecnn.preprocess import Preprocessor
from edgecnn.trust.attribution.target import Target
from edgecnn.types import Image, TensorSpec

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "train") from error

from edgecnn.metrics.match import iou_matrix
from edgecnn.models import load_checkpoint

CLASSIFIERS = ("softmax", "logits", "probabilities")
DETECTORS = ("fcos",)
OTHERWISE = "use --method occlusion or rise, which need no gradients"


class GradientNetwork:
    """A network in eval mode with its card; raises ``InputError`` for a model whose scores can't be differentiated here."""

    def __init__(self, model: nn.Module, card: ModelCard) -> None:
        if card.decode.name not in (*CLASSIFIERS, *DETECTORS):
            raise InputError(f"gradients of a model with the decoder {card.decode.name} are not supported", OTHERWISE)
        self.model, self.card = model.eval().requires_grad_(False), card
        spec = TensorSpec("image", (1, card.preprocess.channels, *card.preprocess.size), "float32", "NCHW")
        self._prepare = Preprocessor(card.preprocess, spec)

    @classmethod
    def open(cls, path: Path) -> GradientNetwork:
        """The network of a checkpoint; raises what loading it raises."""
        return cls(*load_checkpoint(path))

    @property
    def is_detector(self) -> bool:
        """Whether targets are boxes."""
        return self.card.decode.name in DETECTORS

    def tensor(self, image: Image) -> Tensor:
        """The input tensor (1, channels, h, w) float32 of ``image`` (H, W, 3) uint8 BGR."""
        return torch.from_numpy(self._prepare(image)[0]["image"].copy())

    def score(self, x: Tensor, target: Target) -> Tensor:
        """The logit (n,) of ``target`` for inputs (n, channels, h, w), a probability being turned into one: it does not saturate.

        The logit of an object is that of the cell whose box overlaps it best among the cells with the highest scores of its class.
        """
        found = self.model(x)
        if not self.is_detector:
            logits: Tensor = found[:, target.class_id]
            return torch.logit(logits, eps=1e-6) if self.card.decode.name == "probabilities" else logits
        boxes, scores = found
        return torch.logit(scores[:, self._cell(boxes, scores, target), target.class_id], eps=1e-6)

    def _cell(self, boxes: Tensor, scores: Tensor, target: Target) -> int:
        """The cell of the last image that says what ``target`` says: the highest product of score and overlap."""
        assert target.box is not None
        corners, strides = cells(self.card.preprocess.size, tuple(self.card.decode.options.get("strides", (8, 16, 32))))
        sides = boxes[-1].detach().numpy() * strides
        centre = corners + strides / 2
        xyxy = np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], 1).astype(np.float32)
        same = iou_matrix(target.box[None], xyxy)[0] * scores[-1, :, target.class_id].detach().numpy()
        return int(same.argmax())
