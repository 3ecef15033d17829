"""Parity: outputs of the file on disk compared with PyTorch's on the same source images."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.export.verify.probes import EXTREME_SHAPES, REAL_KINDS, Probe
from edgecnn.export.verify.reference import Evidence, ModelOutput
from edgecnn.parity import (
    TOLERANCES,
    UNUSABLE,
    Agreement,
    ParityRow,
    TensorError,
    Tolerance,
    judge_row,
    tensor_error,
    tensor_violations,
    value_range,
)
from edgecnn.postprocess import decode
from edgecnn.postprocess.parts import OutputPart
from edgecnn.preprocess import preparer
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.runtime.backends.one_image import one_image
from edgecnn.tasks import compare, filled, in_order, to_source
from edgecnn.types import Array, Tensors

MANY = 8  # images, of which an average says something
PARTNER_IOU = 0.5  # boxes that overlap so are the same object

_Triple = tuple[Probe, ModelOutput, ModelOutput]


@dataclass(frozen=True, slots=True, eq=False)
class Parity:
    """The parity table of one artifact."""

    precision: str
    rows: tuple[ParityRow, ...]
    source: str

    @property
    def violations(self) -> tuple[str, ...]:
        """Everything out of tolerance, one text each."""
        return tuple(f"{row.kind}: {violation}" for row in self.rows for violation in row.violations)

    @property
    def passed(self) -> bool:
        """Whether everything is within tolerance."""
        return not self.violations

    @property
    def tensors_agree(self) -> bool:
        """Whether the raw tensors are within tolerance, independent of the decoder."""
        tolerance = TOLERANCES[self.precision]
        return not any(tensor_violations(row, tolerance) for row in self.rows if row.kind in REAL_KINDS)

    @property
    def usable(self) -> bool:
        """Whether the outputs on real inputs are finite and of the right shapes."""
        return not any(row.gross for row in self.rows if row.kind in REAL_KINDS)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is unusual on synthetic inputs, one text each."""
        return tuple(f"{row.kind}: {warning}" for row in self.rows for warning in row.warnings if not row.violations)

    def record(self) -> dict[str, Any]:
        """Plain values for the card and for JSON."""
        tolerance = {
            key: value for key, value in asdict(TOLERANCES[self.precision]).items() if value is not None and np.isfinite(value)
        }
        return {
            "passed": self.passed,
            "real_inputs": self.source,
            "tolerance": tolerance,
            "rows": [_plain(row) for row in self.rows],
            "warnings": list(self.warnings),
        }


Verified = tuple[Parity, Sequence[ModelOutput]]


def verify(path: Path, evidence: Evidence) -> Verified:
    """Run the file at ``path``, with its own card and backend, on all verification images, and compare with PyTorch.

    Gives the table and the outputs of the file for each image.
    """
    backend = open_backend(path)
    try:
        card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path))
        single = one_image(backend, rows=2)
        outputs = [run_artifact(single, card, probe) for probe in evidence.probes]
    finally:
        backend.close()
    return judged(evidence, outputs, card.precision), outputs


def judged(evidence: Evidence, outputs: Sequence[ModelOutput], precision: str) -> Parity:
    """The table for the ``outputs`` of a file for each verification image."""
    return Parity(precision, tuple(_rows(evidence, outputs, TOLERANCES[precision])), evidence.source)


def run_artifact(backend: Backend, card: ModelCard, probe: Probe) -> ModelOutput:
    """The artifact's output for one image, by the same code path as ``edgecnn run``."""
    feeds, place = preparer(card.preprocess, backend.inputs)(probe.image)
    outputs = backend.run(feeds)
    try:
        prediction = to_source(decode(outputs, card), place)
    except EdgeCnnError:  # outputs that can't be decoded count as disagreement, not as a crash
        prediction = None
    return ModelOutput(outputs, prediction)


def _rows(evidence: Evidence, outputs: Sequence[ModelOutput], tolerance: Tolerance) -> list[ParityRow]:
    triples = zip(evidence.probes, evidence.outputs, outputs, strict=True)
    groups = itertools.groupby(triples, key=lambda triple: triple[0].kind)
    return [_row(kind, list(group), evidence, tolerance) for kind, group in groups]


