"""Embedding as a task: agreement of vectors, records, a dataset with classes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.data.for_task import for_task
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.parity import TOLERANCES
from edgecnn.postprocess.embedding import normalised
from edgecnn.tasks import check_outputs, compare, find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Embedding, Image, Neighbour, Prediction, TensorSpec

CARD = ModelCard(name="e", task="embed", labels=(), preprocess=Preprocess((8, 8)), decode=Decode("embedding"))
NEAR = (Neighbour("sky", 0.9, "sky.png"), Neighbour("grass", 0.2, "grass.png"))


def at(degrees: float) -> Embedding:
    angle = np.radians(degrees)
    return Embedding(np.float32([np.cos(angle), np.sin(angle)]))


def test_vectors_agree_by_their_cosine() -> None:
    int8 = TOLERANCES["int8"]
    near, far = compare(at(0), at(10), int8), compare(at(0), at(25), int8)
    assert (near.same, near.total) == (1, 1)
    assert near.score_gaps[0] == pytest.approx(1 - np.cos(np.radians(10)), abs=1e-6)
    assert (far.same, far.total) == (0, 1)
    assert compare(at(0), at(10), TOLERANCES["fp32"]).same == 0


def test_nan_and_vectors_of_another_length_do_not_agree() -> None:
    for other in (np.float32([np.nan, 1]), np.float32([1, 0, 0])):
        assert compare(at(0), Embedding(other), TOLERANCES["int8"]).same == 0


def test_the_record_has_the_vector_unless_a_gallery_names_it() -> None:
    alone = find("embed").record(at(0), ())["embeddings"][0]
    assert alone == {"vector": [1.0, 0.0]}
    named = dataclasses.replace(at(0), name="sky", neighbours=NEAR, written=False)
    (found,) = find("embed").record(named, ())["embeddings"]
    assert (found["label"], found["score"]) == ("sky", 0.9)
    assert found["neighbours"][1] == {"label": "grass", "score": 0.2, "image": "grass.png"}
    assert "vector" not in found
    assert find("embed").headline(named, ()) == "sky 0.90"


@pytest.mark.parametrize("shapes", [[(1, 8, 4, 4)], [(1, 8), (1, 8)], [(1, 1)]])
def test_outputs_that_are_no_vector_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="--task embed needs one output with one vector"):
        check_outputs([TensorSpec(f"o{n}", shape, "float32") for n, shape in enumerate(shapes)], CARD)


def test_a_dataset_of_classes_measures_recall() -> None:
    colours = ((0, 0, 200), (10, 0, 220), (200, 0, 0), (210, 10, 0))
    samples = [Sample(f"{n}.png", lambda c=c: np.full((8, 8, 3), c, np.uint8), n // 2) for n, c in enumerate(colours)]  # type: ignore[misc]
    dataset = for_task(Dataset("set", "classify", ("red", "blue"), samples), CARD)

    def predict(image: Image) -> Prediction:
        return Embedding(normalised(image.reshape(-1, 3).mean(0).astype(np.float32)))

    score = evaluate(predict, dataset)
    assert score.task == "embed"
    assert score.primary_title == "recall@1"
    assert score.primary == 1.0
