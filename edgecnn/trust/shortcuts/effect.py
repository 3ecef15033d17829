"""What a change of the images does to the answers, and what that says of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgecnn.metrics.estimate import Estimate, Interval
from edgecnn.trust.attribution.evidence import MapEvidence
from edgecnn.trust.shortcuts.changes import ImageChange
from edgecnn.trust.shortcuts.estimate import bootstrap, informedness
from edgecnn.types import Array

Verdict = Literal["uses", "no proof", "does not use", "not shown"]
FALL = 0.15  # of the accuracy: a smaller fall may come from the change itself, its edges and repainted places
REMAINS = 0.20  # of what the answers tell: less is not called a shortcut
CHANCE = 0.05  # of the evidence beyond that of chance: less is not called evidence on the object
LARGEST_AREA = 0.5  # of the image: boxes that cover more can't tell evidence on the object from evidence anywhere
LEAST_IMAGES = 10
LEAST_TOLD = 0.2  # a network whose answers tell less of the classes has nothing to lose


@dataclass(frozen=True, slots=True)
class ChangeTrial:
    """One image before and after a change: the true class of a classified image (-1 for a detector), the classes that were said, and
    how many of its ``instances`` (the image, or its objects) were right.
    """

    truth: int
    said_before: int
    said_after: int
    instances: int
    right_before: int
    right_after: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change did: ``before`` and ``after`` are accuracies (recall for a detector) on the ``images`` that could be changed.

    ``effect``: where the class is kept, the change of the accuracy; where the object is gone, how much the answers still tell of the
    classes (``informedness``), and for a detector the share of the found objects that are still reported.
    """

    change: ImageChange
    images: int
    before: Estimate
    after: Estimate
    effect: Estimate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class EvidenceSummary:
    """Attribution by one method on images whose boxes cover at most half: means of the share ``inside`` the boxes and of their ``area``,
    of ``gain`` = (inside - area) / (1 - area), which is 0 for evidence anywhere and 1 for evidence in the boxes only, and of the
    pointing game.
    """

    method: str
    images: int
    inside: Estimate
    area: float
    gain: Estimate
    pointed: Estimate
    verdict: Literal["on the object", "elsewhere", "not shown"]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        found = {"inside": self.inside, "gain": self.gain, "pointed": self.pointed}
        own = {name: one.to_dict() for name, one in found.items()}
        return {"method": self.method, "images": self.images, "area": self.area, **own, "verdict": self.verdict}


def effect_of(change: ImageChange, trials: Sequence[ChangeTrial], seed: int) -> Effect:
    """The effect of ``change`` over the images ``trials``, of which there must be one."""
    table = np.array(
        [[t.truth, t.said_before, t.said_after, t.instances, t.right_before, t.right_after] for t in trials], np.int64
    )
    truth, said_before, said_after, instances, before, after = table.T
    is_detector = bool((truth < 0).all())
    total = int(instances.sum())
    told_before = float(before.sum() / total) if is_detector else informedness(truth, said_before, np.unique(truth))
    if change.truth == "kept":
        effect = bootstrap(lambda i: float((after[i] - before[i]).sum() / instances[i].sum()), len(trials), seed)
        verdict = _verdict(None if effect.interval is None else Interval(-effect.interval.high, -effect.interval.low), FALL)
    else:
        figure = _still_found(before, after) if is_detector else _still_told(truth, said_after)
        effect = bootstrap(figure, len(trials), seed)
        verdict = _verdict(effect.interval, REMAINS)
    if len(trials) < LEAST_IMAGES or told_before < LEAST_TOLD:
        verdict = "not shown"
    elif verdict == "uses" and change.doubt:
        verdict = "no proof"
    rates = [bootstrap(_share(own, instances), len(trials), seed) for own in (before, after)]
    return Effect(change, len(trials), rates[0], rates[1], effect, verdict)


def _share(right: Array, instances: Array) -> Callable[[Array], float]:
    return lambda index: float(right[index].sum() / instances[index].sum())


def _still_told(truth: Array, said: Array) -> Callable[[Array], float]:
    classes = np.unique(truth)
    return lambda index: informedness(truth[index], said[index], classes)


def summary_of(method: str, found: Sequence[MapEvidence], seed: int) -> EvidenceSummary | None:
    """The evidence over several images; None where all boxes are too large."""
    kept = [one for one in found if one.area <= LARGEST_AREA]
    if not kept:
        return None
    inside, area, pointed = (np.array([getattr(one, name) for one in kept], np.float64) for name in ("inside", "area", "pointed"))
    gain = _mean((inside - area) / (1 - area), seed)
    verdict: Literal["on the object", "elsewhere", "not shown"] = "not shown"
    if len(kept) >= LEAST_IMAGES and gain.interval is not None:
        low, high = gain.interval
        verdict = "on the object" if low > CHANCE else "elsewhere" if high < CHANCE else "not shown"
    return EvidenceSummary(method, len(kept), _mean(inside, seed), float(area.mean()), gain, _mean(pointed, seed), verdict)


def _mean(values: Array, seed: int) -> Estimate:
    return bootstrap(lambda index: float(values[index].mean()), len(values), seed)


def _still_found(before: Array, after: Array) -> Callable[[Array], float]:
    def figure(index: Array) -> float:
        found = int(before[index].sum())
        return float(np.minimum(before, after)[index].sum() / found) if found else float("nan")

    return figure


def _verdict(size: Interval | None, limit: float) -> Verdict:
    """By the interval of a size that a network without the shortcut keeps under ``limit``."""
    if size is None:
        return "not shown"
    return "uses" if size.low > limit else "does not use" if size.high < limit else "not shown"
