"""The models of a run: each file is loaded once for all cameras that use it, and closed after the last of them left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

Key = tuple[Path, "CardOptions"]


@dataclass
class _Loaded:
    predictor: Predictor
    users: int = 0


class SharedModels:
    """Loads files by ``load(path, options)`` and counts their users; leaving the ``with`` closes all."""

    def __init__(self, load: Callable[[Path, CardOptions], Predictor]) -> None:
        self._load = load
        self._loaded: dict[Key, _Loaded] = {}

    def acquire(self, file: Path, options: CardOptions) -> Predictor:
        """The predictor of a file with these options; raises what ``load`` raises. Each call needs a ``release``."""
        found = self._loaded.get((file, options))
        if found is None:
            found = self._loaded[file, options] = _Loaded(self._load(file, options))
        found.users += 1
        return found.predictor

    def release(self, predictor: Predictor) -> None:
        """One camera uses the predictor no more."""
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
