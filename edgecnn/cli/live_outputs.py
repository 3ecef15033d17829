"""The options of `edgecnn run` for where results go, and what opens these outputs for each camera."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgecnn.cli.options import with_options
from edgecnn.cli.units import parse_bytes, parse_seconds

if TYPE_CHECKING:
    from edgecnn.runtime.draw.shared_painter import ResultPainter
    from edgecnn.runtime.sinks import Sink
    from edgecnn.runtime.sinks.network.prometheus import MeasuredCamera, MetricsServer, PrometheusMetrics
    from edgecnn.runtime.sinks.queue import QueuedSink
    from edgecnn.runtime.sinks.shared_sink import SharedSink

F = TypeVar("F", bound=Callable[..., Any])

WHOLE_OUTPUTS = frozenset({"metrics_port"})  # belongs to the run; all others may differ from camera to camera
TO_STDOUT = ("jsonl", "csv", "events")
_NEEDS = {  # what does nothing alone
    "segment": ("out",),
    "segments_size": ("segment",),
    "rotate": TO_STDOUT,
    "clip_on": ("clips",),
    "webhook_on": ("webhook",),
}
_BOXES = ("mot", "coco")
_KIND = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def parse_kinds(value: str | Sequence[str]) -> tuple[str, ...]:
    """Kinds of events with commas between; raises ``click.BadParameter``."""
    kinds = tuple(value.replace(" ", "").split(",")) if isinstance(value, str) else tuple(value)
    if not kinds or not all(_KIND.fullmatch(kind) for kind in kinds):
        raise click.BadParameter(f"wanted events such as line-crossed,zone-entered, found {value!r}")
    return kinds


_OPTIONS = (
    click.option("--out", metavar="FILE", help="Annotated video: .mp4, .mkv (MPEG-4) or .webm (VP8, for browsers)."),
    click.option("--segment", type=parse_seconds, metavar="TIME", help="Begin a new --out file, dated, every 10m."),
    click.option("--segments-size", type=parse_bytes, metavar="SIZE", help="Remove the oldest of these above 50GB in all."),
    click.option("--snapshot", metavar="FILE", help="Annotated picture of the last frame with something on it."),
    click.option("--jsonl", metavar="FILE", help="Results as JSON lines; - is standard output."),
    click.option("--csv", metavar="FILE", help="Results as CSV, a row for each box; - is standard output."),
    click.option("--mot", metavar="FILE", help="Tracks as MOT Challenge text."),
    click.option("--coco", metavar="FILE", help="Detections as COCO results."),
    click.option("--events", metavar="FILE", help="Events as JSON lines; - is standard output."),
    click.option(
        "--rotate", type=parse_bytes, metavar="SIZE", help="Begin --jsonl, --csv, --events anew at 100MB, keep one before."
    ),
    click.option("--clips", metavar="DIR", help="A picture and a clip of each event; the oldest go."),
    click.option("--clip-on", type=parse_kinds, metavar="EVENTS", help="Only of line-crossed,zone-entered,...  [default: all]"),
    click.option(
        "--clip-before", type=parse_seconds, default="5s", show_default=True, metavar="TIME", help="Clips begin earlier."
    ),
    click.option("--clip-after", type=parse_seconds, default="5s", show_default=True, metavar="TIME", help="Clips end later."),
    click.option("--clips-most", type=click.IntRange(1), default=200, show_default=True, help="Clips kept in DIR."),
    click.option("--clips-size", type=parse_bytes, default="2GB", show_default=True, metavar="SIZE", help="Their size in all."),
    click.option(
        "--mqtt",
        envvar="EDGECNN_MQTT",
        metavar="URL",
        help="Results, events and state to mqtt[s]://user@host/topic?qos=1&send=events,results&every=1&ca=FILE; the password comes "
        "from EDGECNN_MQTT_PASSWORD or password-file=.",
    ),
    click.option(
        "--webhook",
        envvar="EDGECNN_WEBHOOK",
        metavar="URL",
        help="Post each event there; EDGECNN_WEBHOOK_SECRET signs it.",
    ),
    click.option("--webhook-on", type=parse_kinds, metavar="EVENTS", help="Only line-crossed,zone-entered,...  [default: all]"),
    click.option(
        "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT", help="Numbers for Prometheus at 127.0.0.1:PORT/metrics."
    ),
)


def output_options(function: F) -> F:
    """Add the options for outputs to a command. ``{camera}`` in the name of a file or folder becomes the name of the camera."""
    return with_options(function, _OPTIONS)


def writes_to_stdout(values: Mapping[str, Any]) -> bool:
    """Whether standard output is an output, so that nothing else may be said there."""
    return any(values[name] == "-" for name in TO_STDOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCamera:
    """What outputs need of a camera. ``title`` and ``fps`` are its source's, ``live`` that its policy is "latest".

    ``several``: the run has more cameras, or may get them. ``task`` is its model's: detect, classify or regress.
    """

    name: str
    labels: Sequence[str]
    painter: ResultPainter
    title: Callable[[int], str]
    fps: Callable[[], float | None]
    live: bool
    several: bool = False
    task: str = "detect"


class Outputs:
    """Opens the outputs that ``values`` ask for; ``say`` gets a line when one fails or works again.

    Each outlet takes the results (``write``) and all events (``tell``) of its camera. Open outputs are ``sinks``, each once.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        from edgecnn.runtime.sinks.records import Recorder
        from edgecnn.runtime.sinks.shared_sink import SharedSinks

        self._say, self._outlets, self._recorder = say, SharedSinks(), Recorder()

    @property
    def sinks(self) -> list[QueuedSink]:
        """All outputs that are open."""
        return self._outlets.sinks

    def open(self, camera: OutputCamera, values: Mapping[str, Any]) -> list[SharedSink]:
        """The outlets of one camera; none is left open after an error. Raises ``InputError`` and ``MissingExtraError``."""
        _check(values, camera.task)
        self._recorder.add(camera.name, camera.labels, camera.title)
        opened: list[SharedSink] = []
        try:
            for kind in _MAKERS:
                if values[kind]:
                    opened.append(self._open_one(kind, camera, values))
        except BaseException:
            for outlet in opened:
                outlet.close()
            raise
        return opened

    def _open_one(self, kind: str, camera: OutputCamera, values: Mapping[str, Any]) -> SharedSink:
        from edgecnn.runtime.sinks.queue import CLOSE_FILES_WITHIN_S, CLOSE_WITHIN_S, LONGEST_PAUSE_S, QueuedSink

        maker = _MAKERS[kind]
        target = str(values[kind])
        if maker.file:
            target = target.replace("{camera}", camera.name)
        name = f"{kind} {camera.name}" if camera.several and not maker.shared else kind

        def make() -> QueuedSink:
            order = _Order(target, camera, values, self._recorder, self._outlets.begun(target))
            return QueuedSink(
                maker.make(order),
                name=self._unique(name),
                lossless=not camera.live and maker.file,
                keep_image=maker.image,
                events_only=maker.events_only,
                capacity=maker.capacity,
                close_within_s=CLOSE_FILES_WITHIN_S if maker.file else CLOSE_WITHIN_S,
                longest_pause_s=1.0 if kind == "mqtt" else LONGEST_PAUSE_S,  # it waits by itself until it is connected
                say=self._say,
            )

        own = maker.folder and camera.name
        return self._outlets.join(
            kind,
            f"{target}#{own}" if own else target,
            camera.name,
            make,
            shared=maker.shared,
            file=maker.file and not maker.folder,
        )

    def _unique(self, name: str) -> str:
        """Two brokers or two files are told apart by a number."""
        taken = {sink.name for sink in self.sinks}
        return next(one for one in (name, *(f"{name} {n}" for n in range(2, len(taken) + 3))) if one not in taken)


