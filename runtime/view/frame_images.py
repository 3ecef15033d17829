"""The newest annotated picture of each camera as JPEG: made once for all viewers, and only while one of them asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2

from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.types import Image, Result

QUALITY = 80
LARGEST = 1280  # pixels of the longer side; more is not seen in a browser and costs time and network
MOST_PER_S = 25.0
_PATIENCE_S = 0.5

Ready = Callable[[], None]


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A JPEG and its number; numbers rise over all cameras."""

    number: int
    jpeg: bytes


@dataclass
class _Slot:
    newest: Result | None = None
    encoded: Result | None = None
    encoded_at: float = 0.0
    picture: EncodedFrame | None = None
    waiting: list[tuple[int, Ready]] = field(default_factory=list)


class FrameImages:
    """Takes results with ``show``, gives JPEGs to those who ask; a viewer that is slow asks less often, and that is all it does.

    ``painters`` are by camera, and called in a thread of its own. Use it as a context manager.
    """

    def __init__(self, painters: Mapping[str, ResultPainter]) -> None:
        self._painters = painters
        self._slots: dict[str, _Slot] = {}
        self._number = 0
        self._changed = threading.Condition()
        self._done = False
        self.problem = ""
        self._thread = threading.Thread(target=self._work, name="edgecnn-frame-images", daemon=True)

    def __enter__(self) -> FrameImages:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop encoding, and tell everybody who waits."""
        with self._changed:
            self._done = True
            self._changed.notify_all()
            waiting = [ready for slot in self._slots.values() for _, ready in slot.waiting]
            self._slots.clear()
        _tell(waiting)
        if self._thread.is_alive():
            self._thread.join(1.0)

    def show(self, camera: str, result: Result) -> None:
        """Offer a result; it is kept until a newer one comes, and drawn only if somebody asks."""
        with self._changed:
            slot = self._slots.setdefault(camera, _Slot())
            slot.newest = result
            if slot.waiting:
                self._changed.notify()

    def newest(self, camera: str, after: int) -> EncodedFrame | None:
        """The newest picture, if its number is above ``after`` and nothing newer waits to be drawn."""
        with self._changed:
            slot = self._slots.get(camera)
            if slot is None or slot.picture is None or slot.picture.number <= after:
                return None
            young = time.perf_counter() - slot.encoded_at < 1 / MOST_PER_S
            return slot.picture if young or slot.newest is slot.encoded else None

    def forget(self, camera: str) -> None:
        """The camera is gone."""
        with self._changed:
            slot = self._slots.pop(camera, _Slot())
        _tell([ready for _, ready in slot.waiting])

    def ask(self, camera: str, after: int, ready: Ready) -> Callable[[], None]:
        """Have ``ready`` called once when a picture above ``after`` is there or nothing will come; gives what takes that back.

        It is called by any thread, and must not block.
        """
        entry = after, ready
        with self._changed:
            if self._done:
                ready()
                return lambda: None
            slot = self._slots.setdefault(camera, _Slot())
            slot.waiting.append(entry)
            self._changed.notify()

        def forget() -> None:
            with self._changed:
                if entry in slot.waiting:
                    slot.waiting.remove(entry)

        return forget

    def _work(self) -> None:
        while (found := self._next()) is not None:
            camera, slot, result = found
            jpeg = self._encode(camera, result)
            with self._changed:
                slot.encoded, slot.encoded_at = result, time.perf_counter()
                if jpeg is not None:
                    self._number += 1
                    slot.picture = EncodedFrame(self._number, jpeg)
                number = slot.picture.number if slot.picture else 0
                served = [entry for entry in slot.waiting if entry[0] < number]
                slot.waiting = [entry for entry in slot.waiting if entry[0] >= number]
            _tell([ready for _, ready in served])

    def _next(self) -> tuple[str, _Slot, Result] | None:
        """The camera whose last picture is the oldest, of those that somebody waits for and that have something new."""
        with self._changed:
            while not self._done:
                now = time.perf_counter()
                wanted = [
                    (slot.encoded_at, name)
                    for name, slot in self._slots.items()
                    if slot.waiting and slot.newest is not None and slot.newest is not slot.encoded
                ]
                if wanted:
                    encoded_at, name = min(wanted)
                    early = encoded_at + 1 / MOST_PER_S - now
                    if early <= 0:
                        slot = self._slots[name]
                        assert slot.newest is not None
                        return name, slot, slot.newest
                    self._changed.wait(early)
                else:
                    self._changed.wait(_PATIENCE_S)
            return None

    def _encode(self, camera: str, result: Result) -> bytes | None:
        """A picture that can't be drawn on is shown as it is, and one that can't be shown is left out: watching must go on."""
        painter = self._painters.get(camera)
        try:
            return _jpeg(painter.paint(result) if painter is not None else result.frame.image)
        except Exception as error:
            self.problem = f"can't draw on {camera or 'the picture'}: {error}"
        try:
            return _jpeg(result.frame.image)
        except Exception:
            return None


def _jpeg(image: Image) -> bytes | None:
    ratio = LARGEST / max(image.shape[:2])
    if ratio < 1:
        size = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes() if done else None


def _tell(waiting: list[Ready]) -> None:
    for ready in waiting:
        ready()
