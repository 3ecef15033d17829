"""Combines the metrics, the annotated frames and the web server of the live view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.view.auth import Access
from edgecnn.runtime.view.frame_images import FrameImages
from edgecnn.runtime.view.protocols import MonitoredRun, MonitoredSink, PrometheusPage, ViewContext
from edgecnn.runtime.view.run_metrics import RunMetrics
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Result

if TYPE_CHECKING:
    from edgecnn.runtime.view.server import Server


class LiveView:
    """Shows the results that ``write`` gets.

    As a context manager it samples ``run``, and serves the page if ``access`` is not None.
    The painters are called in a thread of the view, ``sinks`` and ``metrics`` at each request. ``score_threshold`` is the initial
    one, ``by_class`` whether classes have their own at first, ``floor`` the lowest that a viewer can set. Raises ``InputError`` if the
    address can't be used, ``MissingExtraError`` without starlette or uvicorn.
    """

    def __init__(
        self,
        run: MonitoredRun,
        controls: Controls,
        access: Access | None = None,
        *,
        title: str = "",
        score_threshold: float = SHOWN_SCORE,
        by_class: bool = False,
        floor: float = 0.0,
        sinks: Callable[[], Sequence[MonitoredSink]] = tuple,
        metrics: PrometheusPage | None = None,
    ) -> None:
        self.context = ViewContext(
            run=run,
            controls=controls,
            title=title,
            score_threshold=score_threshold,
            by_class=by_class,
            floor=floor,
            sinks=sinks,
        )
        self.run_metrics = RunMetrics(self.context)
        self._painters: dict[str, ResultPainter] = {}
        self._images = FrameImages(self._painters)
        self.server: Server | None = None
        self._stack = ExitStack()
        if access is not None:
            from edgecnn.runtime.view.server import Server

            self.server = Server(self.run_metrics, self._images, access, metrics)

    @property
    def url(self) -> str | None:
        """The address of the page; None without a page."""
        return None if self.server is None else self.server.url

    def __enter__(self) -> LiveView:
        self._stack.enter_context(self.run_metrics)
        if self.server is not None:
            self._stack.enter_context(self._images)
            self._stack.enter_context(self.server)
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and sampling."""
        self._stack.close()
        if self.server is not None:
            self.server.close()

    def add_camera(
        self,
        camera: str,
        labels: Sequence[str],
        painter: ResultPainter,
        only: Iterable[str] | None = None,
        *,
        by_class: bool = True,
        by_score: bool = True,
    ) -> None:
        """Add a camera, or replace its model; only the labels ``only`` are shown initially (None: all).

        ``by_class`` and ``by_score`` tell whether its results can be filtered so.
        """
        self.context.unclassed = self.context.unclassed - {camera} | (frozenset() if by_class else {camera})
        self.context.unscored = self.context.unscored - {camera} | (frozenset() if by_score else {camera})
        if only is not None:
            names = {label.casefold() for label in only}
            shown = frozenset(label for label in labels if label.casefold() in names)
            self.context.only = {**self.context.only, camera: shown}
        # A new dictionary instead of a change in place: the threads of the server iterate over the old one without a lock.
        self.context.labels = {**self.context.labels, camera: labels}
        self._painters[camera] = painter

    def remove_camera(self, camera: str) -> None:
        """Remove a camera."""
        self.context.labels = {name: labels for name, labels in self.context.labels.items() if name != camera}
        self.context.only = {name: only for name, only in self.context.only.items() if name != camera}
        self._painters.pop(camera, None)
        self._images.remove(camera)

    def write(self, result: Result) -> None:
        """Take a result; takes a few microseconds, as drawing happens on request in another thread."""
        self.run_metrics.write(result)
        if self.server is not None:
            self._images.show(self.run_metrics.name_of(result), result)
