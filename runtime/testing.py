"""Test doubles of a backend, a predictor and a source that need neither a model nor a camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping

import numpy as np

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.runtime.sources.base import Pacer, Source
from edgecnn.tensors import check_feeds
from edgecnn.types import Array, Detections, Frame, Image, Prediction, Tensors, TensorSpec

_HANG_S = 60.0
# A name of its own, so that a test can replace the pause of a hanging source alone.
hang = time.sleep


class FakeBackend:
    """Returns the same outputs for every input, and checks its inputs as a real backend does."""

    concurrency = 64

    def __init__(self, inputs: tuple[TensorSpec, ...], outputs: Tensors, metadata: Mapping[str, str] | None = None) -> None:
        self.inputs = inputs
        self.outputs = tuple(TensorSpec(name, value.shape, str(value.dtype)) for name, value in outputs.items())
        self.metadata: Mapping[str, str] = metadata or {}
        self._values = dict(outputs)

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return copies of the outputs. Raises ``BackendError`` for feeds of other names, shapes or dtypes."""
        check_feeds(feeds, self.inputs)
        return {name: value.copy() for name, value in self._values.items()}

    def close(self) -> None:
        """Nothing to free."""


def one_box(image: Image) -> Detections:
    """Return a box of class 0 in the middle of the image."""
    height, width = image.shape[:2]
    xyxy = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
    return Detections(xyxy, np.array([0.87], np.float32), np.zeros(1, np.int64))


class FakePredictor:
    """Returns ``predict(image)`` after ``delay`` seconds; ``peak`` is the largest number of workers that were busy at once."""

    card = ModelCard(
        name="fake", task="detect", labels=("thing",), preprocess=Preprocess((64, 64), input_dtype="uint8"), decode=Decode("fcos")
    )

    def __init__(self, predict: Callable[[Image], Prediction] = one_box, *, delay: float = 0.0) -> None:
        self._predict, self._delay = predict, delay
        self._lock = threading.Lock()
        self._busy = self.peak = 0

    def __call__(self, image: Image) -> Prediction:
        """Return the prediction for one image."""
        return self._predict(image)

    def worker(self) -> Callable[[Image], tuple[Prediction, dict[str, float]]]:
        """Return an inference function; all of them share the counters."""
        return self._work

    def close(self) -> None:
        """Nothing to free."""

    def _work(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        with self._lock:
            self._busy += 1
            self.peak = max(self.peak, self._busy)
        try:
            started = time.perf_counter()
            time.sleep(self._delay)
            prediction = self._predict(image)
            return prediction, {"preprocess": 0.0, "infer": (time.perf_counter() - started) * 1e3, "postprocess": 0.0}
        finally:
            with self._lock:
                self._busy -= 1


class FakeSource(Source):
    """Delivers ``count`` grey frames (None: endless) whose brightness is their index modulo 256.

    With ``fps`` the source is live and delivers that many frames per second; else it delivers as fast as it is read. The frames
    with an index in ``unreadable`` fail. ``error`` is raised after the last frame. Before the frame ``hang`` the source blocks
    for a minute, like a driver that hangs.
    """

    def __init__(
        self,
        count: int | None,
        *,
        fps: float | None = None,
        size: tuple[int, int] = (48, 64),
        unreadable: frozenset[int] = frozenset(),
        error: Exception | None = None,
        hang: int | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__("fake", live=fps is not None, fps=fps, timeout=timeout)
        self._count, self._size, self._unreadable, self._error, self._hang = count, size, unreadable, error, hang
        self.released_in = ""

    def _frames(self) -> Generator[Frame, None, None]:
        pacer = Pacer(self.fps, self._closed) if self.fps else None
        index = 0
        try:
            while self._count is None or index < self._count:
                if pacer is not None:
                    pacer.wait(index)
                if index == self._hang:
                    hang(_HANG_S)
                if index in self._unreadable:
                    self.fail(f"frame {index}", "told to fail")
                else:
                    yield Frame(index, time.perf_counter(), np.full((*self._size, 3), index % 256, np.uint8))
                index += 1
            if self._error is not None:
                raise self._error
        finally:
            # Tests check which thread releases a source: a capture device must be released by the thread that reads it.
            self.released_in = threading.current_thread().name
