"""Processes results between inference and outputs: tracking, smoothing, class filters, line and zone counting."""

from __future__ import annotations

from typing import Protocol

from edgecnn.types import Result

__all__ = ["Step"]


class Step(Protocol):
    """Processes the results of one camera in frame order, in one thread. Each camera needs its own instance.

    ``stage`` is the name under which the statistics count its processing time, such as "track".
    """

    stage: str

    def __call__(self, result: Result) -> Result:
        """Return the processed result."""
        ...
