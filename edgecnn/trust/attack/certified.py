"""The certified accuracy of a file behind randomised smoothing, against the L2 radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from edgecnn.errors import InputError
from edgecnn.metrics.classification import wilson
from edgecnn.trust.attack.attackers import generator
from edgecnn.trust.attack.measure import AttackedModel
from edgecnn.trust.attack.result import CertifiedCurve
from edgecnn.trust.attack.smoothing import ABSTAINED, ALPHA, Certificate, certified_accuracy, certify, lower_bound
from edgecnn.trust.attack.target import AttackTarget, to_bgr
from edgecnn.types import Classes, Image

POINTS = 9
STREAM = 1 << 20  # random numbers of its own


def certified_curve(
    model: AttackedModel,
    targets: Sequence[AttackTarget],
    sigma: float,
    samples: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> CertifiedCurve:
    """The curve of a classifier; raises ``InputError`` for a detector, for which there is no certificate."""
    if model.card.task != "classify":
        raise InputError(f"--smooth certifies classifiers, but {model.name} is a detector", "leave --smooth out")

    def classify(pixels: Image) -> int:
        prediction = model.predict(to_bgr(pixels))
        assert isinstance(prediction, Classes)
        return int(model.classes.scores(prediction).argmax())

    found: list[Certificate] = []
    for target in targets:
        found.append(certify(classify, target.pixels, sigma, samples, generator(seed, target, STREAM)))
        progress(len(found), len(targets))
    truth = [-2 if target.sample.label is None else target.sample.label for target in targets]
    # no image can have a larger radius than one for which all samples agree
    radii = np.linspace(0, sigma * NormalDist().inv_cdf(lower_bound(samples, samples, ALPHA)), POINTS).round(4)
    # rounding must not put the last point beyond what can be reached
    radii[-1] = np.floor(radii[-1] * 1e4 - 1e-6) / 1e4
    accuracy = [certified_accuracy(found, truth, float(radius)) for radius in radii]
    spans = [wilson(round(value * len(found)), len(found)) for value in accuracy]
    clean = [int(model.classes.scores(_classes(answer)).argmax()) for answer in model.answers["none", 0][: len(targets)]]
    return CertifiedCurve(
        sigma=sigma,
        samples=samples,
        alpha=ALPHA,
        images=len(found),
        abstained=float(np.mean([one.label == ABSTAINED for one in found])),
        clean=float(np.mean([said == true for said, true in zip(clean, truth, strict=True)])),
        radii=tuple(float(radius) for radius in radii),
        accuracy=tuple(accuracy),
        low=tuple(low for low, _ in spans),
        high=tuple(high for _, high in spans),
    )


def _classes(prediction: object) -> Classes:
    assert isinstance(prediction, Classes)
    return prediction
