from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.metrics import match_labels
from edgecnn.metrics.regression import regression_metrics
from edgecnn.metrics.report import report_lines
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Classes, Image, Prediction, Values


def shades(values: tuple[float, ...] = (10, 20, 30, 40)) -> Dataset:
    """Images of one gray; the value is that gray."""
    samples = [Sample(f"{value}.png", lambda value=value: np.full((4, 4, 3), value, np.uint8), value=value) for value in values]
    return Dataset("shades", "regress", ("gray",), samples)


def off_by(error: float) -> object:
    def predict(image: Image) -> Prediction:
        return Values(np.float32([image.mean() + error]))

    return predict


def test_errors_are_in_units_of_the_value() -> None:
    score = evaluate(off_by(3.0), shades())
    assert score.values == pytest.approx({"r2": 1 - 4 * 9 / 500, "mae": 3, "rmse": 3})
    assert (score.task, score.n, score.primary) == ("regress", 4, score.values["r2"])
    assert score.pairs is not None
    assert score.pairs.tolist() == [[10, 13], [20, 23], [30, 33], [40, 43]]


def test_report_has_units_where_they_belong() -> None:
    lines = report_lines(evaluate(off_by(3.0), shades()))
    assert [" ".join(line.split()) for line in lines] == [
        "R² 92.80 %",
        "mean absolute error 3",
        "root mean square error 3",
    ]


def test_score_as_json_holds_the_pairs() -> None:
    assert evaluate(off_by(0.0), shades((1.0, 2.0))).to_dict()["pairs"] == [[1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("truth", "predicted", "r2"),
    [
        pytest.param([1, 2, 3], [1, 2, 3], 1, id="perfect"),
        pytest.param([1, 2, 3], [2, 2, 2], 0, id="the-mean-alone"),
        pytest.param([1, 2, 3], [3, 2, 1], -3, id="worse-than-the-mean"),
        pytest.param([5, 5], [5, 5], 1, id="equal-values-found"),
        pytest.param([5, 5], [5, 6], 0, id="equal-values-missed"),
    ],
)
def test_r2(truth: list[float], predicted: list[float], r2: float) -> None:
    assert regression_metrics(np.array(truth, float), np.array(predicted, float))["r2"] == pytest.approx(r2)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=20))
def test_no_error_is_larger_than_its_square_mean_root(pairs: list[tuple[float, float]]) -> None:
    truth, found = np.array(pairs).T
    values = regression_metrics(truth, found)
    assert values["mae"] <= values["rmse"] * (1 + 1e-9) + 1e-12
    assert values["r2"] <= 1


@pytest.mark.parametrize(
    ("prediction", "kind"),
    [
        pytest.param(Classes(np.float32([0.2, 0.8])), "a classifier", id="classes"),
        pytest.param(Values(np.float32([1, 2])), "a regression model with 2 values", id="two-values-for-one"),
    ],
)
def test_another_prediction_is_refused(prediction: Prediction, kind: str) -> None:
    with pytest.raises(InputError, match=f"needs a regression model with one value, but the model is {kind};"):
        evaluate(lambda _: prediction, shades())


def test_a_model_of_values_for_classes_is_refused() -> None:
    dataset = Dataset("two", "classify", ("a", "b"), [Sample("x", lambda: np.zeros((4, 4, 3), np.uint8), label=0)])
    with pytest.raises(
        InputError, match="a dataset of classes needs a classifier, but the model is a regression model with 1 values"
    ):
        evaluate(off_by(0.0), dataset)


def test_one_value_is_the_one_value_whatever_its_name() -> None:
    found = find("regress").match_labels(("brightness",), ("gray",))
    assert found.dataset_class.tolist() == [0]
    assert found.notes == ("the model's brightness was measured as gray",)
    with pytest.raises(InputError, match="no class in common: the model has brightness; the dataset has gray"):
        match_labels(("brightness",), ("gray",))
