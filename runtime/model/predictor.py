"""An image in, a prediction in source pixels out: card, backend, preprocessing and decoder put together."""

from __future__ import annotations

import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.feeds import check_feeds
from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor, tensor_shape
from edgecnn.runtime.backends import Backend, Device
from edgecnn.runtime.backends.io_binding import Bound, bind
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.preload import opened
from edgecnn.shipped import artifact
from edgecnn.types import Detections, Image, Prediction

if TYPE_CHECKING:
    from edgecnn.runtime.model.autotune import Trial


def bound(backend: Backend, card: ModelCard) -> Bound:
    """Buffers for one image as the card wants it; raises ``BackendError`` for a model that wants something else or more."""
    spec = backend.inputs[0]
    shape = tensor_shape(card.preprocess, spec)
    check_feeds({spec.name: np.empty(shape, spec.dtype)}, backend.inputs)
    return bind(backend, {spec.name: shape})


class Worker:
    """Predicts one image after the other in buffers of its own: one per thread. Raises ``BackendError`` for a model it can't feed."""

    def __init__(self, backend: Backend, card: ModelCard) -> None:
        self._card = card
        self._bound = bound(backend, card)
        spec = backend.inputs[0]
        self._preprocess = Preprocessor(card.preprocess, spec, self._bound.inputs[spec.name])

    def __call__(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        """The prediction for ``image`` (H, W, 3) uint8 BGR, boxes in its pixels, and milliseconds by stage."""
        started = perf_counter()
        _, place = self._preprocess(image)
        prepared = perf_counter()
        outputs = self._bound.run()
        inferred = perf_counter()
        prediction = decode(outputs, self._card)
        if isinstance(prediction, Detections):
            prediction = place.to_source(prediction)
        done = perf_counter()
        return prediction, {
            "preprocess": (prepared - started) * 1e3,
            "infer": (inferred - prepared) * 1e3,
            "postprocess": (done - inferred) * 1e3,
        }


class Predictor:
    """A model file, or a model that the package carries ("cups"), ready to predict.

    It may be called by any thread; use ``worker()`` for stage times.
    ``threads`` is the number of CPU threads in all, ``requests`` how many predictions may be in flight at once,
    ``trials`` what ``runtime.threads.open_measured`` tried before it chose them.
    Raises what ``open_backend`` and ``card_for`` raise.
    """

    backend: Backend
    card: ModelCard
    threads: int | None
    trials: tuple[Trial, ...] = ()

    def __init__(
        self,
        path: Path | str,
        device: Device = "cpu",
        *,
        threads: int | None = None,
        requests: int = 1,
        options: CardOptions | None = None,
    ) -> None:
        self.path, self.threads = artifact(path), threads
        self.backend = opened(self.path, device, threads, requests)
        try:
            self.card = card_for(self.backend, self.path, options or CardOptions())
        except BaseException:
            self.backend.close()
            raise
        self._own = threading.local()
        self._slots = threading.BoundedSemaphore(self.backend.concurrency)

    def __call__(self, image: Image) -> Prediction:
        """The prediction for ``image`` (H, W, 3) uint8 BGR, boxes in its pixels; waits while all requests are in flight."""
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = self.worker()
        with self._slots:
            return worker(image)[0]

    def worker(self) -> Worker:
        """A predictor with its own buffers; at most ``backend.concurrency`` of them may work at once."""
        return Worker(self.backend, self.card)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self.backend.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
