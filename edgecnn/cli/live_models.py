"""The models of a run: each file is opened once, however many cameras look with it, and freed when none does any more."""

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
class _Open:
    predictor: Predictor
    users: int = 0


class Models:
    """Opens files by ``open_file(path, options)``; use it in a ``with``, which frees them all."""

    def __init__(self, open_file: Callable[[Path, CardOptions], Predictor]) -> None:
        self._open_file = open_file
        self._open: dict[Key, _Open] = {}

    def take(self, file: Path, options: CardOptions) -> Predictor:
        """The predictor for a file and what was said about it; raises what opening it raises. Each needs a ``give_back``."""
        found = self._open.get((file, options))
        if found is None:
            found = self._open[file, options] = _Open(self._open_file(file, options))
        found.users += 1
        return found.predictor

    def give_back(self, predictor: Predictor) -> None:
        """A camera does not look with it any more."""
        key, found = next((key, item) for key, item in self._open.items() if item.predictor is predictor)
        found.users -= 1
        if not found.users:
            del self._open[key]
            found.predictor.close()

    def __enter__(self) -> Models:
        return self

    def __exit__(self, *exc: Any) -> None:
        while self._open:
            self._open.popitem()[1].predictor.close()
