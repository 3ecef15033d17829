"""Every task is complete: names, decoders, drawings, goldens; outputs of another task are refused."""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.npz import picked
from edgecnn.parity import TOLERANCES
from edgecnn.postprocess import DECODERS
from edgecnn.runtime.draw.painter import DRAWINGS, draw
from edgecnn.schema import SchemaError
from edgecnn.task_names import TaskName
from edgecnn.tasks import TASKS, check_outputs, compare, find, for_decoder, for_prediction
from edgecnn.types import (
    Classes,
    Detections,
    Embedding,
    LabelScores,
    Mask,
    Neighbour,
    Picture,
    Poses,
    Prediction,
    RawTensors,
    TensorSpec,
    Values,
    WindowClasses,
)

BOXES = Detections(np.float32([[1, 2, 30, 40]]), np.float32([0.75]), np.int64([1]))
EXAMPLES: dict[str, Prediction] = {
    "classify": Classes(np.float32([0.25, 0.75])),
    "detect": BOXES,
    "regress": Values(np.float32([3.5, -1])),
    "segment": Mask(np.uint8([[0, 0, 1], [0, 1, 255]] * 40)),
    "pose": Poses(np.float32([[[10, 20, 0.9], [90, 80, 0.4]]]), np.float32([0.75]), np.float32([[10, 20, 90, 80]]), ((0, 1),)),
    "signal": WindowClasses(np.float32([0.25, 0.75])),
    "restore": Picture(np.full((320, 320, 3), 7, np.uint8)),
    "embed": Embedding(np.float32([0.6, 0.8]), "mug", (Neighbour("mug", 0.75, "mug.png"), Neighbour("glass", 0.5, "glass.png"))),
    "multilabel": LabelScores(np.float32([0.25, 0.75]), 0.5),
    "raw": RawTensors({"mask": np.float32([[[0, 2.5]]]), "count": np.int64([3])}),
}
LABELS = ("mug", "glass")


def card(task: TaskName, labels: tuple[str, ...] = LABELS) -> ModelCard:
    decode = Decode(find(task).default_decoder or "fcos")
    return ModelCard(name="m", task=task, labels=labels, preprocess=Preprocess((32, 32)), decode=decode)


def outputs(*shapes: tuple[int, ...]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(f"output_{index}", shape, "float32") for index, shape in enumerate(shapes))


def test_cards_know_the_names_of_all_tasks() -> None:
    assert tuple(TASKS) == get_args(TaskName)
    assert all(task.name == name for name, task in TASKS.items())
    assert EXAMPLES.keys() == TASKS.keys()


def test_each_decoder_belongs_to_a_task() -> None:
    assert {decoder for task in TASKS.values() for decoder in task.decoders} == set(DECODERS)
    assert for_decoder("yolo").name == "detect"
    with pytest.raises(InputError, match="there is no decoder 'nms'"):
        for_decoder("nms")


@pytest.mark.parametrize("name", TASKS)
def test_each_prediction_is_drawn_and_told(name: str) -> None:
    prediction = EXAMPLES[name]
    owner = for_prediction(prediction)
    assert owner.name in DRAWINGS
    blank = np.zeros((320, 320, 3), np.uint8)
    assert (draw(blank, prediction, LABELS) != blank).any()
    (parts,) = owner.record(prediction, LABELS).values()
    assert isinstance(parts, list)
    assert owner.headline(prediction, LABELS)
    assert owner.text(prediction, LABELS)[0]


@pytest.mark.parametrize("name", TASKS)
def test_a_golden_holds_the_prediction(name: TaskName) -> None:
    task = TASKS[name]
    arrays = task.to_arrays(EXAMPLES[name])
    assert tuple(arrays) == task.golden
    if not arrays:
        return
    stored = {f"0.{key}": array for key, array in arrays.items()}
    again = task.from_arrays(partial(picked, stored, prefix="0."))
    assert compare(EXAMPLES[name], again, TOLERANCES["fp32"]).same == compare(again, again, TOLERANCES["fp32"]).total
    with pytest.raises(SchemaError, match=f"0.{task.golden[0]} is missing"):
        task.from_arrays(partial(picked, {}, prefix="0."))


def test_predictions_of_two_tasks_are_not_compared() -> None:
    with pytest.raises(ValueError, match="can't compare Classes with Detections"):
        compare(EXAMPLES["classify"], BOXES, TOLERANCES["fp32"])


def test_a_feature_map_is_no_classifier() -> None:
    labels = tuple(map(str, range(64)))
    with pytest.raises(InputError, match="needs one row of class scores, but the outputs of the model are output_0 1x4x64x64"):
        check_outputs(outputs((1, 4, 64, 64)), card("classify", labels))
    check_outputs(outputs((1, 64, 1, 1)), card("classify", labels))


def test_several_heads_are_no_regression() -> None:
    with pytest.raises(InputError, match=r"one output with one row of values, but .* output_0 1x1, output_1 1x1, output_2 1x1"):
        check_outputs(outputs((1, 1), (1, 1), (1, 1)), card("regress", ("a",)))


def test_labels_agree_where_both_choose_them_or_the_score_is_at_the_threshold() -> None:
    expected = LabelScores(np.float32([0.9, 0.501, 0.2, 0.4]), 0.5)
    got = LabelScores(np.float32([0.9, 0.49, 0.2, 0.6]), 0.5)
    found = compare(expected, got, TOLERANCES["fp16"])
    assert (found.same, found.total) == (2, 3)  # the last one differs by more than the tie
    assert found.score_gaps == pytest.approx([0, 0.011, 0.2], abs=1e-6)
    assert find("multilabel").record(got, ("a", "b", "c", "d"))["labels"] == [
        {"label": "a", "class_id": 0, "score": 0.9},
        {"label": "d", "class_id": 3, "score": 0.6},
    ]


def test_raw_tensors_have_no_measure() -> None:
    with pytest.raises(InputError, match="raw tensors have no measure of accuracy"):
        find("raw").accumulator(())
    check_outputs(outputs((1, 4, 8, 8), (3,)), card("raw", ()))


def test_large_tensors_are_not_written_into_a_record() -> None:
    (small, large) = find("raw").record(RawTensors({"a": np.float32([[1.5, np.inf]]), "b": np.zeros((300, 300))}), ())["tensors"]
    assert small == {"name": "a", "shape": [1, 2], "dtype": "float32", "values": [[1.5, None]]}
    assert large == {"name": "b", "shape": [300, 300], "dtype": "float64", "values": None}


def test_the_fix_names_the_task_that_the_outputs_resemble() -> None:
    with pytest.raises(InputError, match="give --task raw, which takes any outputs"):
        check_outputs(outputs((1, 1), (1, 1)), card("regress", ("a",)))
