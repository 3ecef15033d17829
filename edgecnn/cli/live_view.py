"""The options of `edgecnn run` for watching it: a page in the browser, and numbers in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgecnn.cli.options import with_options
from edgecnn.thresholds import SHOWN_SCORE

if TYPE_CHECKING:
    from edgecnn.live.status import StatusLine
    from edgecnn.runtime.pipeline.controls import Controls
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera
    from edgecnn.runtime.view.live_view import LiveView
    from edgecnn.runtime.view.protocols import MonitoredSink, PrometheusPage
    from edgecnn.runtime.view.terminal import TerminalView

F = TypeVar("F", bound=Callable[..., Any])

WHOLE_VIEW = frozenset({"serve", "token", "view"})  # all belong to the run, none to a camera
_OPTIONS = (
    click.option(
        "--serve",
        is_flag=False,
        flag_value="127.0.0.1:8501",
        metavar="[HOST:PORT]",
        help="Show the run on a page: video, numbers, events, controls. Alone it means 127.0.0.1:8501, which only this machine "
        "reaches; port 0 takes a free one. Any other host needs --token.",
    ),
    click.option(
        "--token",
        metavar="TOKEN",
        help="What who looks has to know; auto makes one and says it once. EDGECNN_TOKEN keeps it out of the process list.",
    ),
    click.option(
        "--view/--no-view",
        default=None,
        help="Draw numbers, charts and events of all cameras in the terminal instead of one line.  [default: with several cameras]",
    ),
)


def view_options(function: F) -> F:
    """Add --serve, --token and --view to a command, which gets ``serve``, ``token`` and ``view``."""
    return with_options(function, _OPTIONS)


def wants_terminal(values: Mapping[str, Any], cameras: int) -> bool:
    """Whether the numbers are drawn in the terminal: where it is one, and that is asked for or there are several cameras.

    Unasked they are not where results are written into the same terminal.
    """
    import os

    from edgecnn.cli.live_outputs import writes_to_stdout

    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return False
    if values["view"] is None:
        return cameras > 1 and not (writes_to_stdout(values) and sys.stdout.isatty())
    return bool(values["view"])


def open_view(
    values: Mapping[str, Any],
    station: MultiCamera,
    controls: Controls,
    *,
    title: str = "",
    score_threshold: float = SHOWN_SCORE,
    floor: float = 0.0,
    sinks: Callable[[], Sequence[MonitoredSink]] = tuple,
    metrics: PrometheusPage | None = None,
) -> LiveView | None:
    """The view that ``values`` ask for, which listens already, or None; the caller joins the cameras, enters it and writes results.

    Raises ``InputError`` for an address or token that can't be, ``MissingExtraError`` without the packages.
    """
    from edgecnn.errors import InputError

    access = None
    if values["serve"] is not None:
        from edgecnn.runtime.view.auth import make_access

        access = make_access(values["serve"], values["token"])
    elif values["token"] is not None:
        raise InputError("--serve with --token", "--token alone", "add --serve, or leave the token away")
    if access is None and not wants_terminal(values, len(station.cameras)):
        return None
    from edgecnn.runtime.view.live_view import LiveView

    return LiveView(
        station, controls, access, title=title, score_threshold=score_threshold, floor=floor, sinks=sinks, metrics=metrics
    )


def announcement(view: LiveView) -> str | None:
    """Where to look, and once the token if it was made here."""
    if view.server is None:
        return None
    made = f"  token: {view.server.access.token}" if view.server.access.made else ""
    return f"live view: {view.url}{made}"


def open_status(values: Mapping[str, Any], station: MultiCamera, view: LiveView | None) -> StatusLine | TerminalView:
    """What tells in the terminal how the run fares; both have ``say`` and ``note`` for lines that stay."""
    if view is not None and wants_terminal(values, len(station.cameras)):
        from edgecnn.runtime.view.terminal import TerminalView

        return TerminalView(view.run_metrics)
    from edgecnn.live.status import StatusLine

    return StatusLine(station)
