"""Random access to the frames of a video file by exact frame number."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np

from edgecnn.data.image_files import ImageError
from edgecnn.types import Image


class VideoFrames:
    """The frames of a video by number; safe for threads and forked processes, fast for reading in order.

    Going back decodes from the start again, because seeking is not exact with every container and codec.
    Raises ``InputError`` where the file holds no video.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._process, self._next = -1, 0
        self._capture: cv2.VideoCapture | None = None
        self._inherited: list[cv2.VideoCapture | None] = []
        capture = self._rewound()
        self._size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self._count = 0  # counted, since headers are often off by one
        while capture.grab():
            self._count += 1
        self._next = self._count
        if not self._count:
            raise self._unreadable("no frame that can be read")

    def size(self) -> tuple[int, int]:
        """Width and height."""
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
            found, image = capture.read()
            self._next += 1
        if not found:
            raise self._unreadable(f"frame {index} that can't be decoded")
        return np.asarray(image, np.uint8)

    def _at(self, index: int) -> cv2.VideoCapture:
        """The capture, positioned at frame ``index``; a forked process opens its own, because both would share one file position.

        The inherited capture is kept: closing it would wait forever for decoder threads, which do not exist in the fork.
        """
        capture = self._capture
        if self._process != os.getpid():
            self._inherited.append(capture)
            capture = None
        if capture is None or index < self._next:
            capture = self._rewound()
        # grab() decodes a frame without converting it to BGR, which read() does
        while self._next < index and capture.grab():
            self._next += 1
        return capture

    def _rewound(self) -> cv2.VideoCapture:
        self._capture, self._process, self._next = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG), os.getpid(), 0
        if not self._capture.isOpened():
            raise self._unreadable("a file that can't be read as one")
        return self._capture

    def _unreadable(self, reason: str) -> ImageError:
        return ImageError(self._path, reason, "video")