def _check(values: Mapping[str, Any], task: str) -> None:
    """Raise ``InputError`` for an option that would do nothing, and for boxes that there will not be."""
    from edgecnn.errors import InputError

    for name, others in _NEEDS.items():
        if values[name] and not any(values[other] for other in others):
            wanted, found = " or ".join(f"--{other}" for other in others), f"--{name.replace('_', '-')}"
            raise InputError(f"{wanted} with {found}", f"{found} alone", f"add {wanted}, or leave {found} away")
    for name in _BOXES:
        if values[name] and task != "detect":
            raise InputError(f"a detector for --{name}", f"a model that has the task {task}", "use another output")


def open_metrics(
    values: Mapping[str, Any], cameras: Callable[[], Mapping[str, MeasuredCamera]], outputs: Outputs
) -> tuple[PrometheusMetrics | None, MetricsServer | None]:
    """The numbers, for a page that shows them, and what serves them at --metrics-port; each None where there is none.

    Raises ``InputError`` for a port that is taken, ``MissingExtraError`` where the port is asked for without prometheus_client.
    """
    if values["metrics_port"] is None and values.get("serve") is None:
        return None, None  # nobody looks: prometheus_client would only lengthen the start
    from edgecnn.errors import MissingExtraError
    from edgecnn.runtime.sinks.network.prometheus import MetricsServer, PrometheusMetrics

    try:
        metrics = PrometheusMetrics(cameras, lambda: outputs.sinks)
    except MissingExtraError:
        if values["metrics_port"] is not None:
            raise
        return None, None
    return metrics, None if values["metrics_port"] is None else MetricsServer(metrics, values["metrics_port"])


