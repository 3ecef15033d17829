"""What is found of a measure that left its reference, in numbers and in one plain line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Against = Literal["reference", "past"]
VIEW = "view"  # the measure of a camera's own view: how well a frame fits the usual one

_TITLES = {
    "score": "mean score",
    "boxes": "boxes per frame",
    "objects": "objects per frame",
    "labels": "labels per frame",
    "box size": "box size (root of the share of the frame)",
    "classes": "rarity of the classes in bits",
    "upright": "upright minus level edges",
    "leaning": "edges leaning right minus left",
    "layout": "layout of the picture (1 is usual)",
    "embedding": "distance of the embedding",
}
_SOURCES = {
    "training": "in training",
    "calibration": "in calibration",
    "data": "in the reference data",
    "stream": "when it was learnt",
}


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A measure that left what is usual.

    ``against`` is "reference" where it is out of the range of the profile, "past" where it moved from what this camera showed before
    to the edge of that range. ``since`` is when that began (seconds of the stream's clock), ``value`` its mean now, ``low`` and
    ``high`` what is usual, ``deviations`` how far it is from that in standard deviations, with sign. ``source`` is that of the profile.
    """

    measure: str
    against: Against
    since: float
    value: float
    low: float
    high: float
    deviations: float
    source: str

    def text(self, now: float) -> str:
        """One plain line, ``now`` on the same clock."""
        lasted = f"for {max(now - self.since, 0):.0f} s"
        if self.measure == VIEW:
            return f"the camera shows another view {lasted}: it was moved, or something covers it"
        title = _TITLES.get(self.measure, self.measure)
        if self.against == "past":
            return (
                f"{title} {number(self.value)} {lasted}, usual: {number(self.low)} to {number(self.high)} on this camera before"
            )
        where = _SOURCES.get(self.source, f"in {self.source}")
        return f"{title} {number(self.value)} {lasted}, usual: {number(self.low)} to {number(self.high)} {where}"

    def record(self, now: float) -> dict[str, Any]:
        """Plain values for events and statistics."""
        return {
            "measure": self.measure,
            "against": self.against,
            "since_s": round(now - self.since, 1),
            "value": round(self.value, 4),
            "usual_low": round(self.low, 4),
            "usual_high": round(self.high, 4),
            "deviations": round(self.deviations, 2),
        }


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
