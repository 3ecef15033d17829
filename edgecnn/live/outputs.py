"""Opens the outputs of each camera, shared between cameras if the kind of output allows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.live.config import OutputConfig, RunConfig
from edgecnn.tasks import find

if TYPE_CHECKING:
    from edgecnn.runtime.draw.shared_painter import ResultPainter
    from edgecnn.runtime.sinks import Sink
    from edgecnn.runtime.sinks.network.prometheus import MeasuredCamera, MetricsServer, PrometheusMetrics
    from edgecnn.runtime.sinks.queue import QueuedSink
    from edgecnn.runtime.sinks.records import Recorder
    from edgecnn.runtime.sinks.shared_sink import SharedSink
    from edgecnn.trust.drift.step import DriftStep

# What the model of an output has to be: the property of its task, and a name for such a model.
_NEEDS: Mapping[str, tuple[str, str]] = {
    "mot": ("has_boxes", "a detector"),
    "coco": ("has_boxes", "a detector"),
    "csv": ("in_rows", "a model whose results are rows"),
    "npy": ("has_tensors", "a model that gives tensors"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCamera:
    """The attributes of a camera that its outputs need.

    ``title`` and ``fps`` are those of the source. ``live``: the policy is "latest". ``several``: the run has, or may get, more
    cameras. ``task`` is that of the model: detect, classify or regress. ``source`` is the address of the source.
    ``drift`` watches it, None where it is not watched.
    """

    name: str
    labels: Sequence[str]
    painter: ResultPainter
    title: Callable[[int], str]
    fps: Callable[[], float | None]
    live: bool
    several: bool = False
    task: str = "detect"
    source: str = ""
    drift: DriftStep | None = None


class Outputs:
    """Opens the outputs of each camera; ``say`` is called with a line when an output fails or works again.

    ``sinks`` are the open outputs; an output that several cameras share is contained once.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        from edgecnn.runtime.sinks.records import Recorder
        from edgecnn.runtime.sinks.shared_sink import SharedSinks

        self._say, self._sinks, self._recorder = say, SharedSinks(), Recorder()

    @property
    def sinks(self) -> list[QueuedSink]:
        """All open outputs."""
        return self._sinks.sinks

    def open(self, camera: OutputCamera, config: OutputConfig) -> list[SharedSink]:
        """Open the sinks of one camera; after an error none stays open. Raises ``InputError`` and ``MissingExtraError``."""
        _check_task(config, camera.task)
        self._recorder.add(camera.name, camera.labels, camera.title)
        opened: list[SharedSink] = []
        try:
            for kind in _MAKERS:
                target = getattr(config, kind)
                if target:
                    opened.append(self._open_one(kind, target, camera, config))
        except BaseException:
            for sink in opened:
                sink.close()
            raise
        return opened

    def _open_one(self, kind: str, target: str, camera: OutputCamera, config: OutputConfig) -> SharedSink:
        from edgecnn.runtime.sinks.queue import CLOSE_FILES_WITHIN_S, CLOSE_WITHIN_S, LONGEST_PAUSE_S, QueuedSink

        maker = _MAKERS[kind]
        if maker.file:
            target = target.replace("{camera}", camera.name)
            _check_source(kind, target, camera)
        # The name identifies the output in messages and metrics.
        name = f"{kind} {camera.name}" if camera.several and not maker.shared else kind

        def make() -> QueuedSink:
            request = _Request(target, camera, config, self._recorder, self._sinks.begun(target))
            return QueuedSink(
                _made(kind, request),
                name=self._unique(name),
                # A live camera never waits for an output. For a file every result is written, however long it takes.
                lossless=not camera.live and maker.file,
                keep_image=maker.image,
                events_only=maker.events_only,
                capacity=maker.capacity,
                # A file needs time to be completed; a server that can't be reached must not delay the end.
                close_within_s=CLOSE_FILES_WITHIN_S if maker.file else CLOSE_WITHIN_S,
                # the MQTT client reconnects by itself, so the queue has to try again soon
                longest_pause_s=1.0 if kind == "mqtt" else LONGEST_PAUSE_S,
                say=self._say,
            )

        # Cameras may use the same folder, as their files have different names; each has its own sink.
        own = maker.folder and camera.name
        return self._sinks.join(
            kind,
            f"{target}#{own}" if own else target,
            camera.name,
            make,
            shared=maker.shared,
            file=maker.file and not maker.folder,
        )

    def _unique(self, name: str) -> str:
        """Add a number to the name of an output if another one has the same name."""
        taken = {sink.name for sink in self.sinks}
        return next(one for one in (name, *(f"{name} {n}" for n in range(2, len(taken) + 3))) if one not in taken)


def _made(kind: str, request: _Request) -> Sink:
    """Create the sink; the error of an invalid address names the option."""
    try:
        return _MAKERS[kind].make(request)
    except InputError as error:
        if _MAKERS[kind].file:
            raise
        raise InputError(f"--{kind}: {error.problem}", error.fix) from error


def _check_source(kind: str, target: str, camera: OutputCamera) -> None:
    """Raise ``InputError`` for an output that would overwrite the file that the camera reads."""
    place, source = Path(target), Path(camera.source)
    if target != "-" and place.is_file() and source.is_file() and place.samefile(source):
        raise InputError(f"--{kind}: {target} is the source of camera {camera.name}", "write to another file")


