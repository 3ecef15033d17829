"""Puts decoder and NMS into a graph: the decoder before it is converted, NMS when its program is written."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.export.config import FORMATS
from edgecnn.export.graph import Deployable, example
from edgecnn.export.inference_check import flatten
from edgecnn.export.nms.decoders import DecodedBoxes, decoder_of
from edgecnn.export.nms.tail import tail_of
from edgecnn.postprocess.final_boxes import NMS_OF, final_decode

NAMES = ("all_boxes", "all_scores")
TAILS: Mapping[str, str] = {  # the formats whose graphs can suppress boxes
    "onnx": "edgecnn.export.nms.onnx_tail",
    "openvino": "edgecnn.export.nms.openvino_tail",
    "tflite": "edgecnn.export.nms.tflite_tail",
}


def with_nms(model: nn.Module, source: ModelCard, card: ModelCard, graph: Deployable) -> tuple[Deployable, ModelCard]:
    """The graph around ``model`` that ends in decoded boxes, and ``card`` for the file in which NMS follows them.

    ``source`` is the checkpoint's card, ``graph`` the one that ends in raw outputs. Raises ``InputError`` where the decoder of
    the card does not read the outputs, or they are final boxes already.
    """
    with torch.no_grad():
        sample = dict(zip(graph.names, flatten(graph(example(source, graph.options))), strict=True))
    decoder = decoder_of(source, sample)
    decoded = Deployable(DecodedBoxes(model, graph.names, decoder), source.preprocess, NAMES, graph.options).eval()
    card = card.replace(decode=final_decode(source.decode, suppresses=decoder.suppresses))
    return decoded, card.replace(outputs=tail_of(card).specs)


def save_program(program: Any, path: Path, format: str, card: ModelCard) -> None:
    """Write ``program``, followed by NMS where its card says so."""
    if NMS_OF in card.decode.options:
        program = import_module(TAILS[format]).append(program, tail_of(card))
    import_module(FORMATS[format]).save(program, path)
