"""One number for robustness: the mean corruption error (Hendrycks and Dietterich 2019, arXiv:1903.12261, section 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgecnn.trust.invariance.evidence import interval
from edgecnn.trust.invariance.result import CorruptionError, FileRobustness, LevelResult
from edgecnn.types import Int64

LEAST_ERROR = 1e-9
Error = Callable[[LevelResult], float]


def corruption_error(own: FileRobustness, baseline: FileRobustness | None = None, *, seed: int = 0) -> CorruptionError | None:
    """The mean over the corruptions of the error summed over the levels, divided by that of ``baseline`` where there is one.

    The relative one takes from each error that of the images as they are. Error is 1 - accuracy (of detectors: 1 - AP50). Only
    corruptions count that were measured at the same levels on both; None without any.
    """
    rows = _corruptions(own, baseline)
    if not rows:
        return None
    pairs = {name: (levels, None if baseline is None else base) for name, (levels, base) in rows.items()}
    base_clean = None if baseline is None else baseline.clean
    parts = {name: _ratio(levels, base, lambda one: one.error) for name, (levels, base) in pairs.items()}
    found = own.levels[0].evidence is not None and all(
        one.evidence is not None for levels, base in pairs.values() for one in (*levels, *(base or ()))
    )

    def mean(weight: Int64, relative: bool) -> float:
        def error(one: LevelResult) -> float:
            return 1 - one.evidence.value(weight) if one.evidence is not None else math.nan

        return _mean(pairs, error, own.clean if relative else None, base_clean if relative else None)

    cost = sum(len(levels) * (1 if base is None else 2) for levels, base in pairs.values()) * len(own.clean.per_class)
    images = own.clean.images
    relative = _mean(pairs, lambda one: one.error, own.clean, base_clean)
    return CorruptionError(
        baseline="" if baseline is None else baseline.name,
        mean=float(np.mean(list(parts.values()))),
        interval=interval(lambda weight: mean(weight, False), images, cost, seed) if found else None,
        relative=relative if math.isfinite(relative) else None,
        relative_interval=interval(lambda weight: mean(weight, True), images, cost, seed) if found else None,
        by_corruption=parts,
    )


def _corruptions(
    own: FileRobustness, baseline: FileRobustness | None
) -> Mapping[str, tuple[Sequence[LevelResult], Sequence[LevelResult]]]:
    """The levels of each corruption, of the file and of the baseline."""
    names = dict.fromkeys(
        one.transformation.name
        for one in own.levels
        if one.transformation is not None and one.transformation.group == "corruption"
    )
    rows = {name: (own.curve(name), own.curve(name) if baseline is None else baseline.curve(name)) for name in names}
    return {
        name: (levels, base)
        for name, (levels, base) in rows.items()
        if [one.level for one in levels] == [one.level for one in base]
    }


def _mean(
    pairs: Mapping[str, tuple[Sequence[LevelResult], Sequence[LevelResult] | None]],
    error: Error,
    clean: LevelResult | None,
    base_clean: LevelResult | None,
) -> float:
    """The mean of the ratios; with ``clean`` of the errors above those of the images as they are."""

    def above(one: LevelResult, reference: LevelResult | None) -> float:
        return error(one) - (0.0 if reference is None else error(reference))

    return float(
        np.mean(
            [
                _ratio(levels, base, lambda one: above(one, clean), lambda one: above(one, base_clean))
                for levels, base in pairs.values()
            ]
        )
    )


def _ratio(
    levels: Sequence[LevelResult], base: Sequence[LevelResult] | None, error: Error, base_error: Error | None = None
) -> float:
    """The mean error of the levels, or its ratio to the baseline's; NaN where the baseline loses nothing."""
    own = float(np.mean([error(one) for one in levels]))
    if base is None:
        return own
    other = float(np.mean([(base_error or error)(one) for one in base]))
    return own / other if other > LEAST_ERROR else math.nan
