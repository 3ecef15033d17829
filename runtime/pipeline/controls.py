"""Settings that can be changed during a run; read again for each frame."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """``score_threshold`` (0..1) and ``only`` these labels, None: as configured; cameras in ``paused`` are not inferred."""

    score_threshold: float | None = None
    only: frozenset[str] | None = None
    paused: frozenset[str] = frozenset()


class Controls:
    """The current settings; any thread may read and change them."""

    def __init__(self, setting: ControlSettings | None = None) -> None:
        self._lock = threading.Lock()
        self._setting = setting or ControlSettings()

    @property
    def setting(self) -> ControlSettings:
        """The current settings."""
        return self._setting

    def change(
        self, *, score_threshold: float | None = None, only: frozenset[str] | None = None, paused: frozenset[str] | None = None
    ) -> ControlSettings:
        """Change the given settings and keep the others. Raises ``ValueError`` for a threshold outside 0..1."""
        if score_threshold is not None and not 0 <= score_threshold <= 1:
            raise ValueError(f"score_threshold must be between 0 and 1, not {score_threshold}")
        given = {"score_threshold": score_threshold, "only": only, "paused": paused}
        with self._lock:
            self._setting = replace(self._setting, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
            return self._setting
