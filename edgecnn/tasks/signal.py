"""Signals: the class of each window of a sensor or sound stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from edgecnn.postprocess import WINDOW_CLASSIFIERS
from edgecnn.task_names import TaskName
from edgecnn.tasks.classify import Classify
from edgecnn.tasks.interface import Picker
from edgecnn.types import Classes, Float32, WindowClasses


class Signal(Classify):
    """Classification of windows of a signal, measured by top-1."""

    name: ClassVar[TaskName] = "signal"
    prediction, model, data = WindowClasses, "a classifier of signals", "signals"
    decoders, default_decoder = tuple(WINDOW_CLASSIFIERS), "window-softmax"
    golden = ("window_classes",)
    resize = "stretch"

    def smoothed(self, prediction: Classes, average: Callable[[Float32], Float32]) -> Classes:
        """The average of the scores."""
        return WindowClasses(average(prediction.score))

    def to_arrays(self, prediction: Classes) -> dict[str, Float32]:
        """``window_classes`` (C,) float32."""
        return {"window_classes": prediction.score}

    def from_arrays(self, pick: Picker) -> Classes:
        """From ``window_classes`` (C,) float32."""
        return WindowClasses(pick("window_classes", np.float32))
