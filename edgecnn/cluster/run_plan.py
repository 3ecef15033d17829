"""The parts of a run: whole files, and segments of files where no step keeps state from frame to frame."""

from __future__ import annotations

import dataclasses
import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgecnn.errors import InputError
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.models import is_live

if TYPE_CHECKING:
    from edgecnn.runtime.sources import Source

LEAST_FRAMES: Final = 64  # of a segment: below that, starting one costs more than it gains
IMAGES: Final = 512  # of a segment of a folder, whose images are read one by one
# Options of a run that need one process with the cameras before it.
_ALONE: Final = {
    "cameras_file": "--cameras",
    "auto": "--auto",
    "autotune": "--autotune",
    "requests": "--requests",
    "duration_s": "--duration",
    "metrics_port": "--metrics-port",
}
_PICTURES: Final = ("out", "snapshot", "clips")
_NETWORK: Final = ("mqtt", "webhook")


@dataclass(frozen=True, slots=True)
class RunPart:
    """Frames ``first`` to ``end`` (None: the last one) of the file of a camera; ``number`` is its place among all parts."""

    number: int
    camera: CameraConfig
    first: int = 0
    end: int | None = None

    @property
    def title(self) -> str:
        """For messages."""
        if self.first == 0 and self.end is None:
            return self.camera.name
        return f"{self.camera.name}, frames {self.first} to {'the end' if self.end is None else self.end - 1}"


def check_config(config: RunConfig) -> None:
    """Raise ``InputError`` for options that have no meaning for files on several machines."""
    given = [name for field, name in _ALONE.items() if getattr(config, field) not in (None, False)]
    if config.view.serve is not None or config.view.terminal:
        given.append("--serve" if config.view.serve is not None else "--view")
    for camera in config.cameras:
        given += [f"--{name}" for name in _NETWORK if getattr(camera.outputs, name) is not None]
        given += ["--show"] if camera.show else []
        given += ["--drift"] if camera.analytics.drift is not None else []
    if given:
        raise InputError(f"{given[0]} does not work with --ray", "leave it out, or run on one machine")
    drawn = next((name for camera in config.cameras for name in _PICTURES if getattr(camera.outputs, name) is not None), None)
    if drawn is not None:
        raise InputError(
            f"--{drawn} needs the images, which stay on the machines that read them with --ray",
            "write the results with --jsonl or --csv; for pictures, run the same command without --ray",
        )
    if len({(str(camera.model), camera.card, camera.require_signature) for camera in config.cameras}) > 1:
        raise InputError("--ray runs one model", "start a run for each model")


def with_videos(config: RunConfig) -> RunConfig:
    """The configuration with a camera for each video of a folder or pattern of videos."""
    cameras: list[CameraConfig] = []
    for camera in config.cameras:
        videos = _videos(camera.source)
        cameras += [dataclasses.replace(camera, source=str(video), name="") for video in videos] if videos else [camera]
    return dataclasses.replace(config, cameras=tuple(cameras))


def check_source(camera: CameraConfig, source: Source) -> None:
    """Raise ``InputError`` for a source that is no file."""
    if camera.policy == "latest":
        raise InputError("--policy latest does not work with --ray", "leave it out: every frame of a file is processed")
    exists = Path(camera.source.partition("?")[0]).exists() or _is_pattern(camera.source)
    if is_live(camera, source) or not exists:
        raise InputError(f"--ray works on files, and {source.name} is none", "run it on one machine")
    if camera.repeat == 0:
        raise InputError("--repeat 0 never ends", "give a number of times")


def state_of(config: RunConfig, camera: CameraConfig) -> str:
    """What goes from frame to frame, so that a file can't be split; "" where nothing does."""
    analytics = camera.analytics
    kept = {
        "tracks": analytics.tracks,
        "--smooth": bool(analytics.smooth_s),
        "--motion": analytics.motion,
        "events of classes": analytics.class_score is not None,
        "--max-fps": camera.max_fps is not None,
        "--repeat": camera.repeat != 1,
        "--max-frames": config.max_frames is not None,
    }
    return next((name for name, value in kept.items() if value), "")


def plan_parts(config: RunConfig, sources: list[Source], workers: int) -> list[RunPart]:
    """The parts in the order of their results; files are split where there are fewer of them than ``workers``."""
    spans = [
        (camera, span)
        for camera, source in zip(config.cameras, sources, strict=True)
        for span in ([(0, None)] if state_of(config, camera) else _spans(camera, source, -(-workers // len(sources))))
    ]
    return [RunPart(number, camera, *span) for number, (camera, span) in enumerate(spans)]


def _spans(camera: CameraConfig, source: Source, pieces: int) -> list[tuple[int, int | None]]:
    """First and last frame of each piece; the last one is open, because headers count frames wrongly."""
    from edgecnn.runtime.sources.images import ImageFiles
    from edgecnn.runtime.sources.video import VideoFile

    if isinstance(source, ImageFiles):
        count: int | None = len(source.paths)
        size = min(IMAGES, -(-len(source.paths) // pieces))
    elif isinstance(source, VideoFile) and pieces > 1:
        count = source.count()
        size = 0 if count is None else -(-count // pieces)
    else:
        return [(0, None)]
    # the sampler counts from the first frame of a segment
    size = -(-max(size, LEAST_FRAMES) // camera.every) * camera.every
    starts = list(range(0, count or 1, size))
    return list(zip(starts, [*starts[1:], None], strict=True))


def without_outputs(camera: CameraConfig) -> CameraConfig:
    """The camera as a worker runs it: its results are written where the run was started."""
    return dataclasses.replace(camera, outputs=type(camera.outputs)(), policy="all", reconnect=False)


def _videos(text: str) -> list[Path]:
    """The videos of a folder without images, or of a pattern that matches nothing else, in natural order."""
    from edgecnn.data.video_frames import VIDEO_SUFFIXES
    from edgecnn.images.kinds import is_image
    from edgecnn.runtime.sources.images import natural_order

    # Path.glob takes no absolute pattern
    matches = glob.glob(text, recursive=True) if _is_pattern(text) else []  # noqa: PTH207
    found = [Path(name) for name in matches] or (list(Path(text).iterdir()) if Path(text).is_dir() else [])
    if any(is_image(one) for one in found):
        return []
    return sorted((one for one in found if one.suffix.lower() in VIDEO_SUFFIXES and one.is_file()), key=natural_order)


def _is_pattern(text: str) -> bool:
    from edgecnn.runtime.sources.image_patterns import is_pattern

    return is_pattern(text)
