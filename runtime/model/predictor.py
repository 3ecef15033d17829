"""Predicts images with a model: preprocessing, inference and decoding according to its card."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.postprocess import decode
from edgecnn.preprocess import preparer, tensor_shape
from edgecnn.runtime.arguments import check_arguments
from edgecnn.runtime.backends import Backend
from edgecnn.runtime.backends.io_binding import IoBinding, bind_io
from edgecnn.runtime.backends.one_image import one_image
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.preload import BackendPreloader
from edgecnn.shipped import artifact
from edgecnn.tasks import find, to_source
from edgecnn.tensors import check_feeds
from edgecnn.types import Image, Prediction, Tensors


@dataclass(frozen=True, slots=True)
class Trial:
    """A measurement of the autotuner: milliseconds per inference, divided by the concurrent ``requests``."""

    threads: int | None
    requests: int
    ms: float


def bind_inputs(backend: Backend, card: ModelCard) -> IoBinding:
    """Create buffers for one preprocessed image.

    Raises ``BackendError`` if the inputs of the model differ from the card.
    """
    spec = backend.inputs[0]
    shapes = {one.name: one.shape for one in card.preprocess.tensors} or {spec.name: tensor_shape(card.preprocess, spec)}
    check_feeds({name: np.empty(shape, spec.dtype) for name, shape in shapes.items()}, backend.inputs)
    return bind_io(backend, shapes)


class OutputMonitor:
    """Counts the images whose outputs held NaN or infinity, such as an overflow in half precision; any thread may call it."""

    def __init__(self) -> None:
        self.not_finite = 0
        self._lock = threading.Lock()

    def check(self, outputs: Tensors) -> None:
        """Count the outputs of one image if a value is not finite."""
        if all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f"):
            return
        with self._lock:
            self.not_finite += 1


class PredictorWorker:
    """Predicts one image at a time in its own buffers; use one worker per thread. Raises ``BackendError``.

    ``monitor`` counts outputs that are not finite.
    """

    def __init__(self, backend: Backend, card: ModelCard, monitor: OutputMonitor | None = None) -> None:
        self._card = card
        self._monitor = monitor or OutputMonitor()
        self._binding = bind_inputs(backend, card)
        self._preprocess = preparer(card.preprocess, backend.inputs, self._binding.inputs)
        self._is_tiled = find(card.task).tiled

    def __call__(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        """Return the prediction for ``image`` (H, W, 3) uint8 BGR, with boxes in its pixels, and milliseconds by stage."""
        return self._tiles(image) if self._is_tiled else self._infer(image)

    def _tiles(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        """Infer in tiles of the size of the input; the stages are summed."""
        from edgecnn.runtime.model.tiling import in_tiles

        total: dict[str, float] = {}

        def predict(tile: Image) -> Prediction:
            found, spent = self._infer(tile)
            for stage, ms in spent.items():
                total[stage] = total.get(stage, 0.0) + ms
            return found

        return in_tiles(image, self._card.preprocess.size, predict), total

    def _infer(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        started = perf_counter()
        _, geometry = self._preprocess(image)
        prepared = perf_counter()
        outputs = self._binding.run()
        inferred = perf_counter()
        self._monitor.check(outputs)
        prediction = to_source(decode(outputs, self._card), geometry)
        done = perf_counter()
        return prediction, {
            "preprocess": (prepared - started) * 1e3,
            "infer": (inferred - prepared) * 1e3,
            "postprocess": (done - inferred) * 1e3,
        }


class Predictor:
    """Predicts images with a model file, or a shipped model by its name ("cups"); can be called from any thread.

    ``threads`` is the total number of CPU threads, ``requests`` the number of concurrent predictions, ``engine`` another engine than
    the default of the format (see ``open_backend``). ``trials`` are the measurements of an ``Autotuner``. ``preloader`` may already
    hold the backend. Raises ``InputError`` for a wrong argument, and the errors of ``open_checked`` and ``card_for``. ``monitor``
    counts the images whose outputs held NaN or infinity.
    """

    backend: Backend
    card: ModelCard
    device: Device
    threads: int | None
    trials: tuple[Trial, ...] = ()

    def __init__(
        self,
        path: Path | str,
        device: Device | str = CPU,
        *,
        threads: int | None = None,
        requests: int = 1,
        options: CardOptions | None = None,
        engine: str | None = None,
        preloader: BackendPreloader | None = None,
    ) -> None:
        check_arguments(model=path, threads=threads, requests=requests, engine=engine)
        self.path, self.device, self.threads = artifact(path), parse_device(device), threads
        self.monitor = OutputMonitor()
        open_file = open_checked if preloader is None else preloader.open
        self.backend = open_file(self.path, self.device, threads=threads, requests=requests, engine=engine)
        try:
            self.card = card_for(self.backend, self.path, options or CardOptions())
            self.backend = one_image(self.backend)
        except BaseException:
            self.backend.close()
            raise
        # Each thread has its own buffers: a shared input buffer would be overwritten during inference.
        self._own = threading.local()
        # Any number of threads may have a worker, but the engine allows only `concurrency` runs at the same time.
        self._slots = threading.BoundedSemaphore(self.backend.concurrency)

    def __call__(self, image: Image) -> Prediction:
        """Return the prediction for ``image`` (H, W, 3) uint8 BGR, boxes in its pixels; waits while all requests are in use."""
        worker: PredictorWorker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = self.worker()
        with self._slots:
            return worker(image)[0]

    def worker(self) -> PredictorWorker:
        """Create a worker with its own buffers; at most ``backend.concurrency`` workers may run at the same time."""
        return PredictorWorker(self.backend, self.card, self.monitor)

    def warnings(self, *, probe: bool = False) -> tuple[str, ...]:
        """Return why the results of this file can't be right, see ``output_warnings``; () for most files."""
        if self.card.parity.get("passed"):
            return ()  # without the import, which a run of a verified file would pay for
        from edgecnn.runtime.model.output_checks import output_warnings

        return output_warnings(self.backend, self.card, self.path, probe=probe)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self.backend.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
