"""Opens the cameras of a run from their configurations, replaces them on change, closes them at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import EdgeCnnError
from edgecnn.live.camera_scores import card_options, scores_of
from edgecnn.live.camera_source import SourceOpener, fit_source, open_camera_source
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.models import ModelLoader, is_live, model_file
from edgecnn.tasks import find

if TYPE_CHECKING:
    from edgecnn.runtime.draw.shared_painter import ResultPainter
    from edgecnn.runtime.model.predictor import Predictor
    from edgecnn.runtime.pipeline.multi_camera import CameraSetup, CameraStream, MultiCamera
    from edgecnn.runtime.sinks import Sink
    from edgecnn.runtime.sinks.shared_sink import SharedSink
    from edgecnn.runtime.sources import Source
    from edgecnn.runtime.view.live_view import LiveView
    from edgecnn.shown_scores import ShownScores
    from edgecnn.trust.drift.step import DriftStep
    from edgecnn.types import Event, Result


def no_warning(text: str) -> None:
    """Ignore a warning."""


@dataclass(slots=True)
class ActiveCamera:
    """A camera of the run.

    ``shown`` are the scores from which boxes are shown, ``camera`` the state in the pipeline, None before the run.
    """

    config: CameraConfig
    setup: CameraSetup
    predictor: Predictor
    painter: ResultPainter
    shown: ShownScores
    sinks: list[SharedSink] = field(default_factory=list)
    window: Sink | None = None
    camera: CameraStream | None = None
    drift: DriftStep | None = None

    @property
    def model_file(self) -> Path:
        """The model file, even if the configuration contains the name of a shipped model."""
        return model_file(self.config)


class ActiveCameras:
    """Manages the cameras of a run: ``active`` by name, and ``removed``.

    ``several``: the run has, or may get, more than one camera. ``say`` is called with a line if an output fails, ``warn`` if the
    results of a model can't be right, ``tell`` with other lines. ``models`` loads the models, and ``open_source`` the source of a
    camera. Use it as a context manager, which closes outputs and models. ``lock`` protects ``active``: results arrive in the thread of
    the caller, a changed cameras file in another thread.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        several: bool,
        say: Callable[[str], None],
        warn: Callable[[str], None] = no_warning,
        tell: Callable[[str], None] = no_warning,
        models: ModelLoader | None = None,
        open_source: SourceOpener | None = None,
    ) -> None:
        from edgecnn.live.outputs import Outputs
        from edgecnn.runtime.pipeline.controls import Controls

        self._config, self._several, self._warn, self._tell = config, several, warn, tell
        self.lock = threading.RLock()
        self.active: dict[str, ActiveCamera] = {}
        self.removed: list[ActiveCamera] = []
        self.controls, self.outputs = Controls(), Outputs(say)
        self.view: LiveView | None = None
        self.multi_camera: MultiCamera | None = None
        self.models = models or ModelLoader(config, warn)
        self._open = open_source or open_camera_source

    @property
    def all(self) -> list[ActiveCamera]:
        """The removed cameras, then the active ones."""
        return [*self.removed, *self.active.values()]

    @property
    def output_errors(self) -> list[Exception]:
        """The errors of outputs that lost items."""
        sinks = [sink for camera in self.all for sink in camera.sinks]
        return [sink.error for sink in sinks if sink.broken and sink.error is not None]

    def __enter__(self) -> ActiveCameras:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._close_outputs()
        finally:
            self.models.close()

    def open(self, cameras: Sequence[CameraConfig]) -> list[CameraSetup]:
        """Open the initial cameras and return their setups for the pipeline."""
        sources = [self._open_source(camera) for camera in cameras]
        self.models.preload(cameras, sources)
        setups = []
        for camera, source in zip(cameras, sources, strict=True):
            with self._naming(camera):
                setups.append(self._start(self._prepare(camera, source)).setup)
        return setups

    def write(self, result: Result) -> ActiveCamera | None:
        """Pass a result to the view and outputs of its camera; return the camera, None if it was removed meanwhile."""
        with self.lock:
            camera = self.active.get(result.camera)
            if camera is None:
                return None
            if self.view is not None:
                self.view.write(result)
            if camera.window is not None:
                camera.window.write(result)
            for sink in camera.sinks:
                sink.write(result)
            return camera

    def write_event(self, event: Event) -> None:
        """Pass an event to the outputs of its camera."""
        with self.lock:
            camera = self.active.get(event.camera)
            for sink in camera.sinks if camera is not None else ():
                sink.write_event(event)

    def update(self, cameras: Sequence[CameraConfig]) -> dict[str, list[str]]:
        """Replace the active cameras, except unchanged ones; return the names of those "added", "removed" and "changed"."""
        multi_camera = self.multi_camera
        assert multi_camera is not None
        new = {camera.name: camera for camera in cameras}
        old = {name: camera.config for name, camera in self.active.items()}
        # Prepared before any camera is removed: an error leaves the run as it is, and a model that is still needed stays loaded.
        prepared = self._prepare_all([camera for name, camera in new.items() if old.get(name) != camera])
        replaced = [name for name in old if old[name] != new.get(name)]
        for name in replaced:
            self._remove(name)
        waiting = list(prepared.values())
        try:
            while waiting:
                camera = waiting.pop(0)
                with self._naming(camera.config):
                    multi_camera.add(self._start(camera).setup)
        except BaseException:
            # An output can't be opened before the old camera has closed its own: both may be the same file. So the old cameras
            # are opened again.
            self._restore([old[name] for name in replaced], started=prepared.keys(), waiting=waiting)
            raise
        return {
            "added": [name for name in prepared if name not in old],
            "removed": [name for name in old if name not in new],
            "changed": [name for name in prepared if name in old],
        }

    @contextmanager
    def _naming(self, config: CameraConfig) -> Iterator[None]:
        """Put the name of the camera in front of an error, if there are several cameras."""
        try:
            yield
        except EdgeCnnError as error:
            if self._several:
                error.problem = f"camera {config.name}: {error.problem}"
                error.args = (f"{error.problem}; {error.fix}",)
            raise

    def _open_source(self, config: CameraConfig) -> Source:
        with self._naming(config):
            return self._open(config)

    def _restore(self, cameras: Sequence[CameraConfig], *, started: Collection[str], waiting: Sequence[ActiveCamera]) -> None:
        """Undo a failed update: remove the cameras it started, and open those it removed again."""
        assert self.multi_camera is not None
        for camera in waiting:
            self.models.release(camera.predictor)
        for name in [name for name in started if name in self.active]:
            self._remove(name)
        for config in cameras:
            self.multi_camera.add(self._start(self._prepare(config, self._open(config))).setup)

    def join_view(self, camera: ActiveCamera) -> None:
        """Show a camera in the live view, if there is one."""
        if self.view is not None:
            card, task = camera.predictor.card, find(camera.predictor.card.task)
            self.view.add_camera(
                camera.config.name,
                card.labels,
                camera.painter,
                camera.config.analytics.only,
                by_class=task.has_boxes,
                by_score=task.has_threshold,
            )

    def _prepare_all(self, cameras: Sequence[CameraConfig]) -> dict[str, ActiveCamera]:
        prepared: dict[str, ActiveCamera] = {}
        try:
            for config in cameras:
                with self._naming(config):
                    prepared[config.name] = self._prepare(config, self._open(config))
        except BaseException:
            # The cameras prepared before the error are not used, so their models are not needed.
            for camera in prepared.values():
                self.models.release(camera.predictor)
            raise
        return prepared

    def _prepare(self, config: CameraConfig, source: Source) -> ActiveCamera:
        """Prepare a camera with its model and steps, without opening its outputs."""
        predictor = self.models.acquire(config, card_options(self._config, config))
        try:
            return self._built(config, source, predictor)
        except BaseException:
            self.models.release(predictor)
            raise

    def _start(self, camera: ActiveCamera) -> ActiveCamera:
        """Open the outputs of a camera and make it active."""
        try:
            self._open_outputs(camera)
            self.join_view(camera)
        except BaseException:
            self.models.release(camera.predictor)
            raise
        with self.lock:
            self.active[camera.config.name] = camera
        return camera

    def _built(self, config: CameraConfig, source: Source, predictor: Predictor) -> ActiveCamera:
        from edgecnn.live.analytics import build_gallery, build_gate, build_regions, build_steps, check_analytics
        from edgecnn.live.drift import build_drift
        from edgecnn.runtime.draw.painter import Painter
        from edgecnn.runtime.draw.shared_painter import SharedPainter
        from edgecnn.runtime.pipeline.multi_camera import CameraSetup

        fit_source(source, predictor.card)
        labels, shown = predictor.card.labels, scores_of(config, predictor.card)
        check_analytics(config.analytics, predictor.card)
        gallery = build_gallery(config.analytics, predictor, self._warn)
        drift = build_drift(config.analytics.drift, predictor.path, predictor.card, source, config.name, self._tell)
        setup = CameraSetup(
            name=config.name,
            source=source,
            predictor=predictor,
            policy=config.policy,
            steps=build_steps(config.analytics, labels, source, self.controls, shown=shown, gallery=gallery, drift=drift),
            gate=build_gate(config.analytics, source),
            every=config.every,
            max_fps=config.max_fps,
            max_age_ms=None if config.max_age_s is None else config.max_age_s * 1000,
            # The autotuner may have selected another number of requests than the default of the run.
            workers=predictor.backend.concurrency if self.models.autotunes else None,
            strategy=build_regions(config.analytics, predictor.card),
            drift=None if drift is None else drift.status,
        )
        return ActiveCamera(config, setup, predictor, SharedPainter(Painter(labels)), shown, drift=drift)

    def _remove(self, name: str) -> None:
        assert self.multi_camera is not None
        with self.lock:
            camera = self.active.pop(name)
        # No longer in `active`, so `write` ignores results of this camera that still arrive.
        camera.camera = self.multi_camera.remove(name)
        if self.view is not None:
            self.view.remove_camera(name)
        self.removed.append(camera)
        close_sinks(camera.sinks)
        self.models.release(camera.predictor)

    def _open_outputs(self, camera: ActiveCamera) -> None:
        from edgecnn.live.outputs import OutputCamera

        source, config = camera.setup.source, camera.config
        target = OutputCamera(
            name=config.name,
            labels=camera.predictor.card.labels,
            painter=camera.painter,
            title=source.title,
            fps=lambda: source.fps,
            task=camera.predictor.card.task,
            live=is_live(config, source),
            several=self._several,
            source=config.source,
            drift=camera.drift,
        )
        if config.show:
            from edgecnn.runtime.sinks.window import WindowSink

            camera.window = WindowSink(f"edgecnn {config.name}", camera.painter, self._stop)
        camera.sinks = self.outputs.open(target, config.outputs)

    def _stop(self) -> None:
        """Stop the pipeline when the window is closed; there is no pipeline yet while the window opens."""
        if self.multi_camera is not None:
            self.multi_camera.stop()

    def _close_outputs(self) -> None:
        for camera in self.all:
            if camera.window is not None:
                camera.window.close()
        # The outputs of removed cameras are closed already.
        close_sinks([sink for camera in self.active.values() for sink in camera.sinks])


def close_sinks(sinks: Sequence[SharedSink]) -> None:
    """Close outputs in parallel; the time is that of the slowest output."""
    for sink in sinks:
        sink.begin_close()
    for sink in sinks:
        sink.close()
