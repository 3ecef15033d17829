"""Loads the models of a run: preloaded in the background, with configured or measured threads, shared between cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import ArtifactError
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.runtime.backends import model_stamps

if TYPE_CHECKING:
    from edgecnn.runtime.model.autotune import Autotuner
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.parallelism import Goal
    from edgecnn.runtime.model.predictor import Predictor
    from edgecnn.runtime.sources import Source

# A predictor has one set of options: the same file with other options is loaded again, and so is a file that was replaced meanwhile.
Key = tuple[Path, tuple[tuple[int, ...], ...], "CardOptions"]


class ModelLoader:
    """Loads the models of the cameras of a run, each file once.

    ``preload`` decides from the first cameras how many ``requests`` are in flight, and whether threads are measured
    (``autotunes``). ``acquire`` and ``release`` are those of ``SharedModels``. ``warn`` is called for each model whose results
    can't be right.
    """

    def __init__(self, config: RunConfig, warn: Callable[[str], None]) -> None:
        from edgecnn.runtime.model.preload import BackendPreloader

        self._config, self._warn = config, warn
        self.requests, self.autotunes = 1, False
        self._shared = SharedModels(self._load)
        self._preloader = BackendPreloader()
        self._before_load: dict[Path, tuple[tuple[int, ...], ...]] = {}

    def preload(self, cameras: Sequence[CameraConfig], sources: Sequence[Source]) -> None:
        """Start to load the models of the first cameras in the background while OpenCV is imported."""
        self.requests = self._config.requests or default_requests(cameras, sources)
        self.autotunes = autotunes(self._config, cameras, sources)
        threads, requests = self._first_setting
        for camera in cameras:
            self._before_load.setdefault(model_file(camera), model_stamps(model_file(camera)))
            check_signature(camera)
        # A set: cameras with the same model load it once.
        for file in {model_file(camera) for camera in cameras}:
            self._preloader.start(file, self._config.device, threads=threads, requests=requests, engine=self._config.engine)

    def acquire(self, config: CameraConfig, options: CardOptions) -> Predictor:
        """Return the predictor of a camera's model; each call needs a ``release``. Raises what loading raises.

        ``ArtifactError``: the model is not signed by the key that the camera requires, or was replaced after it was checked.
        """
        file = model_file(config)
        before = self._before_load.pop(file, None) or model_stamps(file)
        check_signature(config)
        predictor = self._shared.acquire(file, options)
        # The engine reads the file after the check of its signature.
        if config.require_signature is not None and model_stamps(file) != before:
            self._shared.release(predictor)
            raise ArtifactError(f"{file} was replaced while it was loaded", "start the run again")
        return predictor

    def release(self, predictor: Predictor) -> None:
        """Release a predictor for one camera; the last release closes it."""
        self._shared.release(predictor)

    def close(self) -> None:
        """Close all models, also those that were preloaded and not used."""
        self._shared.close()
        self._preloader.close()

    @cached_property
    def _autotuner(self) -> Autotuner:
        """The autotuner, imported late: it needs OpenCV, and models load in the background meanwhile."""
        from edgecnn.runtime.model.autotune import Autotuner

        return Autotuner(self._preloader)

    @property
    def _goal(self) -> Goal:
        return "throughput" if self.requests > 1 else "latency"

    @property
    def _first_setting(self) -> tuple[int | None, int]:
        """Threads and requests with which a model is opened before it is measured."""
        if not self.autotunes:
            chosen = self._config.chosen_threads if self.requests == 1 else None
            return self._config.threads or chosen, self.requests
        from edgecnn.runtime.model.parallelism import default_parallelism

        first = default_parallelism(self._goal)
        return first.threads, first.requests

    def _load(self, file: Path, options: CardOptions) -> Predictor:
        from edgecnn.shown_scores import decoding_all_shown

        predictor = self._opened(file, options)
        predictor.card = decoding_all_shown(predictor.card)
        for warning in predictor.warnings():
            self._warn(warning)
        return predictor

    def _opened(self, file: Path, options: CardOptions) -> Predictor:
        from edgecnn.runtime.model.predictor import Predictor

        if self.autotunes:
            return self._autotuner.open(file, self._config.device, goal=self._goal, options=options, engine=self._config.engine)
        threads, requests = self._first_setting
        return Predictor(
            file,
            self._config.device,
            threads=threads,
            requests=requests,
            options=options,
            engine=self._config.engine,
            preloader=self._preloader,
        )


@dataclass
class _Loaded:
    predictor: Predictor
    users: int = 0


class SharedModels:
    """Loads files by ``load(path, options)``, each once as long as it does not change, and closes one after its last user."""

    def __init__(self, load: Callable[[Path, CardOptions], Predictor]) -> None:
        self._load = load
        self._loaded: dict[Key, _Loaded] = {}

    def acquire(self, file: Path, options: CardOptions) -> Predictor:
        """Return the predictor of a file with these options; each call needs a ``release``. Raises the errors of ``load``."""
        # Before loading: a file that is replaced while it loads then counts as another one.
        key = file, model_stamps(file), options
        found = self._loaded.get(key)
        if found is None:
            found = self._loaded[key] = _Loaded(self._load(file, options))
        found.users += 1
        return found.predictor

    def release(self, predictor: Predictor) -> None:
        """Release a predictor for one camera; the last release closes it."""
        key, found = next((key, item) for key, item in self._loaded.items() if item.predictor is predictor)
        found.users -= 1
        if not found.users:
            del self._loaded[key]
            found.predictor.close()

    def close(self) -> None:
        """Close all models, whoever uses them."""
        while self._loaded:
            self._loaded.popitem()[1].predictor.close()


def check_signature(config: CameraConfig) -> None:
    """Raise ``ArtifactError`` for a model that is not signed by the key that its camera requires."""
    if config.require_signature is not None:
        from edgecnn.integrity.signature import require_signature

        require_signature(model_file(config), config.require_signature)


def model_file(config: CameraConfig) -> Path:
    """Return the model file of a camera, even if it is given as the name of a shipped model.

    Raises ``InputError`` for a model of the register that was not got yet.
    """
    from edgecnn.shipped import artifact

    file = artifact(config.model)
    if not file.exists():
        from edgecnn.zoo.register import check_got

        check_got(file)
    return file


def is_live(config: CameraConfig, source: Source) -> bool:
    """Return whether the policy is "latest": low frame age is more important than processing every frame."""
    return source.live if config.policy is None else config.policy == "latest"


def autotunes(config: RunConfig, cameras: Sequence[CameraConfig], sources: Sequence[Source]) -> bool:
    """Return whether threads are measured: as configured, else on the CPU for live cameras that run without limits."""
    if config.autotune is not None:
        return config.autotune
    # A limited run is too short to gain back the time of the measurements.
    limits = (config.threads, config.chosen_threads, config.requests, config.max_frames, config.duration_s)
    if not config.device.is_cpu or any(limit is not None for limit in limits):
        return False
    return any(is_live(camera, source) for camera, source in zip(cameras, sources, strict=True))


def default_requests(cameras: Sequence[CameraConfig], sources: Sequence[Source]) -> int:
    """Return the default number of requests: one for live cameras and images, else one per CPU and one more."""
    from edgecnn.cpus import usable_cpus
    from edgecnn.runtime.sources.images import ImageFiles

    for camera, source in zip(cameras, sources, strict=True):
        if is_live(camera, source) or isinstance(source, ImageFiles):
            return 1
    # The frame of the extra request is preprocessed while all CPUs infer.
    return usable_cpus() + 1
