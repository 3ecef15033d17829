"""Selects the goldens of an artifact: one real input, a black image and noise, within a size budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgecnn.card import CARD_KEY, ModelCard, Preprocess
from edgecnn.export.verify.probes import REAL_KINDS
from edgecnn.export.verify.reference import Evidence, ModelOutput
from edgecnn.golden import GOLDENS_KEY, Golden, encode, png_size, sample_output, shrink_to_budget
from edgecnn.parity import TOLERANCES, tolerance_factor
from edgecnn.preprocess import resize_into
from edgecnn.runtime.backends import file_format, open_backend
from edgecnn.runtime.model import engine_record
from edgecnn.runtime.model.selftest import comparable_outputs, judge_golden, run_golden
from edgecnn.synthetic_inputs import pattern
from edgecnn.tasks import for_prediction
from edgecnn.tensor_pack import held, sample
from edgecnn.types import Image

SYNTHETIC = ("black", "noise")
HELD = (1, 2, 4, 8, 16, 32, 64)  # values of a tensor that are made equal
SHARE = 0.025  # of the bytes of an int8 file, before base64 adds a third
MIN_BYTES, MAX_BYTES = 8_000, 60_000
MARGIN = 2.0  # other devices round differently: allow twice the error measured on the exporting machine


def select_goldens(evidence: Evidence, preprocess: Preprocess, parameters: int) -> list[Golden]:
    """Goldens for a model of that many ``parameters``; ``preprocess`` is the artifact's.

    Half of the budget is for the real image, half for the outputs.
    """
    budget = int(np.clip(parameters * SHARE, MIN_BYTES, MAX_BYTES))
    images = _tensor_images(evidence, budget // 2) if preprocess.tensors else _images(evidence, preprocess, budget // 2)
    values = budget // 2 // 2 // (len(images) * len(evidence.reference.names))  # 2 bytes each
    return [_golden(kind, image, preprocess, evidence, values) for kind, image in images.items()]


def _images(evidence: Evidence, preprocess: Preprocess, budget: int) -> dict[str, Image]:
    images = {"real": shrink_to_budget(_best(evidence, preprocess), budget)}
    return images | {kind: pattern(kind, *preprocess.size, preprocess.channels) for kind in SYNTHETIC}


def _tensor_images(evidence: Evidence, budget: int) -> dict[str, Image]:
    """A real sample, with repeated values until it fits the budget, and zeros; patterns of pixels are no numbers."""
    specs = evidence.reference.card.preprocess.tensors
    whole = next(probe.image for probe in evidence.probes if probe.kind in REAL_KINDS)
    for block in HELD:
        real = held(whole, specs, block)[:, :, :1]
        if png_size(real) <= budget:
            break
    return {"real": real, "black": sample("black", specs)[:, :, :1]}


def golden_texts(goldens: list[Golden], path: Path) -> dict[str, str]:
    """The texts for the verified artifact at ``path``: the goldens, and for int8 also the outputs that its engine computed for them.

    Each golden gets the tolerance factor that the artifact needs.
    """
    backend = open_backend(path)
    try:
        card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path))
        found = [run_golden(golden, backend, card) for golden in goldens]
        needed = [
            tolerance_factor(judge_golden(golden, outputs, card), TOLERANCES[card.precision])
            for golden, outputs in zip(goldens, found, strict=True)
        ]
    finally:
        backend.close()
    kept = [replace(golden, tolerance_factor=max(1.0, MARGIN * part)) for golden, part in zip(goldens, needed, strict=True)]
    ordered = [comparable_outputs(golden, outputs, card) for golden, outputs in zip(goldens, found, strict=True)]
    record = engine_record.encode(ordered, [golden.outputs for golden in goldens], file_format(path))
    return {GOLDENS_KEY: encode(kept)} | ({engine_record.ENGINE_KEY: record} if card.precision == "int8" else {})


def _best(evidence: Evidence, preprocess: Preprocess) -> Image:
    """The real image with PyTorch's most confident prediction, resized to the model's input."""
    real = [(probe, output) for probe, output in zip(evidence.probes, evidence.outputs, strict=True) if probe.kind in REAL_KINDS]
    probe, _ = max(real, key=lambda pair: _confidence(pair[1]))
    out: Image = np.empty((*preprocess.size, preprocess.channels), np.uint8)
    resize_into(probe.image, preprocess, out)
    return out


def _confidence(output: ModelOutput) -> float:
    return 0.0 if output.prediction is None else for_prediction(output.prediction).confidence(output.prediction)


def _golden(kind: str, image: Image, preprocess: Preprocess, evidence: Evidence, limit: int) -> Golden:
    source = image[:, :, ::-1] if preprocess.color == "rgb" else image  # PyTorch's side takes BGR
    output = evidence.reference(np.ascontiguousarray(source.repeat(3, 2) if image.shape[2] == 1 else source))
    outputs = {
        name: sample_output(output.outputs[name], evidence.output_spread(name), limit) for name in evidence.reference.names
    }
    # rows of boxes have no fixed order: they are compared by the boxes of the prediction
    with_prediction = kind == "real" or evidence.reference.final is not None
    return Golden(kind, image, outputs, output.prediction if with_prediction else None)
