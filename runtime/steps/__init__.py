"""Processing steps between inference and outputs: tracking, smoothing, filters, line and zone counting."""

from __future__ import annotations

from typing import Protocol

from edgecnn.types import Result

__all__ = ["Step"]


class Step(Protocol):
    """Processes the results of one camera in frame order, in one thread; it may keep state, so each camera needs an instance of its own.

    ``stage`` names the statistics entry of its time, such as "track".
    """

    stage: str

    def __call__(self, result: Result) -> Result:
        """The processed result."""
        ...
