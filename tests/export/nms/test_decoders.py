"""The decoders in PyTorch give the boxes of those in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.export.nms.decoders import check_decoder, decoder_of
from edgecnn.postprocess import decode
from edgecnn.postprocess.cells import cell_count
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.postprocess.ultraface import priors
from edgecnn.types import Array, Detections

SIZE = (64, 96)
CELLS = cell_count(SIZE, (8, 16, 32))


def card_of(decoder: str, labels: int, size: tuple[int, int] = SIZE, **options: Any) -> ModelCard:
    options = {"score_threshold": 0.2, "iou_threshold": 0.5, "max_detections": 20, **options}
    names = tuple(f"class {index}" for index in range(labels))
    return ModelCard(name="tiny", task="detect", labels=names, preprocess=Preprocess(size=size), decode=Decode(decoder, options))


def table(rng: np.random.Generator, *, objectness: bool = False, unit: bool = False) -> Array:
    scores = rng.random((1, CELLS, 3)) ** 8
    boxes = np.concatenate([rng.random((1, CELLS, 2)) * [96, 64], 4 + rng.random((1, CELLS, 2)) * 30], 2)
    if unit:
        boxes = boxes / [96, 64, 96, 64]
    return np.concatenate([boxes, *([np.full((1, CELLS, 1), 0.8)] if objectness else []), scores], 2)


def fcos(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    return card_of("fcos", 3), {"scores": rng.random((1, CELLS, 3)) ** 8, "boxes": rng.random((1, CELLS, 4)) * 2}


def yolox(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    parts = [rng.normal(size=(1, CELLS, 4)) * 0.5, np.full((1, CELLS, 1), 0.9), rng.random((1, CELLS, 3)) ** 8]
    return card_of("yolox", 3), {"o": np.concatenate(parts, 2)}


def yolo(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    found = table(rng, objectness=form == "objectness", unit=form == "unit")
    return card_of("yolo", 3), {"o": found.transpose(0, 2, 1) if form == "columns" else found}


def nanodet(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    count = cell_count(SIZE, (8, 16, 32, 64) if form == "plus" else (8, 16, 32))
    return card_of("nanodet", 3), {"o": np.concatenate([rng.random((1, count, 3)) ** 8, rng.normal(size=(1, count, 32))], 2)}


def fastestdet(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    parts = [rng.random((1, 1, 4, 6)), rng.normal(size=(1, 4, 4, 6)), rng.random((1, 3, 4, 6))]
    return card_of("fastestdet", 3), {"o": np.concatenate(parts, 1)}


def ultraface(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    count = len(priors((120, 160)))
    logits = rng.normal(size=(1, count, 2)) * 3
    if form == "raw":
        outputs = {"scores": logits, "boxes": rng.normal(size=(1, count, 4))}
    else:
        low = rng.random((1, count, 2)) * 0.7
        boxes = np.concatenate([low, low + 0.05 + rng.random((1, count, 2)) * 0.2], 2)
        outputs = {"scores": np.exp(logits) / np.exp(logits).sum(2, keepdims=True), "boxes": boxes}
    return card_of("ultraface", 1, (120, 160)), outputs


def blazeface(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    boxes = np.concatenate([rng.normal(size=(1, 896, 2)) * 4, 5 + rng.random((1, 896, 2)) * 30, np.zeros((1, 896, 12))], 2)
    return card_of("blazeface", 1, (128, 128)), {"boxes": boxes, "scores": rng.normal(size=(1, 896, 1)) * 3}


def detr(rng: np.random.Generator, form: str) -> tuple[ModelCard, dict[str, Array]]:
    scores = rng.normal(size=(1, 40, 4 if form == "rest" else 3)) * 2 - 2
    if form == "scores":
        scores = 1 / (1 + np.exp(-scores))
    return card_of("detr", 3, iou_threshold=1.0), {"logits": scores, "boxes": rng.random((1, 40, 4)) * 0.5 + 0.2}


CASES = [
    (fcos, ""),
    (yolox, ""),
    (yolo, "columns"),
    (yolo, "rows"),
    (yolo, "objectness"),
    (yolo, "unit"),
    (nanodet, ""),
    (nanodet, "plus"),
    (fastestdet, ""),
    (ultraface, ""),
    (ultraface, "raw"),
    (blazeface, ""),
    (detr, ""),
    (detr, "rest"),
    (detr, "scores"),
]


@pytest.mark.parametrize(("make", "form"), CASES, ids=lambda part: getattr(part, "__name__", part))
def test_boxes_are_those_of_the_decoder_in_numpy(make: Any, form: str) -> None:
    card, found = make(np.random.default_rng(7), form)
    outputs = {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}
    expected = decode(outputs, card)
    assert isinstance(expected, Detections)
    assert len(expected) > 5
    raw = {name: torch.from_numpy(array) for name, array in outputs.items()}
    boxes, scores = (part[0].numpy() for part in decoder_of(card, raw)(raw))
    kept, label, score = best_class(scores, 0.2)
    got = suppress(boxes[kept], score, label, NmsOptions.from_card(card.decode.options))
    assert np.array_equal(got.class_id, expected.class_id)
    assert np.allclose(got.score, expected.score, atol=1e-6)
    assert np.allclose(got.xyxy, expected.xyxy, atol=1e-3)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (card_of("ssd", 3), "gives final boxes already"),
        (card_of("final-boxes", 3), "gives final boxes already"),
        (card_of("softmax", 3).replace(task="classify"), "a model of the task classify, without boxes"),
    ],
)
def test_refuses_what_has_no_boxes_to_suppress(card: ModelCard, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_decoder(card)


@pytest.mark.parametrize(
    ("decoder", "shape", "message"),
    [
        ("yolo", (1, 300, 6), "gives final boxes already"),
        ("yolo", (1, 9, 9), "does not read the outputs o"),
        ("yolox", (1, 9, 8), "does not read the outputs o"),
        ("nanodet", (1, 9, 8), "does not read the outputs o"),
        ("blazeface", (1, 9, 16), "does not read the outputs o"),
    ],
)
def test_refuses_outputs_of_another_decoder(decoder: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        decoder_of(card_of(decoder, 3), {"o": torch.zeros(shape)})
