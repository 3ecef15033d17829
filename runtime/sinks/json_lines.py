"""Results as JSON lines, one object per frame.

Version 1, keys in this order::

    version    1
    frame      index of the frame in its source; a gap is a dropped or failed frame
    name       file name of an image, else "frame 12"
    time_s     seconds from the first frame's capture to this one's
    size       [width, height] of the frame in pixels
    detections detector: [{"label", "class_id", "score", "xyxy": [left, top, right, bottom] in pixels, "track_id" where tracked}, ...]
    classes    classifier: the five best, [{"label", "class_id", "score"}, ...], best first
    values     regression: [{"label", "value"}, ...]; a value that is no number is null
    stage_ms   milliseconds by stage
    age_ms     milliseconds from capture to result
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edgecnn.runtime.draw import label_of
from edgecnn.runtime.sinks import cannot_write, check_writable
from edgecnn.types import Classes, Detections, Prediction, Result, Values

SCHEMA_VERSION = 1
_BEST = 5


def prediction_record(prediction: Prediction, labels: Sequence[str]) -> dict[str, Any]:
    """The part of a line that says what was found."""
    if isinstance(prediction, Classes):
        best = np.argsort(-prediction.score, kind="stable")[:_BEST].tolist()
        return {"classes": [_named(labels, class_id, prediction.score[class_id]) for class_id in best]}
    if isinstance(prediction, Values):
        found = enumerate(prediction.value.tolist())
        return {"values": [{"label": label_of(labels, index), "value": _rounded(value)} for index, value in found]}
    return {"detections": [_box(prediction, labels, index) for index in range(len(prediction))]}


def _rounded(value: float) -> float | None:
    """Seven digits, all that a float32 has."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _box(found: Detections, labels: Sequence[str], index: int) -> dict[str, Any]:
    record = _named(labels, int(found.class_id[index]), found.score[index])
    record["xyxy"] = [round(edge, 2) for edge in found.xyxy[index].tolist()]
    if found.track_id is not None:
        record["track_id"] = int(found.track_id[index])
    return record


def _named(labels: Sequence[str], class_id: int, score: float) -> dict[str, Any]:
    return {"label": label_of(labels, class_id), "class_id": class_id, "score": round(float(score), 4)}


class JsonLinesSink:
    """Writes each result as one whole line at once; "-" is standard output.

    What was at ``path`` is kept until the first result. Raises ``InputError`` where it can't be written; lines before that stay whole.
    """

    def __init__(self, path: Path | str, labels: Sequence[str], title: Callable[[int], str] | None = None) -> None:
        self.path, self._labels = Path(path), labels
        self._title = title or (lambda index: f"frame {index}")
        self._to_stdout = str(path) == "-"
        self._file: BinaryIO | None = None
        self._start: float | None = None
        self._whole = 0
        self.lines = 0
        if not self._to_stdout:
            check_writable(self.path)

    def write(self, result: Result) -> None:
        """Write one line and flush it."""
        line = (json.dumps(self._record(result), separators=(",", ":")) + "\n").encode()
        try:
            if self._file is None:
                self._file = sys.stdout.buffer if self._to_stdout else self.path.open("wb", buffering=0)
            self._write_whole(self._file, line)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._cut_to_whole_lines()
            raise cannot_write(self.path, error) from error
        self._whole += len(line)
        self.lines += 1

    def _write_whole(self, file: BinaryIO, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[file.write(view) or 0 :]
        file.flush()

    def _cut_to_whole_lines(self) -> None:
        if self._file is not None and not self._to_stdout:
            with suppress(OSError):  # a device can't be cut
                os.ftruncate(self._file.fileno(), self._whole)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None and not self._to_stdout:
            self._file.close()

    def _record(self, result: Result) -> dict[str, Any]:
        frame = result.frame
        self._start = frame.captured_at if self._start is None else self._start
        height, width = frame.image.shape[:2]
        return {
            "version": SCHEMA_VERSION,
            "frame": frame.index,
            "name": self._title(frame.index),
            "time_s": round(frame.captured_at - self._start, 4),
            "size": [width, height],
            **prediction_record(result.prediction, self._labels),
            "stage_ms": {stage: round(ms, 3) for stage, ms in result.stage_ms.items()},
            "age_ms": round(result.age_ms, 3),
        }
