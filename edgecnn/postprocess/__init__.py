"""From raw outputs to a prediction: one decoder per file, found by the name that the card gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.postprocess.classes import probabilities, softmax
from edgecnn.postprocess.fastestdet import fastestdet
from edgecnn.postprocess.fcos import fcos
from edgecnn.postprocess.ssd import ssd
from edgecnn.postprocess.tensors import real_outputs
from edgecnn.postprocess.ultraface import ultraface
from edgecnn.postprocess.values import values
from edgecnn.postprocess.yolo import yolo
from edgecnn.postprocess.yolox import yolox
from edgecnn.types import Prediction, Tensors

Decoder = Callable[[Tensors, ModelCard], Prediction]

DECODERS: Mapping[str, Decoder] = {
    "fcos": fcos,
    "softmax": softmax,
    "logits": softmax,
    "probabilities": probabilities,
    "values": values,
    "yolox": yolox,
    "yolo": yolo,
    "ssd": ssd,
    "ultraface": ultraface,
    "fastestdet": fastestdet,
}


def names() -> tuple[str, ...]:
    """The decoders that a card may name."""
    return tuple(DECODERS)


def find(name: str) -> Decoder:
    """The decoder of that name; raises ``InputError`` that lists them all for an unknown one."""
    if name not in DECODERS:
        raise InputError(f"a decoder of {', '.join(DECODERS)}", repr(name), "name one of them with --decode")
    return DECODERS[name]


def decode(outputs: Tensors, card: ModelCard) -> Prediction:
    """Raw outputs of one image to a prediction; boxes are in pixels of the model's input.

    Quantized outputs become real numbers by the scale and zero-point of the card's output specs first.
    Raises ``InputError`` for an unknown decoder, ``ArtifactError`` for outputs that the decoder can't read.
    """
    return find(card.decode.name)(real_outputs(outputs, card.outputs), card)
