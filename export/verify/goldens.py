"""Choosing the goldens of an artifact: one real input, a black one and noise, within a budget of bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgecnn.card import CARD_KEY, ModelCard, Preprocess
from edgecnn.export.verify.probes import JUDGED
from edgecnn.export.verify.reference import Answer, Evidence
from edgecnn.golden import Golden, encode, keep, shrink
from edgecnn.parity import TOLERANCES, slack
from edgecnn.preprocess import resize_into
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.selftest import try_golden
from edgecnn.synthetic_inputs import pattern
from edgecnn.types import Image, Values

STRESS = ("black", "noise")
SHARE = 0.025  # of the bytes of an int8 file, before base64 adds a third
LEAST, MOST = 8_000, 60_000
MARGIN = 2.0  # another device may round otherwise: it may be twice as far off as the file is where it was exported


def choose(evidence: Evidence, preprocess: Preprocess, parameters: int) -> list[Golden]:
    """Goldens for a model of that many ``parameters``; ``preprocess`` is the artifact's, raw pixels.

    Half of the budget goes to the picture, half to the outputs.
    """
    budget = int(np.clip(parameters * SHARE, LEAST, MOST))
    images = {"real": shrink(_best(evidence, preprocess), budget // 2)}
    images |= {kind: pattern(kind, *preprocess.size, preprocess.channels) for kind in STRESS}
    values = budget // 2 // 2 // (len(images) * len(evidence.spreads))  # 2 bytes each
    return [_golden(kind, image, evidence, values) for kind, image in images.items()]


def fitted(goldens: list[Golden], path: Path) -> str:
    """The goldens as text, with the slack that the verified artifact at ``path`` needs for them."""
    backend = open_backend(path)
    try:
        card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path))
        needed = [slack(try_golden(golden, backend, card), TOLERANCES[card.precision]) for golden in goldens]
    finally:
        backend.close()
    return encode([replace(golden, slack=max(1.0, MARGIN * part)) for golden, part in zip(goldens, needed, strict=True)])


def _best(evidence: Evidence, preprocess: Preprocess) -> Image:
    """The real probe of whose prediction PyTorch is surest, as it goes into the model."""
    real = [(probe, answer) for probe, answer in zip(evidence.probes, evidence.answers, strict=True) if probe.kind in JUDGED]
    probe, _ = max(real, key=lambda pair: _sureness(pair[1]))
    out: Image = np.empty((*preprocess.size, preprocess.channels), np.uint8)
    resize_into(probe.image, preprocess, out)
    return out


def _sureness(answer: Answer) -> float:
    if answer.prediction is None or isinstance(answer.prediction, Values):
        return 0.0
    return float(answer.prediction.score.max(initial=0.0))


def _golden(kind: str, image: Image, evidence: Evidence, limit: int) -> Golden:
    answer = evidence.reference(image.repeat(3, 2) if image.shape[2] == 1 else image)
    outputs = {name: keep(answer.outputs[name], spread, limit) for name, spread in evidence.spreads.items()}
    return Golden(kind, image, outputs, answer.prediction if kind == "real" else None)
