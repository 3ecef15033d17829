"""The sensitivity of the layers, measured once for all formats of an export, which are made in processes of their own."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgecnn.export.budget.sensitivity import Sensitivities


@dataclass(frozen=True, slots=True)
class SharedSensitivities:
    """A file in a temporary ``folder`` of the export; the first process that needs it measures, the others wait for it."""

    folder: Path

    def get(self, measure: Callable[[], Sensitivities]) -> Sensitivities:
        """What was measured before, else the result of ``measure``; passes its errors on."""
        path = self.folder / "sensitivities"
        with _alone(self.folder / "sensitivities.lock"):
            if path.exists():
                found: Sensitivities = pickle.loads(path.read_bytes())
                return found
            measured = measure()
            path.write_bytes(pickle.dumps(measured))
            return measured


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other process is inside; without ``fcntl`` (Windows) formats are made one after the other anyway."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process at the latest
        yield
