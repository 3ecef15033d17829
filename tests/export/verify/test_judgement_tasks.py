"""Faults planted into the outputs of classifiers, segmentation and embeddings: the outputs are those of PyTorch, changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export.verify.parity import judged
from edgecnn.export.verify.probes import probes
from edgecnn.export.verify.reference import Evidence, ModelOutput, Reference, collect_evidence
from edgecnn.postprocess import decode
from edgecnn.preprocess import geometry
from edgecnn.tasks import to_source
from edgecnn.types import Array, Image

Change = Callable[[Array], Array]
PRECISIONS = ("fp32", "fp16", "int8")


class Hues(nn.Module):
    """How red, blue and green each cell of an image is, (B, 3, h / 4, w / 4)."""

    def forward(self, x: Tensor) -> Tensor:
        """Scores of three classes."""
        mean = nn.functional.avg_pool2d(x, 4)
        return torch.cat([2 * mean[:, [own]] - mean.sum(1, keepdim=True) for own in (0, 2, 1)], 1)


class Embedding(nn.Module):
    """The colours of sixteen parts of an image as a vector."""

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (B, 48)."""
        return nn.functional.adaptive_avg_pool2d(x, 4).flatten(1) - 0.5


def evidence_of(model: nn.Module, task: str, decoder: str, labels: tuple[str, ...], images: list[Image]) -> Evidence:
    card = ModelCard(
        name=task,
        task=task,  # type: ignore[arg-type]
        labels=labels,
        preprocess=Preprocess(size=(64, 64), resize="stretch", color="rgb", std=(255.0,)),
        decode=Decode(decoder),
    )
    reference = Reference(model.eval(), card, ("out",))
    return collect_evidence(reference, probes(images, card.preprocess), "coloured blocks")


@pytest.fixture(scope="module")
def segmentation(images: list[Image]) -> Evidence:
    return evidence_of(Hues(), "segment", "argmax", ("red", "blue", "green"), images)


@pytest.fixture(scope="module")
def embedding(images: list[Image]) -> Evidence:
    return evidence_of(Embedding(), "embed", "embedding", (), images)


def passes(evidence: Evidence, change: Change, precision: str) -> bool:
    """Whether a file with PyTorch's outputs, changed, is kept."""
    card, found = evidence.reference.output_card, []
    for probe, right in zip(evidence.probes, evidence.outputs, strict=True):
        outputs = {name: np.ascontiguousarray(change(array.copy())) for name, array in right.outputs.items()}
        height, width = probe.image.shape[:2]
        found.append(ModelOutput(outputs, to_source(decode(outputs, card), geometry(card.preprocess, width, height))))
    return judged(evidence, found, precision).passed


def swapped(array: Array) -> Array:
    """Two of three classes."""
    return array[:, [1, 0, 2]]


def turned(array: Array) -> Array:
    """Of the other sign."""
    return -array


def one_class_lost(array: Array) -> Array:
    array[:, 0] = array.min()
    return array


def shifted(array: Array) -> Array:
    """By two places, eight pixels."""
    return np.roll(array, 2, -1)


def mirrored(array: Array) -> Array:
    return array[..., ::-1]


def transposed(array: Array) -> Array:
    return array.swapaxes(2, 3)


def scaled(array: Array) -> Array:
    return 0.98 * array


def next_place(array: Array) -> Array:
    """Each number of a vector one place further."""
    return np.roll(array, 1, -1)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("change", [swapped, turned, one_class_lost])
def test_a_classifier(change: Change, precision: str, classifier_evidence: Evidence) -> None:
    assert not passes(classifier_evidence, change, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("change", [swapped, turned, one_class_lost, shifted, mirrored, transposed])
def test_segmentation(change: Change, precision: str, segmentation: Evidence) -> None:
    assert not passes(segmentation, change, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("change", [turned, next_place, mirrored])
def test_an_embedding(change: Change, precision: str, embedding: Evidence) -> None:
    assert not passes(embedding, change, precision)


@pytest.mark.parametrize("task", ["classifier_evidence", "segmentation", "embedding"])
def test_what_rounding_may_do_is_kept_and_only_in_fp32_refused(task: str, request: pytest.FixtureRequest) -> None:
    evidence: Evidence = request.getfixturevalue(task)
    assert all(passes(evidence, lambda array: array, precision) for precision in PRECISIONS)
    assert not passes(evidence, scaled, "fp32")
    assert passes(evidence, scaled, "int8")
