"""Regression: one or more values for the whole image, in the units that the labels name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.labels import label_of
from edgecnn.postprocess import REGRESSORS
from edgecnn.tasks.classify import is_row, row_size
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.text import rounded, value_text
from edgecnn.tasks.wrong import check_label_count, wrong_outputs, wrong_task
from edgecnn.types import Array, Float32, TensorSpec, Values

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.regression import RegressionAccumulator
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

MEASURED = 10  # values whose distribution is compared
NAMED = 4  # values in a headline


class Regress(Task[Values]):
    """Regression of numbers, measured by R²."""

    name, prediction, model, data = "regress", Values, "a regression model", "values"
    decoders, default_decoder = tuple(REGRESSORS), "values"
    truth, has_classes, by_parts = "value", False, False
    compared, metric, golden = "values", "r2", ("values",)

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """One output, ``values``."""
        return ("values",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """One row of values (1, K): with several heads, all but one would be lost."""
        if len(outputs) != 1 or not is_row(outputs[0].shape):
            raise wrong_outputs(self.name, "one output with one row of values", outputs)
        fix = "give one name for each value"
        check_label_count(outputs[0], row_size(outputs[0].shape), card.labels, kind="values", names="names", fix=fix)

    def resembles(self, outputs: Sequence[TensorSpec]) -> bool:
        """One row of one number."""
        return len(outputs) == 1 and is_row(outputs[0].shape) and row_size(outputs[0].shape) == 1

    def compare(self, expected: Values, got: Values, tolerance: Tolerance) -> Agreement:
        """Whether both have the same number of finite values; their difference is covered by the tensor errors."""
        from edgecnn.parity import Agreement

        fits = expected.value.shape == got.value.shape and bool(np.isfinite(got.value).all())
        return Agreement(0, 0) if fits else Agreement(0, 1)

    def record(self, prediction: Values, labels: Sequence[str]) -> dict[str, Any]:
        """All values by name."""
        found = enumerate(prediction.value.tolist())
        return {"values": [{"label": label_of(labels, index), "value": rounded(value)} for index, value in found]}

    def headline(self, prediction: Values, labels: Sequence[str]) -> str:
        """The first few values."""
        return _named(prediction.value[:NAMED], labels)

    def text(self, prediction: Values, labels: Sequence[str]) -> list[str]:
        """All values in one line."""
        return [_named(prediction.value, labels)]

    def measures(self, prediction: Values, pixels: int) -> dict[str, float]:
        """The values, up to ten of them."""
        return {f"value {index}": value for index, value in enumerate(prediction.value[:MEASURED].tolist())}

    def smoothed(self, prediction: Values, average: Callable[[Float32], Float32]) -> Values:
        """The average of the values."""
        return Values(average(prediction.value))

    def to_arrays(self, prediction: Values) -> dict[str, Array]:
        """``values`` (K,) float32."""
        return {"values": prediction.value}

    def from_arrays(self, pick: Picker) -> Values:
        """From ``values`` (K,) float32."""
        return Values(pick("values", np.float32))

    def match_labels(self, model: Sequence[str], data: Sequence[str]) -> ClassMap:
        """By name; the only value of a model is also the only value of a dataset, whatever their names."""
        from edgecnn.metrics.classmap import match_labels, only_value

        return only_value(model, data) or match_labels(model, data)

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Values]:
        """R², mean absolute error, root mean squared error."""
        from edgecnn.metrics.regression import RegressionAccumulator

        return _ValueAccumulator(RegressionAccumulator(labels))

    @property
    def needed(self) -> str:
        """A dataset has one value for each image."""
        return "a regression model with one value"

    def model_of(self, prediction: Values) -> str:
        """With the number of values: a dataset has one."""
        return several(prediction)


class _ValueAccumulator:
    def __init__(self, inner: RegressionAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Values, sample: GroundTruthSample, classes: ClassMap) -> None:
        if len(prediction.value) != 1 or sample.value is None:
            raise wrong_task(Regress.data, Regress().needed, several(prediction))
        self._inner.add(float(prediction.value[0]), sample.value)

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def several(prediction: Values) -> str:
    """The kind of model that gives so many values."""
    return f"a regression model with {len(prediction.value)} values"


def _named(values: Float32, labels: Sequence[str]) -> str:
    return ", ".join(f"{label_of(labels, index)} {value_text(value)}" for index, value in enumerate(values.tolist()))
