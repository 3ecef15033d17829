"""Figures with their intervals, and whether there were enough images to say anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecnn.metrics.classmap import shown
from edgecnn.metrics.estimate import Estimate, percentile_intervals
from edgecnn.types import Array

TOO_WIDE: Final = 0.2  # an interval of more than 20 points says next to nothing
LEAST: Final = 10  # images or objects of a class


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyDetail:
    """What is known beside the metrics of a ``Score``.

    ``figures`` are of all images, by the keys of ``edgecnn.metrics.score.TITLES``; ``classes`` by label.
    ``support`` is the number of ``counted`` instances by label.
    ``resamples`` is how often images were drawn again for the intervals. ``notes`` say where there is too little to say anything.
    """

    figures: Mapping[str, Estimate]
    classes: Mapping[str, Mapping[str, Estimate]]
    support: Mapping[str, int]
    counted: str
    resamples: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "resamples": self.resamples,
            "figures": {name: one.to_dict() for name, one in self.figures.items()},
            "classes": {label: {name: one.to_dict() for name, one in own.items()} for label, own in self.classes.items()},
            "notes": list(self.notes),
        }


def estimates(names: Sequence[str], values: Array, samples: Array | None) -> dict[str, Estimate]:
    """Estimates from values (k,) and their resamples (R, k), None without any; those that are NaN are left out."""
    intervals = [None] * len(names) if samples is None else percentile_intervals(samples)
    rows = zip(names, values.tolist(), intervals, strict=True)
    return {name: Estimate(value, interval) for name, value, interval in rows if not math.isnan(value)}


def doubts(primary: Estimate, title: str, classes: Mapping[str, Estimate], support: Mapping[str, int], counted: str) -> list[str]:
    """Sentences on what the images are too few for."""
    found = []
    if primary.width > TOO_WIDE:
        width = "no interval" if primary.interval is None else f"an interval of {100 * primary.width:.0f} points"
        found.append(f"too few images: {title} has {width}")
    wide = [name for name, one in classes.items() if support[name] < LEAST or one.width > TOO_WIDE]
    if wide:
        found.append(
            f"too few {counted} to judge {len(wide)} of {len(classes)} classes "
            f"(fewer than {LEAST}, or an interval of more than {100 * TOO_WIDE:.0f} points): {shown(wide)}"
        )
    return found