def _check_task(config: OutputConfig, task: str) -> None:
    """Raise ``InputError`` for an output that can't hold the results of the model."""
    for name, (needed, model) in _NEEDS.items():
        if getattr(config, name) and not getattr(find(task), needed):
            raise InputError(f"--{name} needs {model}, but the task of the model is {task}", "use another output")


def open_metrics(
    config: RunConfig, cameras: Callable[[], Mapping[str, MeasuredCamera]], outputs: Outputs
) -> tuple[PrometheusMetrics | None, MetricsServer | None]:
    """Open the metrics for the page and the server of --metrics-port; each is None if it is not used.

    Raises ``InputError`` for a port that is in use, and ``MissingExtraError`` for a port without prometheus_client.
    """
    if config.metrics_port is None and config.view.serve is None:
        return None, None  # unused, importing prometheus_client would only lengthen the start
    from edgecnn.runtime.sinks.network.prometheus import MetricsServer, PrometheusMetrics

    try:
        metrics = PrometheusMetrics(cameras, lambda: outputs.sinks)
    except MissingExtraError:
        if config.metrics_port is not None:
            raise
        return None, None
    return metrics, None if config.metrics_port is None else MetricsServer(metrics, config.metrics_port)


@dataclass(frozen=True, slots=True)
class _Request:
    """An output to open; ``again``: this run wrote to the file before, so it is extended."""

    target: str
    camera: OutputCamera
    config: OutputConfig
    recorder: Recorder
    again: bool


@dataclass(frozen=True, slots=True)
class _Maker:
    """The constructor and the properties of a kind of output."""

    make: Callable[[_Request], Sink]
    shared: bool = False  # several cameras may write to the same one
    # Without the pixels, hundreds of queued results take little memory.
    image: bool = False  # needs the pixels of each frame
    events_only: bool = False
    file: bool = True
    folder: bool = False
    capacity: int = 256


def _video(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.images import ImagesSink, is_folder
    from edgecnn.runtime.sinks.files.video import VideoSink

    camera, config = request.camera, request.config
    if is_folder(request.target):
        return ImagesSink(request.target, camera.painter, camera.title)
    return VideoSink(
        request.target,
        camera.painter,
        fps=camera.fps,
        realtime=camera.live,
        segment_s=config.segment_s,
        keep_bytes=config.segments_size_bytes,
        # The file holds the video of a camera that was replaced; a name with the time keeps it.
        dated=request.again,
    )


def _snapshot(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.snapshot import SnapshotSink

    return SnapshotSink(request.target, request.camera.painter)


def _jsonl(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.json_lines import JsonLinesSink

    return JsonLinesSink(
        request.target, recorder=request.recorder, rotate_bytes=request.config.rotate_bytes, append=request.again
    )


def _csv(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.csv_rows import CsvSink

    return CsvSink(request.target, request.recorder, rotate_bytes=request.config.rotate_bytes, append=request.again)


def _events(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.json_lines import EventLinesSink

    return EventLinesSink(request.target, rotate_bytes=request.config.rotate_bytes, append=request.again)


def _mot(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.mot_text import MotSink

    return MotSink(request.target, append=request.again)


def _coco(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.coco_results import CocoSink

    return CocoSink(request.target, request.recorder, append=request.again)


def _npy(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.npy_files import NpySink

    return NpySink(request.target)


def _clips(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.files.event_clips import ClipOptions, EventClipsSink

    config, camera = request.config, request.camera
    options = ClipOptions(
        kinds=config.clip_on,
        before_s=config.clip_before_s,
        after_s=config.clip_after_s,
        max_count=config.max_clips,
        max_bytes=config.clips_size_bytes,
    )
    return EventClipsSink(Path(request.target), camera.painter, options, fps=camera.fps, realtime=camera.live)


def _drift_frames(request: _Request) -> Sink:
    from edgecnn.trust.drift.frames_sink import DriftFramesSink

    config, camera, drift = request.config, request.camera, request.camera.drift
    assert drift is not None  # --drift-frames needs --drift
    drift.keeps_evidence = True
    folder = Path(request.target) / camera.name if camera.several else Path(request.target)
    return DriftFramesSink(folder, drift, camera.labels, most=config.max_drift_frames, most_bytes=config.drift_frames_size_bytes)


def _mqtt(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.network.mqtt import MqttAddress, MqttSink

    return MqttSink(MqttAddress.parse(request.target), request.recorder)


def _webhook(request: _Request) -> Sink:
    from edgecnn.runtime.sinks.network.endpoint import read_secret
    from edgecnn.runtime.sinks.network.webhook import SECRET, WebhookSink

    return WebhookSink(request.target, secret=read_secret(SECRET, None), kinds=request.config.webhook_on)


_MAKERS = {
    "out": _Maker(_video, image=True, capacity=64),
    "snapshot": _Maker(_snapshot, image=True, capacity=4),
    "jsonl": _Maker(_jsonl, shared=True),
    "csv": _Maker(_csv, shared=True),
    "mot": _Maker(_mot),
    "coco": _Maker(_coco),
    "npy": _Maker(_npy, folder=True),
    "events": _Maker(_events, shared=True, events_only=True),
    "clips": _Maker(_clips, image=True, folder=True, capacity=64),
    "drift_frames": _Maker(_drift_frames, image=True, folder=True, capacity=16),
    "mqtt": _Maker(_mqtt, shared=True, file=False, capacity=1000),
    "webhook": _Maker(_webhook, shared=True, events_only=True, file=False, capacity=1000),
}
