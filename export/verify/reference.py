"""The reference path: a source image through the checkpoint's own float preprocessing and PyTorch, sharing nothing with the artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from edgecnn.card import ModelCard, Preprocess
from edgecnn.export.graph import flatten
from edgecnn.export.verify.probes import Probe
from edgecnn.parity import spread_of
from edgecnn.postprocess import decode
from edgecnn.preprocess import Geometry, Preprocessor
from edgecnn.types import Array, Detections, Image, Prediction, Tensors, TensorSpec


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Raw outputs for one image and what the decoder made of them, boxes in source pixels; None where it could make nothing."""

    outputs: Tensors
    prediction: Prediction | None


class Reference:
    """PyTorch's answers for source images; ``card`` is the checkpoint's, ``names`` those of the outputs."""

    def __init__(self, model: nn.Module, card: ModelCard, names: tuple[str, ...]) -> None:
        self.model, self.card, self.names = model, card, names

    def __call__(self, image: Image) -> Answer:
        """Outputs and prediction for ``image`` (H, W, 3) uint8 BGR."""
        tensor, place = self.tensor(image, self.card.preprocess)
        outputs = self.forward(tensor)
        return Answer(outputs, in_source(decode(outputs, self.card), place))

    def tensor(self, image: Image, preprocess: Preprocess) -> tuple[Array, Geometry]:
        """(1, C, h, w) float32 as ``preprocess`` makes it; diagnosis gives others than the card's."""
        spec = TensorSpec("image", (1, preprocess.channels, *preprocess.size), "float32", "NCHW")
        feeds, place = Preprocessor(preprocess, spec)(image)
        return feeds["image"], place

    def forward(self, tensor: Array) -> dict[str, Array]:
        """Outputs by name for a float NCHW tensor."""
        with torch.no_grad():
            found = flatten(self.model(torch.from_numpy(tensor)))
        return {name: output.float().numpy() for name, output in zip(self.names, found, strict=True)}


def in_source(prediction: Prediction, place: Geometry) -> Prediction:
    """Boxes from model-input pixels to source pixels; classes as they are."""
    return place.to_source(prediction) if isinstance(prediction, Detections) else prediction


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Probes with PyTorch's answers, worked out once for all artifacts of a model, and the range of each output over all of them."""

    reference: Reference
    probes: Sequence[Probe]
    answers: Sequence[Answer]
    spreads: Mapping[str, float]
    source: str


def gather(reference: Reference, probes: Sequence[Probe], source: str) -> Evidence:
    """Ask PyTorch about all probes; ``source`` says in words where the real ones come from."""
    answers = [reference(probe.image) for probe in probes]
    spreads = {name: spread_of([answer.outputs[name] for answer in answers]) for name in reference.names}
    return Evidence(reference, probes, answers, spreads, source)
