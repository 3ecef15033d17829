"""Parity: outputs of the file on disk compared with PyTorch's on the same source images."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.export.verify.probes import IN_RANGE_KINDS, REAL_KINDS, Probe
from edgecnn.export.verify.reference import Evidence, ModelOutput
from edgecnn.parity import (
    TOLERANCES,
    Agreement,
    ParityRow,
    TensorError,
    Tolerance,
    judge_row,
    tensor_error,
    tensor_violations,
)
from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.runtime.backends.one_image import one_image
from edgecnn.tasks import compare, to_source


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
        return not any(
            tensor_violations(row, tolerance, usual=row.kind in IN_RANGE_KINDS, real=row.kind in REAL_KINDS) for row in self.rows
        )

    def record(self) -> dict[str, Any]:
        """Plain values for the card and for JSON."""
        tolerance = {key: value for key, value in asdict(TOLERANCES[self.precision]).items() if value is not None}
        return {
            "passed": self.passed,
            "real_inputs": self.source,
            "tolerance": tolerance,
            "rows": [_plain(row) for row in self.rows],
        }


def verify(path: Path, evidence: Evidence) -> tuple[Parity, list[ModelOutput]]:
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
    rows = tuple(_rows(evidence, outputs, TOLERANCES[card.precision]))
    return Parity(card.precision, rows, evidence.source), outputs


def run_artifact(backend: Backend, card: ModelCard, probe: Probe) -> ModelOutput:
    """The artifact's output for one image, by the same code path as ``edgecnn run``."""
    feeds, place = Preprocessor(card.preprocess, backend.inputs[0])(probe.image)
    outputs = backend.run(feeds)
    try:
        prediction = to_source(decode(outputs, card), place)
    except EdgeCnnError:  # outputs that can't be decoded count as disagreement, not as a crash
        prediction = None
    return ModelOutput(outputs, prediction)


def _rows(evidence: Evidence, outputs: Sequence[ModelOutput], tolerance: Tolerance) -> list[ParityRow]:
    triples = zip(evidence.probes, evidence.outputs, outputs, strict=True)
    groups = itertools.groupby(triples, key=lambda triple: triple[0].kind)
    return [_row(kind, list(group), evidence.spreads, tolerance) for kind, group in groups]


def _row(
    kind: str, group: list[tuple[Probe, ModelOutput, ModelOutput]], spreads: Mapping[str, float], tolerance: Tolerance
) -> ParityRow:
    errors = {name: _error(name, group, spread) for name, spread in spreads.items()}
    found = [compared(expected, got, tolerance) for _, expected, got in group]
    return judge_row(kind, errors, found, tolerance, usual=kind in IN_RANGE_KINDS, real=kind in REAL_KINDS)


def compared(expected: ModelOutput, got: ModelOutput, tolerance: Tolerance) -> Agreement:
    """Agreement of two predictions; zero where the artifact's outputs could not be decoded."""
    if expected.prediction is None or got.prediction is None:
        return Agreement(int(expected.prediction is got.prediction), 1)
    return compare(expected.prediction, got.prediction, tolerance)


def _error(name: str, group: list[tuple[Probe, ModelOutput, ModelOutput]], spread: float) -> TensorError:
    if any(name not in got.outputs for _, _, got in group):
        return TensorError(float("inf"), float("inf"), 0.0)
    expected = np.stack([output.outputs[name] for _, output, _ in group])
    got = np.stack([output.outputs[name] for _, _, output in group])
    return tensor_error(expected, got, spread)


def _plain(row: ParityRow) -> dict[str, Any]:
    record = {"input": row.kind, "n": row.n, "agree": row.agree, "score_difference": row.score, "ok": not row.violations}
    return record | {"outputs": {name: asdict(error) for name, error in row.errors.items()}}
