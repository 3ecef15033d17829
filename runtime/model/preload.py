"""Opening a model in the background while the rest of a run is made ready: engines read and optimise without Python's lock."""

from __future__ import annotations

import threading
from pathlib import Path

from edgecnn.runtime.backends import SUFFIXES, Backend, Device, open_backend

Key = tuple[Path, Device, int | None, int]
QUIET = ("onnx", "openvino")  # LiteRT writes to the terminal while it opens, which only the caller's own thread may hold back

_begun: dict[Key, _Opening] = {}


class _Opening:
    def __init__(self, key: Key) -> None:
        self._key = key
        self._backend: Backend | None = None
        self._error: BaseException | None = None
        # No daemon: a run that ends early would tear the engine down while it is being built, and the process would abort.
        self._thread = threading.Thread(target=self._open, name="edgecnn-open")
        self._thread.start()

    def _open(self) -> None:
        path, device, threads, requests = self._key
        try:
            self._backend = open_backend(path, device, threads=threads, requests=requests)
        except BaseException as error:
            self._error = error

    def result(self) -> Backend:
        self._thread.join()
        if self._backend is None:
            raise self._error or AssertionError("neither model nor error")
        return self._backend


def begin(path: Path, device: Device, threads: int | None, requests: int) -> None:
    """Begin to open a file whose path is absolute or will mean the same; nothing is raised before ``opened``."""
    key = (path, device, threads, requests)
    if SUFFIXES.get(path.suffix.lower()) in QUIET and key not in _begun:
        _begun[key] = _Opening(key)


def opened(path: Path, device: Device, threads: int | None, requests: int) -> Backend:
    """The backend: the one that was begun, once, else a new one. Raises what ``open_backend`` raises."""
    begun = _begun.pop((path, device, threads, requests), None)
    return begun.result() if begun is not None else open_backend(path, device, threads=threads, requests=requests)
