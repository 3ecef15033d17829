"""The check of a model file while it is loaded: before the engine for a small file, beside the engine for a large one."""

from __future__ import annotations

import threading
from pathlib import Path

from edgecnn.integrity.digest import check_digests
from edgecnn.integrity.sections import has_sections

# Up to this size SHA-256 takes a few milliseconds. Checked first, a damaged file never reaches the engine, which it could crash.
FIRST_BYTES = 4 << 20


class LoadCheck:
    """Checks the digests of the file at ``path``, at once or in a thread; ``finish`` must be called before the model is used.

    Raises ``ArtifactError`` for a small file that has changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        files = (path, path.with_suffix(".bin")) if path.suffix.lower() == ".xml" else (path,)
        if not has_sections(path):
            return
        if sum(file.stat().st_size for file in files if file.exists()) <= FIRST_BYTES:
            check_digests(path)
        else:
            self._thread = threading.Thread(target=self._check, name="edgecnn-digest", daemon=True)
            self._thread.start()

    def _check(self) -> None:
        try:
            check_digests(self._path)
        # Stored for `finish`: an error in this thread would be lost.
        except BaseException as error:
            self._error = error

    def finish(self) -> None:
        """Wait for the check. Raises ``ArtifactError`` for a file that has changed."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
