"""Writes results as CSV: a row for each box, for each of the five best classes, for each value, or for an image."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from edgecnn.runtime.sinks.files.text_lines import LinesFile
from edgecnn.runtime.sinks.records import Recorder, prediction_record
from edgecnn.runtime.sinks.wall_clock import stamp
from edgecnn.types import Result

COLUMNS = (
    "camera",
    "frame",
    "name",
    "time",
    "time_s",
    "media_time_s",
    "label",
    "class_id",
    "score",
    "left",
    "top",
    "right",
    "bottom",
    "track_id",
    "value",
)


class CsvSink:
    """Writes the rows of each result immediately, after a line of column names; columns that do not apply are empty.

    Raises ``InputError`` if the file can't be written; earlier rows remain complete.
    """

    def __init__(self, path: Path | str, recorder: Recorder, *, rotate_bytes: int | None = None, append: bool = False) -> None:
        self._recorder = recorder
        self._file = LinesFile(path, ",".join(COLUMNS) + "\n", rotate_bytes=rotate_bytes, append=append)

    def write(self, result: Result) -> None:
        """Write the rows of one result."""
        text = io.StringIO()
        rows = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        rows.writerows(self._rows(result))
        self._file.append(text.getvalue())

    def _rows(self, result: Result) -> list[dict[str, Any]]:
        frame, recorder = result.frame, self._recorder
        common = {
            "camera": result.camera,
            "frame": frame.index,
            "name": recorder.title(result),
            "time": stamp(frame.captured_at),
            "time_s": recorder.seconds(frame.captured_at),
            "media_time_s": "" if frame.media_time is None else round(frame.media_time, 4),
        }
        (found,) = prediction_record(result.prediction, recorder.labels(result.camera)).values()
        return [common | _flat(one) for one in found]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    row = {name: "" if value is None else value for name, value in found.items() if name in COLUMNS}
    return row | dict(zip(("left", "top", "right", "bottom"), found.get("xyxy", ()), strict=False))
