"""An annotated video file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edgecnn.errors import InputError
from edgecnn.runtime.draw import Painter
from edgecnn.runtime.sinks import beside, check_writable
from edgecnn.runtime.sources.quiet import native_stderr_silenced, silence_video_logs
from edgecnn.types import Image, Result

# Encoders that every build of OpenCV for pip brings. MPEG-4 costs about 1.5 ms a frame at 768x432, VP8 about 20; browsers play VP8.
CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
_USUAL_FPS = 25.0
_LONGEST_GAP_S = 5.0
_CHECK_EVERY = 100


class VideoSink:
    """Writes annotated frames to ``path``; its suffix picks the codec (.mp4 and .mkv: MPEG-4, .webm: VP8, .avi: motion JPEG).

    The file appears at ``path`` when it is closed and found whole; until then it has a hidden name beside it. With ``realtime`` a frame
    is shown until the next one was captured, so that the video lasts as long as what it shows, drops or not. Frames of another size
    than the first are fitted into it. ``fps`` may be asked for at the first frame, when a source knows it. Raises ``InputError`` where
    it can't be written, and leaves no half file.
    """

    def __init__(
        self, path: Path | str, painter: Painter, *, fps: Callable[[], float | None] | float | None = None, realtime: bool = False
    ) -> None:
        self.path, self._painter, self._realtime = Path(path), painter, realtime
        self._ask_fps = fps if callable(fps) else lambda: fps
        self.fps = _USUAL_FPS
        if self.path.suffix.lower() not in CODECS:
            kinds = ", ".join(CODECS)
            raise InputError(f"a video name that ends in {kinds}", self.path.name, "name it so")
        check_writable(self.path)
        self._part = beside(self.path)
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._start = 0.0
        self._held: Image | None = None
        self._bytes = 0
        self.frames = 0

    def write(self, result: Result) -> None:
        """Add one annotated frame."""
        image = self._painter.paint(result)
        writer = self._writer or self._open(image, result.frame.captured_at)
        if self._realtime and self._held is not None:
            self._repeat_held(writer, result.frame.captured_at)
        self._held = self._fitted(image)
        self._add(writer, self._held)

    def _open(self, image: Image, captured_at: float) -> cv2.VideoWriter:
        height, width = image.shape[:2]
        self._size, self._start = (max(width - width % 2, 2), max(height - height % 2, 2)), captured_at
        self.fps = self._ask_fps() or _USUAL_FPS
        silence_video_logs()
        with native_stderr_silenced():
            codec = cv2.VideoWriter.fourcc(*CODECS[self.path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, codec, self.fps, self._size)
        if not self._writer.isOpened():
            self._discard()
            raise InputError(
                f"to write a {self.path.suffix} video of {width}x{height}",
                "an encoder that refuses",
                f"try one of {', '.join(CODECS)}",
            )
        return self._writer

    def _repeat_held(self, writer: cv2.VideoWriter, captured_at: float) -> None:
        assert self._held is not None
        due = min(round((captured_at - self._start) * self.fps), self.frames + int(_LONGEST_GAP_S * self.fps))
        while self.frames < due:
            self._add(writer, self._held)

    def _add(self, writer: cv2.VideoWriter, image: Image) -> None:
        writer.write(image)
        self.frames += 1
        if self.frames % _CHECK_EVERY == 0:
            size = self._part.stat().st_size if self._part.exists() else 0
            if size <= self._bytes:
                self._fail("a file that no longer grows")
            self._bytes = size

    def _fitted(self, image: Image) -> Image:
        """As large as the first frame: cut by at most a pixel for the encoder, or scaled with black bars where the source changed."""
        width, height = self._size
        if image.shape[0] - height in (0, 1) and image.shape[1] - width in (0, 1):
            return image[:height, :width]
        ratio = min(width / image.shape[1], height / image.shape[0])
        new_w, new_h = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)
        canvas = np.zeros((height, width, 3), np.uint8)
        x, y = (width - new_w) // 2, (height - new_h) // 2
        canvas[y : y + new_h, x : x + new_w] = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA)
        return canvas

    def close(self) -> None:
        """Finish the file, read it once, and give it its name."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        readable = self._count_readable()
        if readable < self.frames - 1:  # FFmpeg's errors while writing are not passed on by OpenCV
            self._fail(f"{readable} readable of {self.frames} frames")
        try:
            self._part.replace(self.path)
        except OSError as error:
            self._fail((error.strerror or str(error)).lower())

    def _count_readable(self) -> int:
        with native_stderr_silenced():
            video = cv2.VideoCapture(str(self._part), cv2.CAP_FFMPEG)
            count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() and video.grab() else 0
            video.release()
        return count

    def _fail(self, found: str) -> None:
        self._discard()
        free = shutil.disk_usage(self.path.parent).free / 1e6
        raise InputError(f"to write {self.path} whole", f"{found}, {free:.0f} MB free", "free some space, or name another place")

    def _discard(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        self._part.unlink(missing_ok=True)
