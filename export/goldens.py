"""Choosing the goldens of an artifact: one real input, a black one and noise, within a budget of bytes."""

from __future__ import annotations

import numpy as np

from edgecnn.card import Preprocess
from edgecnn.export.probes import JUDGED
from edgecnn.export.reference import Answer, Evidence
from edgecnn.golden import Golden, encode, keep, shrink
from edgecnn.preprocess import resize_into
from edgecnn.stress import pattern
from edgecnn.types import Classes, Image

STRESS = ("black", "noise")
SHARE = 0.035  # of the bytes of an int8 file, before base64 adds a third
LEAST, MOST = 3_000, 60_000


def goldens(evidence: Evidence, preprocess: Preprocess, parameters: int) -> str:
    """Goldens for a model of that many ``parameters`` as text; ``preprocess`` is the artifact's, raw pixels.

    Half of the budget goes to the picture, half to the outputs.
    """
    budget = int(np.clip(parameters * SHARE, LEAST, MOST))
    images = {"real": shrink(_best(evidence, preprocess), budget // 2)}
    images |= {kind: pattern(kind, *preprocess.size, preprocess.channels) for kind in STRESS}
    values = budget // 2 // 2 // (len(images) * len(evidence.spreads))  # 2 bytes each
    return encode([_golden(kind, image, evidence, values) for kind, image in images.items()])


def _best(evidence: Evidence, preprocess: Preprocess) -> Image:
    """The real probe of whose prediction PyTorch is surest, as it goes into the model."""
    real = [(probe, answer) for probe, answer in zip(evidence.probes, evidence.answers, strict=True) if probe.kind in JUDGED]
    probe, _ = max(real, key=lambda pair: _sureness(pair[1]))
    out: Image = np.empty((*preprocess.size, preprocess.channels), np.uint8)
    resize_into(probe.image, preprocess, out)
    return out


def _sureness(answer: Answer) -> float:
    if answer.prediction is None:
        return 0.0
    return float(answer.prediction.score.max(initial=0.0))


def _golden(kind: str, image: Image, evidence: Evidence, limit: int) -> Golden:
    answer = evidence.reference(image.repeat(3, 2) if image.shape[2] == 1 else image)
    outputs = {name: keep(answer.outputs[name], spread, limit) for name, spread in evidence.spreads.items()}
    small = isinstance(answer.prediction, Classes) and answer.prediction.score.size <= limit
    return Golden(kind, image, outputs, answer.prediction if kind == "real" or small else None)
