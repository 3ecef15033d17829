"""Writes results and events as JSON lines, one object per line; ``json_lines.schema.json`` is their JSON Schema.

A result, version 3, keys in this order::

    version       3 camera        name of the camera; "" for a single one without a name frame         index of the frame in its
    source; a gap is a dropped, skipped or failed frame name          file name of an image, else "frame 12" time          time of
    capture, ISO 8601 in UTC; of a file, when it was read time_s        seconds from the capture of the first frame in this output
    to this one's media_time_s  seconds from the start of a video file by its time stamps; null for live sources, images, and
    without PyAV size_px       [width, height] of the frame detections    detector: [{"label", "class_id", "score", "xyxy": [left,
    top, right, bottom] in pixels, "track_id" if tracked}, ...] classes       classifier: the five best, [{"label", "class_id",
    "score"}, ...], best first values        regression: [{"label", "value"}, ...]; NaN is null (scores, too) events        events
    at this frame: [{"kind", "camera", "time", "details": {...}}, ...] stage_ms      milliseconds by stage age_ms
    milliseconds from capture to result

An event in a file of its own has the keys of one in "events", after "version".
After a kill the last line may be cut off; every line that ends in a newline is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgecnn.json_text import dump_json
from edgecnn.runtime.sinks.files.text_lines import LinesFile
from edgecnn.runtime.sinks.records import SCHEMA_VERSION, Record, Recorder, event_record
from edgecnn.types import Event, Result


class JsonLinesSink:
    """Writes each result as one line immediately; "-" is standard output.

    Several cameras need a ``recorder`` instead of ``labels`` and ``title``. Raises ``InputError`` if the file can't be written;
    earlier lines remain complete.
    """

    def __init__(
        self,
        path: Path | str,
        labels: Sequence[str] = (),
        title: Callable[[int], str] | None = None,
        *,
        recorder: Recorder | None = None,
        rotate_bytes: int | None = None,
        append: bool = False,
    ) -> None:
        self._record = recorder or Recorder(labels, title)
        self._file = LinesFile(path, rotate_bytes=rotate_bytes, append=append)

    def write(self, result: Result) -> None:
        """Write one line and flush it."""
        self._file.append(as_line(self._record(result)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class EventLinesSink:
    """Writes each event as one line immediately. Raises ``InputError`` if the file can't be written."""

    def __init__(self, path: Path | str, *, rotate_bytes: int | None = None, append: bool = False) -> None:
        self._file = LinesFile(path, rotate_bytes=rotate_bytes, append=append)

    def write(self, result: Result) -> None:
        """Do nothing: ``write_event`` gets the events of a result, too."""

    def write_event(self, event: Event) -> None:
        """Write one event."""
        self._file.append(as_line({"version": SCHEMA_VERSION, **event_record(event)}))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def as_line(record: Record) -> str:
    """Format a record as one line of JSON; values of other types are converted to text."""
    return dump_json(record, separators=(",", ":"), default=str) + "\n"