def tensor_rows(evidence: Evidence, outputs: Sequence[ModelOutput]) -> list[ParityRow]:
    """The rows without a judgement: errors of tensors by kind of input."""
    triples = list(zip(evidence.probes, evidence.outputs, outputs, strict=True))
    kinds = dict.fromkeys(probe.kind for probe in evidence.probes)
    return [ParityRow(kind, len(triples), _errors([one for one in triples if one[0].kind == kind], evidence)) for kind in kinds]


def _errors(group: list[_Triple], evidence: Evidence) -> dict[str, TensorError]:
    real = group[0][0].kind in REAL_KINDS
    if evidence.reference.final is not None:
        group = [
            (probe, expected, ModelOutput(comparable(evidence, expected, got), got.prediction)) for probe, expected, got in group
        ]
    return {part.name: _error(part, group, evidence.spreads[part.name], real=real) for part in evidence.parts}


def comparable(evidence: Evidence, expected: ModelOutput, got: ModelOutput) -> Tensors:
    """The outputs of a file row by row like the expected ones. What has no partner counts as a missing box, not as an error."""
    card = evidence.reference.output_card
    if evidence.reference.final is None:
        return got.outputs
    ordered = in_order(got.outputs, card, decode(expected.outputs, card), None, PARTNER_IOU)
    return got.outputs if ordered is got.outputs else filled(ordered, expected.outputs)


def _row(kind: str, group: list[_Triple], evidence: Evidence, tolerance: Tolerance) -> ParityRow:
    real = kind in REAL_KINDS
    errors = _errors(group, evidence)
    found = [compared(expected, got, tolerance) for _, expected, got in group]
    # All white or noise is outside the ranges of int8, which come from photos; in float no rounding explains a gross error.
    is_exact = tolerance is not TOLERANCES["int8"]
    if any(got.prediction is None for _, _, got in group):
        errors = errors if real else dict.fromkeys(errors, UNUSABLE)
    limited = is_exact or (kind in EXTREME_SHAPES and not evidence.labelled)
    return judge_row(kind, errors, found, tolerance, real=real, limited=limited)


def compared(expected: ModelOutput, got: ModelOutput, tolerance: Tolerance) -> Agreement:
    """Agreement of two predictions; zero where the artifact's outputs could not be decoded."""
    if expected.prediction is None or got.prediction is None:
        return Agreement(int(expected.prediction is got.prediction), 1)
    return compare(expected.prediction, got.prediction, tolerance)


def _error(part: OutputPart, group: list[_Triple], spread: float, *, real: bool) -> TensorError:
    if any(part.output not in got.outputs for _, _, got in group):
        return UNUSABLE
    pairs = [(part.pick(output.outputs[part.output]), part.pick(got.outputs[part.output])) for _, output, got in group]
    if any(a.shape != b.shape for a, b in pairs):
        return UNUSABLE
    expected, got = (np.stack(side) for side in zip(*pairs, strict=True))
    place = place_error(expected, got, spread) if real and part.holds_scores and len(group) >= MANY else 0.0
    axis = part.axis % (expected.ndim - 1) + 1 if expected.ndim > 1 else None
    seen = [part.seen(output.outputs[part.output]) for _, output, _ in group]
    chosen = np.stack([one for one in seen if one is not None]) if seen[0] is not None else None
    if axis is not None and chosen is not None and chosen.any():
        expected, got = (np.moveaxis(side, axis, -1)[chosen] for side in (expected, got))
        axis = 1
    # A synthetic image may give values far outside the range of photos, which rounding errors follow.
    scale = spread if real else max(spread, value_range([expected]))
    return dataclasses.replace(tensor_error(expected, got, scale, axis), place=place)


def place_error(expected: Array, got: Array, spread: float) -> float:
    """The largest error of one place on average over the images, the first axis, as a share of ``spread``.

    The rounding of int8 differs from image to image; a score that is wrong in all of them is none.
    """
    return float(np.abs(np.mean(np.subtract(got, expected, dtype=np.float64), axis=0)).max(initial=0.0)) / (spread or 1.0)


def _plain(row: ParityRow) -> dict[str, Any]:
    record = {"input": row.kind, "n": row.n, "agree": row.agree, "score_difference": row.score, "ok": not row.violations}
    return record | {"outputs": {name: asdict(error) for name, error in row.errors.items()}}
