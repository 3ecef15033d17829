"""Records an image and a short video of each event, beginning some seconds before it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.images.writer import encode_image
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.runtime.sinks.files.retention import RecordingFolder
from edgecnn.runtime.sinks.files.video_writer import VideoWriter, check_video_extra
from edgecnn.runtime.steps.clock import media_time
from edgecnn.types import Event, Image, Result

_USUAL_FPS = 25.0
_LONGEST_GAP_S = 5.0
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """Kinds of events that are recorded (None: all), seconds before and after them, and limits.

    A clip ends at most ``max_length_s`` seconds after its first event. Frames before an event are kept in memory as JPEG, in at
    most ``max_before_bytes``. At most ``max_count`` clips of ``max_bytes`` in total are kept in the folder.
    """

    kinds: Collection[str] | None = None
    before_s: float = 5.0
    after_s: float = 5.0
    max_length_s: float = 120.0
    max_before_bytes: int = 64 << 20
    max_count: int = 200
    max_bytes: int = 2 << 30


class EventClipsSink:
    """Writes ``<time>_<camera>_<kind>.jpg`` and .mp4 into ``folder`` for each event.

    The oldest recordings are deleted (see ``ClipOptions``). An event during a clip extends it. With ``realtime``, times are those
    of capture, and gaps of more than five seconds are shortened to five; else times are the time stamps of the video, or frame
    index / ``fps``. Raises ``InputError`` if a file can't be written; earlier recordings remain readable. Raises
    ``MissingExtraError`` without PyAV.
    """

    def __init__(
        self,
        folder: Path | str,
        painter: ResultPainter,
        options: ClipOptions | None = None,
        *,
        fps: Callable[[], float | None] | float | None = None,
        realtime: bool = False,
    ) -> None:
        check_video_extra()
        self._options, self._painter, self._realtime = options or ClipOptions(), painter, realtime
        self._ask_fps = fps if callable(fps) else lambda: fps
        self._folder = RecordingFolder(Path(folder), max_count=self._options.max_count, max_bytes=self._options.max_bytes)
        self._before: deque[tuple[float, bytes]] = deque()
        self._before_bytes = 0
        self._clip: _Clip | None = None
        self.clips = 0

    def write(self, result: Result) -> None:
        """Start, extend or end a clip, or buffer the frame for the next clip."""
        now = result.frame.captured_at if self._realtime else media_time(result.frame, self._ask_fps(), _USUAL_FPS)
        events = [event for event in result.events if self._options.kinds is None or event.kind in self._options.kinds]
        if self._clip is not None and now > self._clip.until:
            self._end_clip()
        if not events and self._clip is None:
            self._buffer(now, self._painter.paint(result))
            return
        image = self._painter.paint(result)
        try:
            self._record(now, image, events, result.camera)
        except InputError:
            self._abandon_clip()
            raise

    def close(self) -> None:
        """Finish the clip."""
        self._end_clip()

    def _record(self, now: float, image: Image, events: list[Event], camera: str) -> None:
        stems = [self._folder.stem_for(event, event.camera or camera) for event in events]
        for stem in stems:
            write_file(self._folder.folder / f"{stem}.jpg", _jpeg(image))
        if self._clip is None:
            self._begin_clip(now, image, stems[0])
        assert self._clip is not None
        if events:
            self._clip.until = min(now + self._options.after_s, self._clip.began + self._options.max_length_s)
        self._clip.add(now, image)

    def _begin_clip(self, now: float, image: Image, stem: str) -> None:
        self._folder.delete_oldest()
        before = [(at, data) for at, data in self._before if at >= now - self._options.before_s]
        self._clear_buffer()
        file = VideoWriter(self._folder.folder / f"{stem}.mp4", image, self._ask_fps() or _USUAL_FPS)
        self._clip = _Clip(file, before[0][0] if before else now, now, _LONGEST_GAP_S if self._realtime else math.inf)
        for at, data in before:
            self._clip.add(at, np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8))

    def _end_clip(self) -> None:
        clip, self._clip = self._clip, None
        if clip is not None:
            clip.file.close()
            self.clips += 1
            self._folder.delete_oldest()

    def _abandon_clip(self) -> None:
        clip, self._clip = self._clip, None
        if clip is not None:
            with suppress(InputError):
                clip.file.close()

    def _buffer(self, now: float, image: Image) -> None:
        # As JPEG: five seconds of raw frames take 780 MB at 1920 x 1080 and 25 frames/s.
        data = _jpeg(image)
        self._before.append((now, data))
        self._before_bytes += len(data)
        while self._before and (
            self._before[0][0] < now - self._options.before_s or self._before_bytes > self._options.max_before_bytes
        ):
            self._before_bytes -= len(self._before.popleft()[1])

    def _clear_buffer(self) -> None:
        self._before.clear()
        self._before_bytes = 0


@dataclass(slots=True)
class _Clip:
    """A clip that is being recorded: file, and in seconds the times of first frame, first event and end, and the longest gap."""

    file: VideoWriter
    start: float
    began: float
    longest_gap: float
    until: float = 0.0
    last: float | None = None
    cut: float = 0.0

    def add(self, at: float, image: Image) -> None:
        if self.last is not None and at - self.last > self.longest_gap:
            self.cut += at - self.last - self.longest_gap
        self.last = at
        self.file.add(image, at - self.start - self.cut)


def _jpeg(image: Image) -> bytes:
    return encode_image(image, ".jpg", _QUALITY)
