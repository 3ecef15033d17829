"""Writes the log of a run as JSON lines, for programs.

A JSON line has ``time`` (UTC, ISO 8601), ``level`` (info, warning, error), ``kind`` and the fields of that kind; it is never cut.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Literal, Protocol, TextIO

from edgecnn.json_text import dump_json
from edgecnn.runtime.pipeline.camera_stream import CameraStream
from edgecnn.types import Event
from edgecnn.videos.opencv_logging import stderr_held

Form = Literal["auto", "text", "json"]
Level = Literal["info", "warning", "error"]

EVERY_S = 10.0
WARNINGS = ("late", "inference-failed", "size-changed")
ERRORS = ("camera-lost", "camera-stalled", "camera-frozen", "camera-failed")


class HasCameras(Protocol):
    """A run with cameras by name, which may change."""

    @property
    def cameras(self) -> Mapping[str, CameraStream]: ...  # noqa: D102


def is_json(form: Form, out: TextIO | None = None) -> bool:
    """Return whether to write JSON lines: as configured, by default if ``out`` is not a terminal."""
    return form == "json" or (form == "auto" and not (out or sys.stderr).isatty())


class JsonLog:
    """Writes JSON lines to ``out``, from any thread; a closed pipe is ignored."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._lock = threading.Lock()

    def say(self, kind: str, level: Level = "info", **values: Any) -> None:
        """Write one line and flush it."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        # default=str: a step of the user may put any object into the details of an event.
        line = dump_json({"time": now, "level": level, "kind": kind, **values}, default=str)
        with self._lock, stderr_held():
            try:
                self._out.write(line + "\n")
                self._out.flush()
            # The reader may end before the run; a closed file raises ValueError.
            except (BrokenPipeError, ValueError):
                pass

    def event(self, event: Event) -> None:
        """Write one line for an event of a camera."""
        level: Level = "error" if event.kind in ERRORS else "warning" if event.kind in WARNINGS else "info"
        self.say(event.kind, level, camera=event.camera, **event.details)


class Heartbeat:
    """As a context manager, writes a "status" line for each camera every ``every`` seconds, and calls ``beat``."""

    def __init__(
        self, log: JsonLog, multi_camera: HasCameras, *, every: float = EVERY_S, beat: Callable[[], None] | None = None
    ) -> None:
        self._log, self._multi_camera, self._every, self._beat = log, multi_camera, every, beat
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="edgecnn-log", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join(1.0)

    def _work(self) -> None:
        while not self._over.wait(self._every):
            for name, camera in self._multi_camera.cameras.items():
                self._log.say("status", camera=name, **status_fields(camera))
            if self._beat is not None:
                self._beat()


def status_fields(camera: CameraStream) -> dict[str, Any]:
    """Return state, ledger and frame age of a camera as fields of a log line."""
    stats = camera.stats().to_json()
    age = stats["age_ms"]
    return {
        "state": camera.state,
        "detail": camera.detail,
        **{key: stats["ledger"][key] for key in ("captured", "processed", "dropped", "failed", "skipped")},
        "late": stats["late"],
        "throughput_fps": stats["throughput_fps"],
        "age_ms": {key: age[key] for key in ("p50", "p90", "p99")},
    }
