"""Opens the live view of a run: the page in the browser, the table or status line in the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from edgecnn.live.config import RunConfig, ViewConfig
from edgecnn.thresholds import SHOWN_SCORE

if TYPE_CHECKING:
    from edgecnn.live.cameras import ActiveCameras
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera
    from edgecnn.runtime.sinks.network.prometheus import PrometheusMetrics
    from edgecnn.runtime.view.live_view import LiveView
    from edgecnn.runtime.view.screen import Screen


def uses_terminal(config: ViewConfig, cameras: int, *, to_stdout: bool, out: TextIO, err: TextIO) -> bool:
    """Return whether to draw a table of all cameras on ``err``: if it is a terminal, as configured or for several cameras.

    By default there is no table if results are written to the same terminal (``to_stdout``).
    """
    # A "dumb" terminal has no cursor movement.
    if not err.isatty() or os.environ.get("TERM") == "dumb":
        return False
    if config.terminal is None:
        return cameras > 1 and not (to_stdout and out.isatty())
    return config.terminal


def open_view(
    config: RunConfig, cameras: ActiveCameras, multi_camera: MultiCamera, metrics: PrometheusMetrics | None, *, table: bool
) -> LiveView | None:
    """Create the live view for a page or a ``table`` in the terminal, else return None; the caller enters it.

    The server of the page already listens. Raises ``InputError`` for an address or token that is not allowed, and
    ``MissingExtraError`` without the packages for a page.
    """
    # The table uses the same metrics as the page, so a view without a server is created for it alone.
    access = None
    if config.view.serve is not None:
        from edgecnn.runtime.view.auth import make_access

        access = make_access(config.view.serve, config.view.token)
    elif not table:
        return None
    from edgecnn.live.camera_scores import VIEW_FLOOR
    from edgecnn.runtime.view.live_view import LiveView

    active = list(cameras.active.values())
    return LiveView(
        multi_camera,
        cameras.controls,
        access,
        title=", ".join(dict.fromkeys(camera.predictor.card.name for camera in active)),
        floor=VIEW_FLOOR,
        sinks=lambda: cameras.outputs.sinks,
        score_threshold=min((camera.shown.usual for camera in active), default=SHOWN_SCORE),
        by_class=any(camera.shown.own for camera in active),
        metrics=None if metrics is None else metrics.page,
    )


def announcement(view: LiveView) -> str | None:
    """Return the line with the address of the page, and the token if it was generated; None without a page."""
    if view.server is None:
        return None
    made = f"  token: {view.server.access.token}" if view.server.access.generated else ""
    return f"live view: {view.url}{made}"


def open_status(multi_camera: MultiCamera, view: LiveView | None, err: TextIO) -> Screen:
    """Create the table of ``view`` in the terminal, or without a view a status line."""
    if view is not None:
        from edgecnn.runtime.view.terminal import TerminalView

        return TerminalView(view.run_metrics, err)
    from edgecnn.live.status import StatusLine

    return StatusLine(multi_camera, err)
