"""What happens to a result between inference and the outputs, frame by frame in order: tracking, filters, lines and zones."""

from __future__ import annotations

from typing import Protocol

from edgecnn.types import Result

__all__ = ["Step"]


class Step(Protocol):
    """One change of a camera's results. It keeps what it needs of earlier frames; one camera has its own, called by one thread.

    ``stage`` is where its time is booked, such as "track".
    """

    stage: str

    def __call__(self, result: Result) -> Result:
        """The result with what this step adds, or without what it takes away."""
        ...
