"""Runs one or several cameras, from opening the sources to the summary."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, TextIO

from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.live.cameras import ActiveCameras
from edgecnn.live.config import RunConfig
from edgecnn.live.memory import MemoryTrimmer
from edgecnn.live.reload import Reloader
from edgecnn.live.report import Reporter
from edgecnn.live.summary import RunSummary, summarise, write_stats

if TYPE_CHECKING:
    from edgecnn.live.camera_source import SourceOpener
    from edgecnn.live.cameras import ActiveCamera
    from edgecnn.live.cameras_file import CamerasFile
    from edgecnn.live.models import ModelLoader
    from edgecnn.live.systemd import Notifier
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera
    from edgecnn.runtime.view.live_view import LiveView
    from edgecnn.runtime.view.screen import Screen
    from edgecnn.types import Event, Result

NOT_FINITE_CAUSE = "these values count as no result, mostly they come from an overflow in half precision or from broken weights"


def run(
    config: RunConfig,
    *,
    on_result: Callable[[Result], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> RunSummary:
    """Run cameras like `edgecnn run` until they end, a limit is reached, or ``stop`` is set; return the summary.

    ``on_result`` and ``on_event`` are called in this thread for each result and event of all cameras (``result.camera`` is the
    name). Status and summary are printed to ``err``, predictions for images to ``out``, by default the standard streams;
    ``log="off"`` prints nothing. No signal handler is installed: KeyboardInterrupt ends the run and finishes all outputs. Raises
    ``EdgeCnnError`` after --stats was written: for a source, model or output that can't be opened, for the failure of the only
    camera, and for an output that lost items.
    """
    return Session(config, on_result=on_result, on_event=on_event, stop=stop, out=out, err=err).run()


class Session:
    """A run that other threads can stop; the arguments are those of ``run``. The method ``run`` can be called once.

    ``playing`` is true after the start of the capture. ``summary`` is that of the run when it has ended, also after an error.
    ``stuck`` are the names of threads that hang in a driver at the end; a normal exit of the process would free memory that they
    still use. ``models`` loads the models, and ``open_source`` a source, for a program that makes several runs with one model, or of
    parts of a file.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        on_result: Callable[[Result], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        stop: threading.Event | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
        models: ModelLoader | None = None,
        open_source: SourceOpener | None = None,
    ) -> None:
        self.config = config
        self._models, self._open_source = models, open_source
        self.playing = False
        self.summary: RunSummary | None = None
        self.stuck: list[str] = []
        self._on_result, self._on_event = on_result, on_event
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._reporter = Reporter(config.log, self._out, self._err)
        self._stop_event = stop
        self._stopped_by = ""
        self._cameras: ActiveCameras | None = None
        self._multi_camera: MultiCamera | None = None
        self._told_not_finite: set[int] = set()  # predictors whose outputs were not finite, by id
        self._several = len(config.cameras) > 1 or config.cameras_file is not None

    def stop(self, reason: str = "stopped") -> None:
        """End the run and finish all outputs, from any thread or a signal handler; ``reason`` becomes ``end`` of the summary."""
        self._stopped_by = reason
        if self._multi_camera is not None:
            self._multi_camera.stop()

    def run(self) -> RunSummary:
        """Run until the sources end, a limit is reached, or ``stop`` is called. Raises the errors of the function ``run``."""
        error: EdgeCnnError | None = None
        try:
            self._run()
        except EdgeCnnError as problem:
            error = problem
        summary = self.summary = self._finish(error)
        if error is not None:
            raise error
        return summary

    def _run(self) -> None:
        from edgecnn.files import check_writable
        from edgecnn.live.cameras_file import CamerasFile
        from edgecnn.live.systemd import Notifier
        from edgecnn.runtime.pipeline.multi_camera import MultiCamera

        if self.config.auto:
            from edgecnn.live.auto import with_choice

            self.config = with_choice(self.config, lambda text: self._reporter.say("choice", text, values={"text": text}))
        config, notifier = self.config, Notifier()
        if config.stats is not None:
            # Fails at the start and not hours later, when the statistics are written.
            check_writable(config.stats)
        file = None if config.cameras_file is None else CamerasFile(config.cameras_file, config.defaults)
        first = config.cameras if file is None else file.read()
        # Decides about camera names in messages and output names; a file may get more cameras later.
        self._several = self._several or len(first) > 1

        # Called by the loop that iterates the pipeline: if the loop hangs, the watchdog of systemd expires.
        def on_poll() -> None:
            notifier.alive()
            if self._stop_event is not None and self._stop_event.is_set():
                self.stop()

        with ActiveCameras(
            config,
            several=self._several,
            say=self._say_output,
            warn=self._warn,
            tell=self._tell,
            models=self._models,
            open_source=self._open_source,
        ) as cameras:
            setups = cameras.open(first)
            self._multi_camera = cameras.multi_camera = MultiCamera(
                setups,
                workers=cameras.models.requests,
                max_frames=config.max_frames,
                controls=cameras.controls,
                on_event=self._handle_event,
                on_poll=on_poll,
                # Cameras may be added to the file later, but a run on files, or with a limit, ends like any other.
                keep_running=file is not None and config.max_frames is None and any(setup.source.live for setup in setups),
            )
            self._cameras = cameras
            self._play(cameras, self._multi_camera, notifier, file)
        if cameras.output_errors:
            raise cameras.output_errors[0]

    def _play(self, cameras: ActiveCameras, multi_camera: MultiCamera, notifier: Notifier, file: CamerasFile | None) -> None:
        self.playing = True
        if self._stopped_by:  # while the models were loaded
            multi_camera.stop()
        try:
            # The page listens before the first frame, and goes only after the capture threads have ended.
            with (
                self._view(cameras, multi_camera) as view,
                self._reporter.running(multi_camera, self._screen(cameras, multi_camera, view)),
                multi_camera,
                nullcontext() if file is None else Reloader(file, cameras.update, self._reporter),
                _time_limit(self.config.duration_s, multi_camera),
                MemoryTrimmer(),
            ):
                notifier.ready()
                for result in multi_camera:
                    self._handle_result(result, cameras)
                notifier.stopping()
        finally:
            # Also after an error, since the summary and --stats need the counts.
            for name, camera in multi_camera.cameras.items():
                if name in cameras.active:
                    cameras.active[name].camera = camera
            self.stuck = multi_camera.stuck

    @contextmanager
    def _view(self, cameras: ActiveCameras, multi_camera: MultiCamera) -> Iterator[LiveView | None]:
        """Serve the page and the metrics for Prometheus inside the ``with``, if they are configured."""
        from edgecnn.live.outputs import open_metrics
        from edgecnn.live.view import announcement, open_view

        with ExitStack() as stack:
            metrics, server = open_metrics(self.config, lambda: multi_camera.cameras, cameras.outputs)
            if server is not None:
                stack.callback(server.close)
                self._reporter.say("metrics", f"metrics: http://127.0.0.1:{server.port}/metrics", values={"port": server.port})
            table = self._draws_table(cameras, multi_camera)
            view = cameras.view = open_view(self.config, cameras, multi_camera, metrics, table=table)
            if view is not None:
                for camera in cameras.active.values():
                    cameras.join_view(camera)
                stack.enter_context(view)
                text = announcement(view)
                if text is not None:
                    self._reporter.say("live-view", text, values={"url": view.url, "text": text})
            yield view

    def _screen(self, cameras: ActiveCameras, multi_camera: MultiCamera, view: LiveView | None) -> Screen | None:
        """Open the status in the terminal; None if the log is JSON or off."""
        from edgecnn.live.view import open_status

        if not self._reporter.draws:
            return None
        return open_status(multi_camera, view if self._draws_table(cameras, multi_camera) else None, self._err)

    def _draws_table(self, cameras: ActiveCameras, multi_camera: MultiCamera) -> bool:
        from edgecnn.live.view import uses_terminal

        to_stdout = any(camera.config.outputs.to_stdout for camera in cameras.active.values())
        return uses_terminal(self.config.view, len(multi_camera.cameras), to_stdout=to_stdout, out=self._out, err=self._err)

    def _handle_result(self, result: Result, cameras: ActiveCameras) -> None:
        camera = cameras.write(result)
        if camera is not None:
            self._reporter.result(result, camera)
            self._warn_not_finite(camera)
        if self._on_result is not None:
            self._on_result(result)

    def _warn_not_finite(self, camera: ActiveCamera) -> None:
        """Say once for each model that its outputs held NaN; the summary counts them."""
        if camera.predictor.monitor.not_finite and id(camera.predictor) not in self._told_not_finite:
            self._told_not_finite.add(id(camera.predictor))
            text = f"the outputs of {camera.model_file.name} hold NaN or infinity: {NOT_FINITE_CAUSE}"
            self._reporter.say("outputs-not-finite", f"warning: {text}", "warning", {"camera": camera.config.name, "text": text})

    def _handle_event(self, event: Event) -> None:
        """Handle an event in the thread that iterates the pipeline, even if there are no frames."""
        if self._cameras is not None:
            self._cameras.write_event(event)
        self._reporter.event(event, several=self._several)
        if self._on_event is not None:
            self._on_event(event)

    def _warn(self, text: str) -> None:
        self._reporter.say("model", f"warning: {text}", "warning", {"text": text})

    def _tell(self, text: str) -> None:
        self._reporter.say("note", text, values={"text": text})

    def _say_output(self, text: str) -> None:
        self._reporter.say("output", f"warning: {text}", "warning", {"text": text})

    def _finish(self, error: EdgeCnnError | None) -> RunSummary:
        """Write --stats and print the summary, unless the run did not start."""
        end = self._stopped_by or ("broke off" if error else "done")
        cameras = [camera for camera in self._cameras.all if camera.camera is not None] if self._cameras is not None else []
        summary = summarise(cameras, end, error)
        if not cameras or self._cameras is None:
            return summary
        if self.config.stats is not None:
            write_stats(self.config.stats, summary)
        # An error before the first frame stands alone: a summary without frames would hide it.
        counts = [camera.statistics.ledger for camera in summary.cameras]
        began = any(count.captured > count.failed for count in counts)
        if error is None or (began and isinstance(error, SourceError)) or self._cameras.output_errors:
            self._reporter.end(cameras, end, self.config.stats)
        return summary


@contextmanager
def _time_limit(seconds: float | None, multi_camera: MultiCamera) -> Iterator[None]:
    """Stop the pipeline after ``seconds``, even if there are no frames; None is no limit."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, multi_camera.stop)
    timer.name, timer.daemon = "edgecnn-duration", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
