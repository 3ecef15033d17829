"""Typed, immutable and validated configuration of a run, from Python code, a command line or a TOML file.

The command-line option of a field has the same name without the unit: ``max_age_s`` is ``--max-age`` and, in TOML, ``max-age``.
Times are in seconds and sizes in bytes, or text with a unit ("500ms", "2GB"). Importing this module loads
neither NumPy nor an engine.
"""

# ruff: noqa: RUF009 (option and group make a new field for each attribute)

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError
from edgecnn.live import parsers as p
from edgecnn.live.camera_names import name_of, unique
from edgecnn.live.config_fields import Checked, group, option, option_name
from edgecnn.task_names import TASK_NAMES

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.pipeline.region_inference import Tiles
    from edgecnn.runtime.steps.shapes import Shape

Policy = Literal["latest", "all"]
LogForm = Literal["auto", "text", "json", "off"]
Anchor = Literal["bottom", "center", "top"]

# Repeated here, because the modules that define these words import NumPy; a test compares them.
CARD_PARSERS: Mapping[str, p.Parser] = {
    "task": p.OneOf(*TASK_NAMES),
    "decode": p.Text("NAME"),
    "labels": p.File("NAMES", several=True),
    "size": p.ImageSize(),
    "resize": p.OneOf("letterbox", "stretch", "crop"),
    "align": p.OneOf("center", "corner"),
    "pad_value": p.Integer(least=0, most=255),
    "color": p.OneOf("rgb", "bgr", "gray"),
    "mean": p.Numbers(),
    "std": p.Numbers(),
    "score_threshold": p.Number(least=0, most=1),
    "iou_threshold": p.Number(least=0, most=1),
    "max_detections": p.Integer(least=1),
    "label_threshold": p.Number(least=0, most=1),
    "class_agnostic": p.Flag(),
    "class_thresholds": p.ClassScores(),
}


# These functions import their parsers only when a value is given, since those modules import NumPy.
def _line() -> Callable[[str], Shape]:
    from edgecnn.runtime.steps.line_counter import parse_line

    return parse_line


def _zone() -> Callable[[str], Shape]:
    from edgecnn.runtime.steps.zone_counter import parse_zone

    return parse_zone


def _roi() -> Callable[[str], Shape]:
    from edgecnn.runtime.pipeline.region_inference import parse_roi

    return parse_roi


def _tiles() -> Callable[[str], Tiles]:
    from edgecnn.runtime.pipeline.region_inference import parse_tiles

    return parse_tiles


