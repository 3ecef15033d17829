"""From an image to a prediction in its pixels: preprocessing, inference and decoding as the card of the model says."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor, tensor_shape
from edgecnn.runtime.backends import Backend, Device, open_backend
from edgecnn.runtime.backends.io_binding import IoBinding, bind_io
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.preload import BackendPreloader
from edgecnn.shipped import artifact
from edgecnn.tensors import check_feeds
from edgecnn.types import Detections, Image, Prediction


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement of the autotuner: milliseconds per inference, with ``requests`` at once divided by their number."""

    threads: int | None
    requests: int
    ms: float


def bind_inputs(backend: Backend, card: ModelCard) -> IoBinding:
    """Buffers for one preprocessed image.

    Raises ``BackendError`` where the model needs another input shape than the card says, or more than one input.
    """
    spec = backend.inputs[0]
    shape = tensor_shape(card.preprocess, spec)
    check_feeds({spec.name: np.empty(shape, spec.dtype)}, backend.inputs)
    return bind_io(backend, {spec.name: shape})


class PredictorWorker:
    """Predicts image by image in its own buffers; use one per thread. Raises ``BackendError`` where the card does not fit the model."""

    def __init__(self, backend: Backend, card: ModelCard) -> None:
        self._card = card
        self._binding = bind_inputs(backend, card)
        spec = backend.inputs[0]
        self._preprocess = Preprocessor(card.preprocess, spec, self._binding.inputs[spec.name])

    def __call__(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        """The prediction for ``image`` (H, W, 3) uint8 BGR, boxes in its pixels, and milliseconds by stage."""
        started = perf_counter()
        _, geometry = self._preprocess(image)
        prepared = perf_counter()
        outputs = self._binding.run()
        inferred = perf_counter()
        prediction = decode(outputs, self._card)
        if isinstance(prediction, Detections):
            prediction = geometry.to_source(prediction)
        done = perf_counter()
        return prediction, {
            "preprocess": (prepared - started) * 1e3,
            "infer": (inferred - prepared) * 1e3,
            "postprocess": (done - inferred) * 1e3,
        }


class Predictor:
    """A loaded model: a file, or the name of a shipped model ("cups"). May be called from any thread; ``worker()`` also gives stage times.

    ``threads`` is the number of CPU threads in all, ``requests`` how many predictions may be in flight at once, ``trials`` what
    an ``Autotuner`` measured before it chose them. ``preloader`` may hold the backend already.
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
        preloader: BackendPreloader | None = None,
    ) -> None:
        self.path, self.threads = artifact(path), threads
        open_file = open_backend if preloader is None else preloader.open
        self.backend = open_file(self.path, device, threads=threads, requests=requests)
        try:
            self.card = card_for(self.backend, self.path, options or CardOptions())
        except BaseException:
            self.backend.close()
            raise
        self._own = threading.local()
        self._slots = threading.BoundedSemaphore(self.backend.concurrency)

    def __call__(self, image: Image) -> Prediction:
        """The prediction for ``image`` (H, W, 3) uint8 BGR, boxes in its pixels; waits while all requests are in flight."""
        worker: PredictorWorker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = self.worker()
        with self._slots:
            return worker(image)[0]

    def worker(self) -> PredictorWorker:
        """An inference function with its own buffers; at most ``backend.concurrency`` of them may run at once."""
        return PredictorWorker(self.backend, self.card)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self.backend.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
