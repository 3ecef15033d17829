"""Decodes raw outputs into predictions; the model card names the decoder, and each decoder has its own module."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgecnn.card import READ, ModelCard
from edgecnn.errors import ArtifactError, InputError
from edgecnn.postprocess.argmax import argmax
from edgecnn.postprocess.blazeface import blazeface
from edgecnn.postprocess.centres import centres
from edgecnn.postprocess.classes import label_scores, probabilities, sigmoid, softmax
from edgecnn.postprocess.detr import detr
from edgecnn.postprocess.embedding import embedding
from edgecnn.postprocess.fastestdet import fastestdet
from edgecnn.postprocess.fcos import fcos
from edgecnn.postprocess.final_boxes import FINAL_BOXES, final_boxes
from edgecnn.postprocess.heatmaps import heatmaps
from edgecnn.postprocess.movenet import movenet
from edgecnn.postprocess.nanodet import nanodet
from edgecnn.postprocess.picture import picture
from edgecnn.postprocess.raw import raw
from edgecnn.postprocess.ssd import ssd
from edgecnn.postprocess.tensors import dequantize
from edgecnn.postprocess.ultraface import ultraface
from edgecnn.postprocess.values import values
from edgecnn.postprocess.window_classes import window_classes
from edgecnn.postprocess.yolo import yolo
from edgecnn.postprocess.yolo_obb import yolo_obb
from edgecnn.postprocess.yolo_pose import yolo_pose
from edgecnn.postprocess.yolov5 import yolov5
from edgecnn.postprocess.yolox import yolox
from edgecnn.postprocess.yunet import yunet
from edgecnn.types import (
    Classes,
    Detections,
    Embedding,
    LabelScores,
    Mask,
    Picture,
    Poses,
    Prediction,
    RawTensors,
    Tensors,
    Values,
    WindowClasses,
)

Decoder = Callable[[Tensors, ModelCard], Prediction]

DETECTORS: Mapping[str, Callable[[Tensors, ModelCard], Detections]] = {
    "fcos": fcos,
    "yolox": yolox,
    "yolo": yolo,
    "yolov5": yolov5,
    "yolo-obb": yolo_obb,
    "ssd": ssd,
    "ultraface": ultraface,
    "fastestdet": fastestdet,
    "blazeface": blazeface,
    "detr": detr,
    "nanodet": nanodet,
    "yunet": yunet,
    FINAL_BOXES: final_boxes,
}
CLASSIFIERS: Mapping[str, Callable[[Tensors, ModelCard], Classes]] = {
    "softmax": softmax,
    "logits": softmax,
    "probabilities": probabilities,
}
REGRESSORS: Mapping[str, Callable[[Tensors, ModelCard], Values]] = {"values": values}
EMBEDDERS: Mapping[str, Callable[[Tensors, ModelCard], Embedding]] = {"embedding": embedding}
MULTILABEL: Mapping[str, Callable[[Tensors, ModelCard], LabelScores]] = {"sigmoid": sigmoid, "label-scores": label_scores}
RESTORERS: Mapping[str, Callable[[Tensors, ModelCard], Picture]] = {"picture": picture}
WINDOW_CLASSIFIERS: Mapping[str, Callable[[Tensors, ModelCard], WindowClasses]] = {"window-softmax": window_classes}
RAW: Mapping[str, Callable[[Tensors, ModelCard], RawTensors]] = {"raw": raw}
SEGMENTERS: Mapping[str, Callable[[Tensors, ModelCard], Mask]] = {"argmax": argmax}
POSE_DECODERS: Mapping[str, Callable[[Tensors, ModelCard], Poses]] = {
    "centres": centres,
    "heatmaps": heatmaps,
    "movenet": movenet,
    "yolo-pose": yolo_pose,
}
DECODERS: Mapping[str, Decoder] = {
    **DETECTORS,
    **CLASSIFIERS,
    **REGRESSORS,
    **EMBEDDERS,
    **RESTORERS,
    **WINDOW_CLASSIFIERS,
    **MULTILABEL,
    **RAW,
    **SEGMENTERS,
    **POSE_DECODERS,
}


def names() -> tuple[str, ...]:
    """The names of all decoders."""
    return tuple(DECODERS)


def find(name: str) -> Decoder:
    """The decoder called ``name``; raises ``InputError`` that lists all decoders for an unknown name."""
    if name not in DECODERS:
        raise InputError(f"there is no decoder {name!r}", f"--decode takes one of {', '.join(DECODERS)}")
    return DECODERS[name]


def decode(outputs: Tensors, card: ModelCard) -> Prediction:
    """Decode the raw outputs of one image; boxes are in pixels of the model's input.

    Quantized outputs are dequantized by the scale and zero-point of the card's output specs first.
    Raises ``InputError`` for an unknown decoder, ``ArtifactError`` for outputs of a shape that the decoder does not support.
    """
    return find(card.decode.name)(dequantize(_read(outputs, card), card.outputs), card)


def _read(outputs: Tensors, card: ModelCard) -> Tensors:
    """The outputs that the decoder reads: those that the card names, else all."""
    names = card.decode.options.get(READ)
    if not names:
        return outputs
    missing = [name for name in names if name not in outputs]
    if missing:
        problem = f"the card reads the output {missing[0]}, but the outputs are {', '.join(outputs)}"
        raise ArtifactError(problem, "export the model again")
    return {name: outputs[name] for name in names}