def _card() -> CardOptions:
    from edgecnn.runtime.model.card_inference import CardOptions

    return CardOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsConfig(Checked):
    """Configuration of tracking, counting, region of interest, tiles and motion detection.

    ``track``: None tracks only if ``lines`` or ``zones`` need it. ``track_buffer_s``: seconds a track survives, and stays in its
    zone, without detections. ``only``: classes to keep. ``smooth_s``: time constant in seconds for smoothing boxes of tracks or
    scores of a classifier.
    ``anchor``: the point of a box that crosses lines and is inside zones. ``roi``: region of interest. ``tiles``: grid of tiles
    that are inferred one by one. ``motion``: run inference only while there is motion. ``gallery``: folder of images whose
    names an embedding model gives to what it sees; below ``match_threshold`` (cosine similarity, None: that of the card) it is
    unknown. ``vectors``: results hold the vectors even with a gallery. ``class_score``:
    a classifier's class with at least this score for ``class_hold_s`` seconds is an event. ``drift``: compare with the reference profile of
    the model (0, or "card"), or with what is learnt in these seconds. Coordinates are pixels, or fractions of
    width and height (see ``parse_line``, ``parse_zone``).
    """

    track: bool | None = option(None, p.Flag())
    track_buffer_s: float = option(2.0, p.Seconds(above=0))
    only: tuple[str, ...] | None = option(None, p.Names("CLASSES", "person,car"))
    smooth_s: float | None = option(None, p.Seconds(above=0))
    lines: tuple[Shape, ...] = option((), p.Many(p.Parsed("NAME:X1,Y1,X2,Y2", _line)), "line")
    zones: tuple[Shape, ...] = option((), p.Many(p.Parsed("NAME:X,Y,X,Y,X,Y,...", _zone)), "zone")
    anchor: Anchor = option("bottom", p.OneOf("bottom", "center", "top"))
    roi: Shape | None = option(None, p.Parsed("X1,Y1,X2,Y2[,...]", _roi))
    tiles: Tiles | None = option(None, p.Parsed("COLUMNSxROWS[:OVERLAP]", _tiles))
    motion: bool = option(False, p.Flag())
    gallery: Path | None = option(None, p.File("DIR"))
    match_threshold: float | None = option(None, p.Number(least=-1, most=1))
    vectors: bool = option(False, p.Flag())
    class_score: float | None = option(None, p.Number(least=0, most=1))
    class_hold_s: float = option(0.5, p.Seconds(least=0))
    drift: float | None = option(None, p.DriftReference())

    @property
    def tracks(self) -> bool:
        """Whether boxes are tracked, as configured or because lines or zones need it."""
        return bool(self.track or self.lines or self.zones)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig(Checked):
    """Configuration of the outputs of a camera.

    ``{camera}`` in a file or folder name is replaced by the name of the camera; "-" is standard output. ``segment_s``: seconds
    after which a new video file is started; ``segments_size_bytes``: limit for all of them. ``rotate_bytes``: size at which text
    files are rotated. ``clip_on`` and ``webhook_on``: kinds of events, None for all.
    """

    out: str | None = option(None, p.Text("FILE"))
    segment_s: float | None = option(None, p.Seconds(above=0))
    segments_size_bytes: int | None = option(None, p.Bytes())
    snapshot: str | None = option(None, p.Text("FILE"))
    jsonl: str | None = option(None, p.Text("FILE"))
    csv: str | None = option(None, p.Text("FILE"))
    mot: str | None = option(None, p.Text("FILE"))
    coco: str | None = option(None, p.Text("FILE"))
    npy: str | None = option(None, p.Text("DIR"))
    events: str | None = option(None, p.Text("FILE"))
    rotate_bytes: int | None = option(None, p.Bytes())
    clips: str | None = option(None, p.Text("DIR"))
    clip_on: tuple[str, ...] | None = option(None, p.EventKinds())
    clip_before_s: float = option(5.0, p.Seconds(above=0))
    clip_after_s: float = option(5.0, p.Seconds(above=0))
    max_clips: int = option(200, p.Integer(least=1))
    clips_size_bytes: int = option(2 * 10**9, p.Bytes())
    mqtt: str | None = option(None, p.Text("URL"))
    webhook: str | None = option(None, p.Text("URL"))
    webhook_on: tuple[str, ...] | None = option(None, p.EventKinds())
    drift_frames: str | None = option(None, p.Text("DIR"))
    max_drift_frames: int = option(100, p.Integer(least=1))
    drift_frames_size_bytes: int = option(100 * 10**6, p.Bytes())

    @property
    def to_stdout(self) -> bool:
        """Whether an output writes to standard output, so that nothing else may be printed there."""
        return "-" in (self.jsonl, self.csv, self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraConfig(Checked):
    """Configuration of a camera: a source and its model.

    ``source``: see ``open_source``. ``model``: a file or the name of a shipped model. ``name``: "" is replaced by ``RunConfig``.
    ``policy``: "latest" drops old frames, "all" processes every frame; None is "latest" for live sources. ``every``: infer every
    n-th frame. ``max_fps``: maximum number of inferred frames per second. ``max_age_s``: frame age in seconds above which results
    count as late. ``repeat``: number of times that files are played, 0 for endless. ``timeout_s``: maximum wait for a frame in
    seconds.
    ``require_signature``: public key that must have signed the model.
    ``connect_timeout_s``: maximum wait for the first frame of a live source (math.inf: no limit). ``frozen_after_s``: seconds of
    identical images after which a camera counts as frozen. ``max_image_pixels``: pixels above which an image or frame is not decoded
    (None: the environment variable EDGECNN_MAX_IMAGE_PIXELS, else 120 million). ``card``: settings of a model file without a card. Raises
    ``InputError`` that names the field.
    """

    source: str = option("", p.Text("SOURCE"))
    model: str | Path = option(Path(), p.File("FILE"))
    require_signature: Path | None = option(None, p.File("PUBKEY"))
    name: str = ""
    policy: Policy | None = option(None, p.OneOf("latest", "all"))
    every: int = option(1, p.Integer(least=1))
    max_fps: float | None = option(None, p.Number(above=0))
    max_age_s: float | None = option(None, p.Seconds(above=0))
    repeat: int = option(1, p.Integer(least=0))
    timeout_s: float = option(5.0, p.Seconds(least=0.1))
    reconnect: bool = option(True, p.Flag())
    connect_timeout_s: float = option(0.0, p.Seconds(least=0))
    frozen_after_s: float = option(30.0, p.Seconds(above=0))
    max_image_pixels: int | None = option(None, p.Integer(least=1))
    show: bool = option(False, p.Flag())
    analytics: AnalyticsConfig = group(AnalyticsConfig)
    outputs: OutputConfig = group(OutputConfig)
    card: CardOptions = group(_card, CARD_PARSERS)

    def check(self) -> None:
        """Raise ``InputError`` for a missing source or model, and for options that contradict or need each other."""
        if not self.source:
            raise InputError("no source is given", "name one with --source, such as rtsp://..., 0 or a path")
        # Path() is the default and means that no model is given.
        if Path(self.model) == Path():
            raise InputError("no model is given", "name a model FILE")
        if self.analytics.track is False and self.analytics.tracks:
            raise InputError("--no-track contradicts --line and --zone", "leave --no-track out")
        if self.analytics.gallery is None and (self.analytics.match_threshold is not None or self.analytics.vectors):
            raise InputError("--match-threshold and --vectors do nothing without --gallery", "add --gallery DIR")
        if self.outputs.drift_frames is not None and self.analytics.drift is None:
            raise InputError("--drift-frames does nothing without --drift", "add --drift, or leave --drift-frames out")
        for name, needed in _NEEDS.items():
            if getattr(self.outputs, name) is not None and not any(getattr(self.outputs, other) for other in needed):
                options = " or ".join(f"--{option_name(other)}" for other in needed)
                raise InputError(
                    f"--{option_name(name)} does nothing without {options}", f"add {options}, or leave --{option_name(name)} out"
                )


_NEEDS = {  # outputs that do nothing alone
    "segment_s": ("out",),
    "segments_size_bytes": ("segment_s",),
    "rotate_bytes": ("jsonl", "csv", "events"),
    "clip_on": ("clips",),
    "webhook_on": ("webhook",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewConfig(Checked):
    """Configuration of the live view: page at ``serve`` ("HOST:PORT") with access ``token``, or table in the ``terminal``."""

    serve: str | None = option(None, p.Text("[HOST:PORT]"))
    token: str | None = option(None, p.Text("TOKEN"))
    terminal: bool | None = option(None, p.Flag(), "view")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(Checked):
    """Configuration of a run: either ``cameras``, or a ``cameras_file`` in TOML that is reloaded on change.

    ``defaults``: values of keys that are missing in the file; its source and name are not used. ``engine``: engine of
    all models, and the precision it computes in, see ``open_backend``. ``requests``: number of concurrent inferences.
    ``auto``: run the file, engine, precision and threads that were chosen for this device; ``chosen_threads`` are those, which hold
    where one inference is in flight at a time.
    ``autotune``: measure threads and requests at the start; None does so for live cameras without limits.
    ``max_frames``: number of results after which each camera ends. ``duration_s``: seconds after which the run ends. ``stats``:
    JSON file of statistics.
    ``log``: format of status and events. ``metrics_port``: port of 127.0.0.1 for Prometheus. Raises ``InputError`` that names the
    field, camera or option.
    """

    cameras: tuple[CameraConfig, ...] = ()
    cameras_file: Path | None = option(None, p.File("TOML"), "cameras")
    defaults: CameraConfig = field(default_factory=CameraConfig)
    device: Device = option(CPU, p.EngineDevice())
    engine: str | None = option(None, p.EngineName())
    threads: int | None = option(None, p.Integer(least=1))
    chosen_threads: int | None = None
    requests: int | None = option(None, p.Integer(least=1))
    auto: bool = option(False, p.Flag())
    autotune: bool | None = option(None, p.Flag())
    max_frames: int | None = option(None, p.Integer(least=1))
    duration_s: float | None = option(None, p.Seconds(above=0))
    stats: Path | None = option(None, p.File("FILE"))
    log: LogForm = option("auto", p.OneOf("auto", "text", "json", "off"))
    metrics_port: int | None = option(None, p.Integer(least=0, most=65535))
    view: ViewConfig = group(ViewConfig)

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if self.cameras and self.cameras_file is not None:
            raise InputError("--source and --cameras exclude each other", "give one of them")
        if not self.cameras and self.cameras_file is None:
            raise InputError("no camera is given", "add --source or --cameras")
        # The autotuner selects both numbers itself.
        set_by_hand = [f"--{name}" for name in ("threads", "requests") if getattr(self, name) is not None]
        if self.autotune and set_by_hand:
            raise InputError(f"--autotune and {' and '.join(set_by_hand)} exclude each other", "leave one of them out")
        if self.auto and (self.autotune or self.engine or self.device != CPU or set_by_hand):
            raise InputError(
                "--auto chooses engine, threads and requests itself",
                "leave --engine, --threads, --requests, --device and --autotune out",
            )
        if self.auto and self.cameras_file is not None:
            raise InputError("--auto does not work with --cameras", "name the model and its sources on the command line")
        if self.view.token is not None and self.view.serve is None:
            raise InputError("--token does nothing without --serve", "add --serve, or leave --token out")
        # A frozen dataclass can set its own fields only in this way.
        object.__setattr__(self, "cameras", named(self.cameras))
        for camera in self.cameras:
            camera.check()


def named(cameras: tuple[CameraConfig, ...]) -> tuple[CameraConfig, ...]:
    """Return the cameras with names; missing names are derived from sources. Raises ``InputError`` for repeated names."""
    given = [camera.name for camera in cameras if camera.name]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two cameras have the name {twice}", "rename one")
    names = unique([camera.name or name_of(camera.source) for camera in cameras])
    return tuple(dataclasses.replace(camera, name=name) for camera, name in zip(cameras, names, strict=True))
