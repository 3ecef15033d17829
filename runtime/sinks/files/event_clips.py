"""A picture and a short video of each event, with what came before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.runtime.sinks.files.retention import Shelf
from edgecnn.runtime.sinks.files.video_writer import VideoWriter, check_video_extra
from edgecnn.runtime.steps.clock import media_time
from edgecnn.types import Event, Image, Result

_USUAL_FPS = 25.0
_LONGEST_GAP_S = 5.0
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """Which events are recorded (None: all), from how long before to how long after them in seconds, and how much is kept."""

    kinds: Collection[str] | None = None
    before_s: float = 5.0
    after_s: float = 5.0
    longest_s: float = 120.0
    before_bytes: int = 64 << 20
    most: int = 200
    most_bytes: int = 2 << 30


class EventClipsSink:
    """For each event of the plan writes ``<time>_<camera>_<kind>.jpg`` and .mp4 into ``folder``; the oldest of these go.

    An event while a clip is recorded makes that longer. What came before is kept as JPEG, never more than ``before_bytes``. With
    ``realtime`` seconds are those of the capture, else of the video: frame index / ``fps``. Raises ``InputError`` where nothing can
    be written; what was recorded before stays readable.
    """

    def __init__(
        self,
        folder: Path | str,
        painter: ResultPainter,
        plan: ClipPlan | None = None,
        *,
        fps: Callable[[], float | None] | float | None = None,
        realtime: bool = False,
    ) -> None:
        check_video_extra()
        self._plan, self._painter, self._realtime = plan or ClipPlan(), painter, realtime
        self._ask_fps = fps if callable(fps) else lambda: fps
        self._shelf = Shelf(Path(folder), most=self._plan.most, most_bytes=self._plan.most_bytes)
        self._before: deque[tuple[float, bytes]] = deque()
        self._before_bytes = 0
        self._clip: _Clip | None = None
        self.clips = 0

    def write(self, result: Result) -> None:
        """Take one result, which may be the beginning, the middle or the end of a clip, or come before the next."""
        now = result.frame.captured_at if self._realtime else media_time(result.frame, self._ask_fps(), _USUAL_FPS)
        wanted = [event for event in result.events if self._plan.kinds is None or event.kind in self._plan.kinds]
        if self._clip is not None and now > self._clip.until:
            self._end_clip()
        if not wanted and self._clip is None:
            self._remember(now, self._painter.paint(result))
            return
        image = self._painter.paint(result)
        try:
            self._record(now, image, wanted, result.camera)
        except InputError:
            self._give_up()
            raise

    def close(self) -> None:
        """Finish the clip."""
        self._end_clip()

    def _record(self, now: float, image: Image, events: list[Event], camera: str) -> None:
        for event in events:
            write_file(self._shelf.place(event, event.camera or camera, ".jpg"), _jpeg(image))
        if self._clip is None:
            self._begin_clip(now, image, events[0], camera)
        assert self._clip is not None
        if events:
            self._clip.until = min(now + self._plan.after_s, self._clip.began + self._plan.longest_s)
        self._clip.add(now, image)

    def _begin_clip(self, now: float, image: Image, event: Event, camera: str) -> None:
        self._shelf.tidy()
        before = [(at, data) for at, data in self._before if at >= now - self._plan.before_s]
        self._forget()
        file = VideoWriter(self._shelf.place(event, event.camera or camera, ".mp4"), image, self._ask_fps() or _USUAL_FPS)
        self._clip = _Clip(file, before[0][0] if before else now, now)
        for at, data in before:
            self._clip.add(at, np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8))

    def _end_clip(self) -> None:
        clip, self._clip = self._clip, None
        if clip is not None:
            clip.file.close()
            self.clips += 1
            self._shelf.tidy()

    def _give_up(self) -> None:
        clip, self._clip = self._clip, None
        if clip is not None:
            with suppress(InputError):
                clip.file.close()

    def _remember(self, now: float, image: Image) -> None:
        data = _jpeg(image)
        self._before.append((now, data))
        self._before_bytes += len(data)
        while self._before and (self._before[0][0] < now - self._plan.before_s or self._before_bytes > self._plan.before_bytes):
            self._before_bytes -= len(self._before.popleft()[1])

    def _forget(self) -> None:
        self._before.clear()
        self._before_bytes = 0


@dataclass(slots=True)
class _Clip:
    """A clip that is being recorded: its file, when it begins, when the first event was, until when it goes on."""

    file: VideoWriter
    start: float
    began: float
    until: float = 0.0
    last: float | None = None
    cut: float = 0.0

    def add(self, at: float, image: Image) -> None:
        """A silence is shown for five seconds at most."""
        if self.last is not None and at - self.last > _LONGEST_GAP_S:
            self.cut += at - self.last - _LONGEST_GAP_S
        self.last = at
        self.file.add(image, at - self.start - self.cut)


def _jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image, _QUALITY)[1].tobytes()
