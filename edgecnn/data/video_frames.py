"""Random access to the frames of a video file by exact frame number."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from edgecnn.data.image_files import ImageError
from edgecnn.images.header import UnreadableImage
from edgecnn.types import Image
from edgecnn.videos.capture import VideoCapture, open_file

TIMEOUT_S = 5.0  # of a read, as in a run

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov")


class VideoFrames:
    """The frames of a video by number; safe for threads and forked processes, fast for reading in order.

    Going back decodes from the start again, because seeking is not exact with every container and codec.
    Raises ``ImageError`` where the file holds no video, or its frames are larger than ``pixel_limit``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._process, self._next = -1, 0
        self._capture: VideoCapture | None = None
        self._inherited: list[VideoCapture | None] = []
        capture = self._rewound()
        self._size: tuple[int, int] | None = None
        while capture.grab():  # counted, since headers are often off by one
            if self._size is None:
                self._size = self._size_of(capture)
            self._next += 1
        self._count = self._next
        if self._size is None:
            raise self._unreadable("no frame that can be read")

    def size(self) -> tuple[int, int]:
        """Width and height of the first frame."""
        assert self._size is not None
        return self._size

    def __len__(self) -> int:
        return self._count

    def __reduce__(self) -> tuple[type[VideoFrames], tuple[Path]]:
        """Pickles the path only: another process opens the file again."""
        return VideoFrames, (self._path,)

    def read(self, index: int) -> Image:
        """Frame ``index``, from 0, as (H, W, 3) uint8 BGR."""
        with self._lock:
            capture = self._at(index)
            image = capture.retrieve() if capture.grab() else None
            self._next += 1
        if image is None:
            raise self._unreadable(f"frame {index} that can't be decoded")
        kept: Image = image.copy()  # the next frame may be read into the same memory
        return kept

    def _at(self, index: int) -> VideoCapture:
        """The capture, positioned at frame ``index``; a forked process opens its own, because both would share one file position.

        The inherited capture is kept: closing it would wait forever for decoder threads, which do not exist in the fork.
        """
        capture = self._capture
        if self._process != os.getpid():
            self._inherited.append(capture)
            capture = None
        if capture is None or index < self._next:
            capture = self._rewound()
        # grab() decodes a frame without converting it to BGR
        while self._next < index and capture.grab():
            self._next += 1
        return capture

    def _rewound(self) -> VideoCapture:
        if self._capture is not None and self._process == os.getpid():
            self._capture.release()
        self._capture = None
        try:
            self._capture = open_file(str(self._path), TIMEOUT_S)
        except UnreadableImage as error:
            raise self._unreadable(str(error)) from None
        if self._capture is None:
            raise self._unreadable("a file that can't be read as one")
        self._process, self._next = os.getpid(), 0
        return self._capture

    def _size_of(self, capture: VideoCapture) -> tuple[int, int] | None:
        image = capture.retrieve()
        return None if image is None else (image.shape[1], image.shape[0])

    def _unreadable(self, reason: str) -> ImageError:
        return ImageError(self._path, reason, "video")
