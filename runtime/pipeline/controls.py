"""What a viewer may change while a run goes on; read anew for each frame."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """``score_threshold`` (0..1) and ``only`` these labels, None: as the run began; ``paused`` cameras are not looked at."""

    score_threshold: float | None = None
    only: frozenset[str] | None = None
    paused: frozenset[str] = frozenset()


class Controls:
    """One setting that any thread may read and change."""

    def __init__(self, setting: ControlSettings | None = None) -> None:
        self._lock = threading.Lock()
        self._setting = setting or ControlSettings()

    @property
    def setting(self) -> ControlSettings:
        """The setting of this moment."""
        return self._setting

    def change(
        self, *, score_threshold: float | None = None, only: frozenset[str] | None = None, paused: frozenset[str] | None = None
    ) -> ControlSettings:
        """Change what is given and leave the rest. Raises ``ValueError`` for a threshold outside 0..1."""
        if score_threshold is not None and not 0 <= score_threshold <= 1:
            raise ValueError(f"score_threshold must be between 0 and 1, not {score_threshold}")
        given = {"score_threshold": score_threshold, "only": only, "paused": paused}
        with self._lock:
            self._setting = replace(self._setting, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
            return self._setting
