"""Writes an annotated video to one file or to segments of a fixed length."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.runtime.sinks.files.retention import delete_oldest
from edgecnn.runtime.sinks.files.video_writer import VideoWriter, check_video_path
from edgecnn.runtime.sinks.wall_clock import STAMP, file_stamp
from edgecnn.types import Image, Result

_USUAL_FPS = 25.0
_LONGEST_GAP_S = 5.0


class VideoSink:
    """Writes annotated frames to ``path``; its suffix selects container and codec (.mp4 and .mkv: H.264, .webm: VP8).

    The file can be read while it grows, after a kill and on a full disk (see ``VideoWriter``). With ``realtime`` a frame is shown
    until the capture time of the next one, but for at most five seconds, so that dropped frames do not shorten the video. Else
    the video uses the time stamps of the file that is read, or ``fps`` frames per second; a function ``fps`` is called at the
    first frame. Frames of another size than the first are scaled to fit, with black bars.

    ``segment_s`` starts a new file after that many seconds, with the time of its first frame in its name; ``dated`` gives a
    single video such a name. The oldest of these files are deleted so that all together have at most ``keep_bytes``. After an
    ``InputError``, for example on a full disk, the next frame starts a new file with its time in the name, and the old one is
    kept. An .mp4 also starts a new file after 500,000 frames, which limits the memory for its index. Raises ``InputError`` if a
    file can't be written, and ``MissingExtraError`` without PyAV.
    """

    def __init__(
        self,
        path: Path | str,
        painter: ResultPainter,
        *,
        fps: Callable[[], float | None] | float | None = None,
        realtime: bool = False,
        segment_s: float | None = None,
        dated: bool = False,
        keep_bytes: int | None = None,
    ) -> None:
        self.path, self._painter, self._realtime, self._segment = Path(path), painter, realtime, segment_s
        self._ask_fps = fps if callable(fps) else lambda: fps
        check_video_path(self.path)
        check_writable(self.path)
        self._file: VideoWriter | None = None
        self._keep_bytes = keep_bytes
        self._dated = dated or segment_s is not None
        self._made: list[str] = []  # stems of the dated files, in order
        self._clock = _Clock(realtime)
        self.frames = 0

    def write(self, result: Result) -> None:
        """Add one annotated frame."""
        image = self._painter.paint(result)
        file = self._file_for(image, result)
        try:
            file.add(image, self._clock.at(result, file))
        # The next file gets the time in its name, so that it does not replace the one that ends here.
        except InputError:
            self._dated, self._file = True, None
            with suppress(InputError):
                file.close()
            raise
        self.frames += 1

    def _file_for(self, image: Image, result: Result) -> VideoWriter:
        if self._file is not None and self._is_over(self._file):
            self.close()
            self._dated = True
        if self._file is None:
            path = self.path
            if self._dated:
                self._delete_oldest()
                path = path.with_name(f"{path.stem}-{file_stamp(result.frame.captured_at)}{path.suffix}")
                self._made.append(path.stem)
            self._file = VideoWriter(path, image, self._ask_fps() or _USUAL_FPS)
            self._clock = _Clock(self._realtime)
        return self._file

    def _is_over(self, file: VideoWriter) -> bool:
        """Return whether the next frame starts a new file."""
        return file.full or (self._segment is not None and file_length(file) >= self._segment)

    def _delete_oldest(self) -> None:
        if self._keep_bytes is not None:
            name = re.compile(re.escape(f"{self.path.stem}-") + STAMP + re.escape(self.path.suffix))
            segments = [path for path in self.path.parent.iterdir() if name.fullmatch(path.name)]
            delete_oldest(segments, max_count=len(segments), max_bytes=self._keep_bytes, made=self._made)
            there = {path.stem for path in segments if path.exists()}
            self._made = [stem for stem in self._made if stem in there]

    def close(self) -> None:
        """Finish the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class _Clock:
    """Computes when a frame is shown, in seconds from the first: by capture time, time stamp or frame rate."""

    def __init__(self, realtime: bool) -> None:
        self._realtime, self._shift, self._last = realtime, 0.0, 0.0
        self._first: float | None = None

    def at(self, result: Result, file: VideoWriter) -> float:
        now = result.frame.captured_at if self._realtime else result.frame.media_time
        if now is None:
            return file.frames / file.fps
        self._first = now if self._first is None else self._first
        at = now - self._first - self._shift
        if self._realtime and at > self._last + _LONGEST_GAP_S:
            self._shift += at - self._last - _LONGEST_GAP_S
            at = self._last + _LONGEST_GAP_S
        self._last = at
        return at


def file_length(file: VideoWriter) -> float:
    """Return the duration of a file in seconds."""
    return file.seconds + 1 / file.fps if file.frames else 0.0
