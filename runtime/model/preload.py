"""Opens model files in background threads during the start of a run; engines load models without holding the GIL."""

from __future__ import annotations

import threading
from pathlib import Path

from edgecnn.engine_device import CPU, Device
from edgecnn.runtime.backends import SUFFIXES, Backend
from edgecnn.runtime.backends.trial_load import open_checked

PRELOADED_FORMATS = (
    "onnx",
    "openvino",
)  # LiteRT prints to stderr while it loads, which only the caller's own thread can suppress

Key = tuple[Path, Device, int | None, int, str | None]


class BackendPreloader:
    """Opens backends before they are needed; each preloaded backend is returned once.

    Not thread-safe. ``close``, or the end of a ``with``, frees the backends that were not used.
    """

    def __init__(self) -> None:
        self._loading: dict[Key, _LoadThread] = {}

    def start(
        self, path: Path, device: Device = CPU, *, threads: int | None = None, requests: int = 1, engine: str | None = None
    ) -> None:
        """Start to load a file in a background thread, if its format allows that; errors are raised by ``open``."""
        key = (path, device, threads, requests, engine)
        # what a GPU provider prints while it starts is caught, too, which only the caller's own thread may do
        if device.is_cpu and SUFFIXES.get(path.suffix.lower()) in PRELOADED_FORMATS and key not in self._loading:
            self._loading[key] = _LoadThread(key)

    def open(
        self, path: Path, device: Device = CPU, *, threads: int | None = None, requests: int = 1, engine: str | None = None
    ) -> Backend:
        """Return the preloaded backend for exactly these arguments, else a new one. Raises the errors of ``open_checked``."""
        loading = self._loading.pop((path, device, threads, requests, engine), None)
        if loading is not None:
            return loading.result()
        return open_checked(path, device, threads=threads, requests=requests, engine=engine)

    def close(self) -> None:
        """Wait for loads that are still running and free the backends that were not used."""
        while self._loading:
            self._loading.popitem()[1].discard()

    def __enter__(self) -> BackendPreloader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _LoadThread:
    """Loads one file in a thread."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._backend: Backend | None = None
        self._error: BaseException | None = None
        # Not a daemon: a process that exits early would tear down the engine while it is being built, and abort.
        self._thread = threading.Thread(target=self._load, name="edgecnn-preload")
        self._thread.start()

    def _load(self) -> None:
        path, device, threads, requests, engine = self._key
        try:
            self._backend = open_checked(path, device, threads=threads, requests=requests, engine=engine)
        # Stored for `result`: an error in this thread would be lost and the caller would wait in vain.
        except BaseException as error:
            self._error = error

    def result(self) -> Backend:
        self._thread.join()
        if self._backend is None:
            raise self._error or AssertionError("neither backend nor error")
        return self._backend

    def discard(self) -> None:
        self._thread.join()
        if self._backend is not None:
            self._backend.close()