@dataclass(frozen=True, slots=True)
class _Order:
    """One output to make: ``again`` where this run has written to the file before."""

    target: str
    camera: OutputCamera
    values: Mapping[str, Any]
    recorder: Any
    again: bool


@dataclass(frozen=True, slots=True)
class _Maker:
    """How an output of a kind is made, and what may be done with it."""

    make: Callable[[_Order], Sink]
    shared: bool = False  # cameras may write to the same
    image: bool = False
    events_only: bool = False
    file: bool = True
    folder: bool = False
    capacity: int = 256


def _video(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.video import VideoSink

    camera, values = order.camera, order.values
    return VideoSink(
        order.target,
        camera.painter,
        fps=camera.fps,
        realtime=camera.live,
        segment_s=values["segment"],
        keep_bytes=values["segments_size"],
        dated=order.again,
    )


def _snapshot(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.snapshot import SnapshotSink

    return SnapshotSink(order.target, order.camera.painter)


def _jsonl(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.json_lines import JsonLinesSink

    return JsonLinesSink(order.target, recorder=order.recorder, rotate_bytes=order.values["rotate"], append=order.again)


def _csv(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.csv_rows import CsvSink

    return CsvSink(order.target, order.recorder, rotate_bytes=order.values["rotate"], append=order.again)


def _events(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.json_lines import EventLinesSink

    return EventLinesSink(order.target, rotate_bytes=order.values["rotate"], append=order.again)


def _mot(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.mot_text import MotSink

    return MotSink(order.target, append=order.again)


def _coco(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.coco_results import CocoSink

    return CocoSink(order.target, order.recorder, append=order.again)


def _clips(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.files.event_clips import ClipPlan, EventClipsSink

    values, camera = order.values, order.camera
    plan = ClipPlan(
        kinds=values["clip_on"],
        before_s=values["clip_before"],
        after_s=values["clip_after"],
        most=values["clips_most"],
        most_bytes=values["clips_size"],
    )
    return EventClipsSink(Path(order.target), camera.painter, plan, fps=camera.fps, realtime=camera.live)


def _mqtt(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.network.mqtt import MqttAddress, MqttSink

    return MqttSink(MqttAddress.parse(order.target), order.recorder)


def _webhook(order: _Order) -> Sink:
    from edgecnn.runtime.sinks.network.endpoint import read_secret
    from edgecnn.runtime.sinks.network.webhook import SECRET, WebhookSink

    return WebhookSink(order.target, secret=read_secret(SECRET, None), kinds=order.values["webhook_on"])


_MAKERS = {
    "out": _Maker(_video, image=True, capacity=64),
    "snapshot": _Maker(_snapshot, image=True, capacity=4),
    "jsonl": _Maker(_jsonl, shared=True),
    "csv": _Maker(_csv, shared=True),
    "mot": _Maker(_mot),
    "coco": _Maker(_coco),
    "events": _Maker(_events, shared=True, events_only=True),
    "clips": _Maker(_clips, image=True, folder=True, capacity=64),
    "mqtt": _Maker(_mqtt, shared=True, file=False, capacity=1000),
    "webhook": _Maker(_webhook, shared=True, events_only=True, file=False, capacity=1000),
}
