"""The reference path: source image, the checkpoint's own float preprocessing, PyTorch; shares no preprocessing with the artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export.inference_check import flatten
from edgecnn.export.verify.finite_outputs import check_finite
from edgecnn.export.verify.probes import REAL_KINDS, Probe
from edgecnn.parity import value_range
from edgecnn.postprocess import DETECTORS, decode
from edgecnn.postprocess.final_boxes import OUTPUTS, as_outputs
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.parts import OutputPart, output_parts
from edgecnn.preprocess import Geometry, Preprocessor, preparer
from edgecnn.tasks import to_source
from edgecnn.types import Array, Image, Prediction, Tensors, TensorSpec


@dataclass(frozen=True, slots=True, eq=False)
class ModelOutput:
    """Raw outputs for one image and the decoded prediction, boxes in source pixels; None where decoding failed."""

    outputs: Tensors
    prediction: Prediction | None


class Reference:
    """PyTorch as the reference; ``card`` is the checkpoint's, ``names`` are those of its outputs.

    For a file with NMS in the graph ``final`` is what reads it: the outputs are then those of decoder and NMS in NumPy.
    """

    def __init__(self, model: nn.Module, card: ModelCard, names: tuple[str, ...], final: Decode | None = None) -> None:
        self.model, self.card, self.final = model, card, final
        self._own_names = names
        self.names = names if final is None else OUTPUTS
        self.output_card = card if final is None else card.replace(decode=final)

    def measured_with(self, options: Mapping[str, Any]) -> Reference:
        """The same reference with other options of the decoder; NMS in the graph keeps those of its file."""
        if self.final is not None:
            return self
        card = self.card.replace(decode=Decode(self.card.decode.name, {**self.card.decode.options, **options}))
        return Reference(self.model, card, self._own_names)

    def __call__(self, image: Image) -> ModelOutput:
        """Outputs and prediction for ``image`` (H, W, 3) uint8 BGR."""
        return self.decoded(*self.raw(image))

    def raw(self, image: Image) -> tuple[Tensors, Geometry]:
        """What the model itself returns for ``image``, by name, and where the image lies in its input."""
        if self.card.preprocess.tensors:
            feeds, place = preparer(self.card.preprocess, ())(image)
            return self._run(*feeds.values()), place
        tensor, place = self.tensor(image, self.card.preprocess)
        return self._run(tensor), place

    def decoded(self, raw: Tensors, place: Geometry) -> ModelOutput:
        """The outputs that a file should give where the model returns ``raw``, and the prediction."""
        outputs = self._finished(raw)
        return ModelOutput(outputs, to_source(decode(outputs, self.output_card), place))

    def tensor(self, image: Image, preprocess: Preprocess) -> tuple[Array, Geometry]:
        """(1, C, h, w) float32 made by ``preprocess``, which in a diagnosis differs from the card's."""
        # float32 NCHW, as in training: the artifact's own path (uint8 NHWC, arithmetic in the graph) is the one under test
        spec = TensorSpec("image", (1, preprocess.channels, *preprocess.size), "float32", "NCHW")
        feeds, place = Preprocessor(preprocess, spec)(image)
        return feeds["image"], place

    def forward(self, *tensors: Array) -> Tensors:
        """Outputs by name for a float NCHW tensor, or the tensors of a model that takes several."""
        return self._finished(self._run(*tensors))

    def _run(self, *tensors: Array) -> Tensors:
        with torch.no_grad():
            found = flatten(self.model(*map(torch.from_numpy, tensors)))
        return {name: output.float().numpy() for name, output in zip(self._own_names, found, strict=True)}

    def _finished(self, raw: Tensors) -> Tensors:
        """Decoder and NMS in NumPy where the file has them, else ``raw``."""
        if self.final is None:
            return raw
        boxes = DETECTORS[self.card.decode.name](raw, self.card)
        return as_outputs(boxes, NmsOptions.from_card(self.final.options).max_detections)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Verification images with PyTorch's outputs, computed once for all artifacts of a model.

    ``spreads`` are the ranges of the ``parts`` of the outputs on real images, by name; synthetic ones have rare, large values.
    ``labelled`` says that labelled data judge int8 files with a budget of their own: then synthetic images only warn of them.
    """

    reference: Reference
    probes: Sequence[Probe]
    outputs: Sequence[ModelOutput]
    parts: Sequence[OutputPart]
    spreads: Mapping[str, float]
    source: str
    labelled: bool = False

    def output_spread(self, name: str) -> float:
        """The range of a whole output."""
        return max(self.spreads[part.name] for part in self.parts if part.output == name)


def collect_evidence(reference: Reference, probes: Sequence[Probe], source: str) -> Evidence:
    """Run PyTorch on all images; ``source`` describes the origin of the real images.

    Raises ``InputError`` where the model itself returns NaN or infinite values.
    """
    raw = [reference.raw(probe.image) for probe in probes]
    check_finite(reference.model, probes, [tensors for tensors, _ in raw])
    outputs = [reference.decoded(*one) for one in raw]
    real = [output.outputs for probe, output in zip(probes, outputs, strict=True) if probe.kind in REAL_KINDS]
    parts = output_parts({name: array.shape for name, array in real[0].items()}, reference.output_card)
    spreads = {part.name: value_range([part.pick(one[part.output]) for one in real]) for part in parts}
    return Evidence(reference, probes, outputs, parts, spreads, source)
