"""Reloads a cameras file on change during a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgecnn.errors import EdgeCnnError

if TYPE_CHECKING:
    from edgecnn.live.cameras_file import CamerasFile
    from edgecnn.live.config import CameraConfig
    from edgecnn.live.report import Reporter

CHECK_EVERY_S = 1.0


class Reloader:
    """As a context manager, checks ``file`` every second and passes changed cameras to ``update``; errors are reported."""

    def __init__(
        self, file: CamerasFile, update: Callable[[Sequence[CameraConfig]], dict[str, list[str]]], reporter: Reporter
    ) -> None:
        self._file, self._update, self._reporter = file, update, reporter
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="edgecnn-cameras", daemon=True)

    def __enter__(self) -> Reloader:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join(CHECK_EVERY_S)

    # Polled, because inotify misses changes on network file systems and loses a file that is replaced.
    def _work(self) -> None:
        while not self._done.wait(CHECK_EVERY_S):
            try:
                if self._file.changed():
                    self._reload()
            except EdgeCnnError as error:
                self._refuse(str(error))
            except Exception as error:  # a dead thread would leave later changes unnoticed
                self._refuse(repr(error))

    def _reload(self) -> None:
        changed = self._update(self._file.read())
        text = ", ".join(f"{what} {', '.join(names)}" for what, names in changed.items() if names)
        self._reporter.say("cameras-changed", f"cameras: {text or 'nothing changed'}", values=changed)

    def _refuse(self, why: str) -> None:
        self._reporter.say("cameras-refused", f"the cameras were not changed: {why}", "warning", {"error": why})
