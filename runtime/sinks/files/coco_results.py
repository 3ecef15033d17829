"""Writes COCO results (https://cocodataset.org/#format-results): a JSON list of {"image_id", "category_id", "bbox", "score"}.

``image_id`` is the file name of an image if that is a number, as in COCO, else the index of the frame. ``category_id`` is that of
COCO if the labels are the 80 of COCO, else class_id + 1. ``bbox`` is [left, top, width, height] in pixels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_error
from edgecnn.json_text import dump_json
from edgecnn.labels import COCO_80
from edgecnn.runtime.sinks.records import Recorder
from edgecnn.types import Detections, Result

_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # COCO numbered 91 categories and labelled 80
_COCO_IDS = [number for number in range(1, 91) if number not in _UNUSED]
_BEGIN, _END = b"[\n", b"\n]\n"


class CocoSink:
    """Writes the boxes of each frame immediately; the file is valid JSON after each frame.

    An existing file is replaced at the first result, or extended with ``append`` if it is a list of results. Raises
    ``InputError`` if the file can't be written, or if the model returns no boxes.
    """

    def __init__(self, path: Path | str, recorder: Recorder, *, append: bool = False) -> None:
        self.path, self._recorder, self._append = Path(path), recorder, append
        check_writable(self.path, in_place=True)
        self._file: BinaryIO | None = None
        self._end = 0  # where the closing bracket begins

    def write(self, result: Result) -> None:
        """Add the boxes of one result."""
        found = result.prediction
        if not isinstance(found, Detections):
            raise InputError(
                f"COCO results hold boxes, but the model gives {type(found).__name__.lower()}",
                "use a detector, or another output",
            )
        rows = [dump_json(row, separators=(",", ":")) for row in self._rows(result, found)]
        try:
            self._add(",\n".join(rows).encode())
        except OSError as error:
            self._mend()
            raise write_error(self.path, error) from error

    def _rows(self, result: Result, found: Detections) -> list[dict[str, Any]]:
        image, ids = self._image_id(result), category_ids(self._recorder.labels(result.camera))
        rows = zip(found.xyxy.tolist(), found.score.tolist(), found.class_id.tolist(), strict=True)
        return [_row(image, ids[class_id] if class_id < len(ids) else class_id + 1, box, score) for box, score, class_id in rows]

    def _image_id(self, result: Result) -> int:
        stem = Path(self._recorder.title(result)).stem
        return int(stem) if stem.isdecimal() else result.frame.index

    def _add(self, rows: bytes) -> None:
        if self._file is None:
            self._end = self._found() if self._append else 0
            self._file = self.path.open("r+b" if self._end else "wb", buffering=0)
        if not self._end:
            self._put(0, _BEGIN + rows + _END)
            self._end = len(_BEGIN) + len(rows)
        elif rows:
            rows = b",\n" + rows if self._end > len(_BEGIN) else rows
            self._put(self._end, rows + _END)
            self._end += len(rows)

    def _found(self) -> int:
        """Return the offset of the closing bracket in an existing list; 0 without such a list."""
        data = self.path.read_bytes() if self.path.exists() else b""
        return len(data) - len(_END) if data.startswith(_BEGIN) and data.endswith(_END) else 0

    def _put(self, place: int, data: bytes) -> None:
        """Write at an offset, over the closing bracket, in one call, so that readers never see an incomplete list."""
        assert self._file is not None
        view = memoryview(data)
        # pwrite may write less than it gets, for example at the end of a disk.
        while view:
            done = os.pwrite(self._file.fileno(), view, place)
            view, place = view[done:], place + done

    def _mend(self) -> None:
        """Restore the list after an error such as a full disk; the closing bracket fits into the space that it had."""
        if self._file is not None and self._end:
            os.ftruncate(self._file.fileno(), self._end)
            os.pwrite(self._file.fileno(), _END, self._end)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def category_ids(labels: Sequence[str]) -> list[int]:
    """Return the category ids of COCO for its own labels, else 1, 2, 3 and so on."""
    return _COCO_IDS if list(labels) == list(COCO_80) else list(range(1, len(labels) + 1))


def _row(image: int, category: int, xyxy: list[float], score: float) -> dict[str, Any]:
    left, top, right, bottom = xyxy
    box = [round(edge, 2) for edge in (left, top, right - left, bottom - top)]
    return {"image_id": image, "category_id": category, "bbox": box, "score": round(score, 5)}
