"""The loaded file as a tool sees it: inference alone on inputs that are set before, by one thread or by several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from edgecnn.engine_device import Device
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.runtime.backends.inference_only import Inference, inference_only
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Array, Image

Now = Callable[[], float]


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file, its inputs, and how it was loaded.

    ``feeds``: preprocessed inputs; ``images``: those before preprocessing. ``scale``: of the durations that a tool prescribes.
    """

    predictor: Predictor
    feeds: Sequence[Mapping[str, Array]]
    images: Sequence[Image]
    engine: str | None = None
    scale: float = 1.0
    now: Now = perf_counter

    @property
    def backend(self) -> Backend:
        """The loaded model."""
        return self.predictor.backend

    @property
    def batch(self) -> int:
        """Images in one input."""
        card = self.predictor.card
        return 1 if card.preprocess.tensors or not card.inputs else max(card.inputs[0].shape[0], 1)

    def inference(self, feed: Mapping[str, Array] | None = None) -> Inference:
        """Inference on inputs that are set once."""
        return inference_only(self.backend, self.feeds[0] if feed is None else feed)

    def random_feed(self) -> dict[str, Array]:
        """Random values in the ranges of ``benchmark_app``: 0 to 255 for uint8, else below the largest of the type; 0 to 1 for floats."""
        random = np.random.default_rng(0)
        found: dict[str, Array] = {}
        for name, array in self.feeds[0].items():
            if array.dtype.kind == "f":
                found[name] = random.random(array.shape).astype(array.dtype)
            else:
                info = np.iinfo(array.dtype)
                found[name] = random.integers(info.min, info.max, array.shape, dtype=array.dtype, endpoint=True)
        return found

    def open_again(self, requests: int = 1) -> tuple[Backend, float]:
        """Load the file once more, as a tool does at its start, and the milliseconds that it took."""
        path: Path = self.predictor.path
        device: Device = self.predictor.device
        started = self.now()
        backend = open_backend(path, device, threads=self.predictor.threads, requests=requests, engine=self.engine)
        return backend, (self.now() - started) * 1e3

    def time(self, step: Callable[[], object]) -> float:
        """Milliseconds of one call."""
        started = self.now()
        step()
        return (self.now() - started) * 1e3
