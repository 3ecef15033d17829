"""Shares the models of a run: each file is loaded once and closed when its last camera is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

# A predictor has one set of options: the same file with other options is loaded again.
Key = tuple[Path, "CardOptions"]


@dataclass
class _Loaded:
    predictor: Predictor
    users: int = 0


class SharedModels:
    """Loads files by ``load(path, options)`` and counts their users; as a context manager it closes all at the end."""

    def __init__(self, load: Callable[[Path, CardOptions], Predictor]) -> None:
        self._load = load
        self._loaded: dict[Key, _Loaded] = {}

    def acquire(self, file: Path, options: CardOptions) -> Predictor:
        """Return the predictor of a file with these options; each call needs a ``release``. Raises the errors of ``load``."""
        found = self._loaded.get((file, options))
        if found is None:
            found = self._loaded[file, options] = _Loaded(self._load(file, options))
        found.users += 1
        return found.predictor

    def release(self, predictor: Predictor) -> None:
        """Release a predictor for one camera; the last release closes it."""
        key, found = next((key, item) for key, item in self._loaded.items() if item.predictor is predictor)
        found.users -= 1
        if not found.users:
            del self._loaded[key]
            found.predictor.close()

    def __enter__(self) -> SharedModels:
        return self

    def __exit__(self, *exc: Any) -> None:
        while self._loaded:
            self._loaded.popitem()[1].predictor.close()
