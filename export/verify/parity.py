"""Parity: what the file on disk gives, against what PyTorch gives, for the same source images."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.export.verify.probes import JUDGED, USUAL, Probe
from edgecnn.export.verify.reference import Answer, Evidence, in_source
from edgecnn.parity import TOLERANCES, Agreement, Row, TensorError, Tolerance, compare, judge, number_complaints, tensor_error
from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor
from edgecnn.runtime.backends import Backend, open_backend


@dataclass(frozen=True, slots=True, eq=False)
class Parity:
    """The table of one artifact, and the answers it gave."""

    precision: str
    rows: tuple[Row, ...]
    answers: Sequence[Answer]
    source: str

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is out of tolerance, one text for each."""
        return tuple(f"{row.kind}: {complaint}" for row in self.rows for complaint in row.complaints)

    @property
    def passed(self) -> bool:
        """Whether everything is within tolerance."""
        return not self.complaints

    @property
    def tensors_agree(self) -> bool:
        """Whether the numbers are within tolerance, whatever the decoder makes of them."""
        tolerance = TOLERANCES[self.precision]
        return not any(number_complaints(row, tolerance, usual=row.kind in USUAL, real=row.kind in JUDGED) for row in self.rows)

    def record(self) -> dict[str, Any]:
        """Plain values for the card and for JSON."""
        tolerance = {key: value for key, value in asdict(TOLERANCES[self.precision]).items() if value is not None}
        return {
            "passed": self.passed,
            "real_inputs": self.source,
            "tolerance": tolerance,
            "rows": [_plain(row) for row in self.rows],
        }


def verify(path: Path, evidence: Evidence) -> Parity:
    """Run the file at ``path`` by its own card through its own backend on all probes, and compare with PyTorch."""
    backend = open_backend(path)
    try:
        card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path))
        answers = [ask(backend, card, probe) for probe in evidence.probes]
    finally:
        backend.close()
    rows = tuple(_rows(evidence, answers, TOLERANCES[card.precision]))
    return Parity(card.precision, rows, answers, evidence.source)


def ask(backend: Backend, card: ModelCard, probe: Probe) -> Answer:
    """The artifact's answer for one probe, on the path that ``edgecnn run`` takes."""
    feeds, place = Preprocessor(card.preprocess, backend.inputs[0])(probe.image)
    outputs = backend.run(feeds)
    try:
        prediction = in_source(decode(outputs, card), place)
    except EdgeCnnError:  # a decoder that can't read these outputs is a finding, not the end
        prediction = None
    return Answer(outputs, prediction)


def _rows(evidence: Evidence, answers: Sequence[Answer], tolerance: Tolerance) -> list[Row]:
    triples = zip(evidence.probes, evidence.answers, answers, strict=True)
    groups = itertools.groupby(triples, key=lambda triple: triple[0].kind)
    return [_row(kind, list(group), evidence.spreads, tolerance) for kind, group in groups]


def _row(kind: str, group: list[tuple[Probe, Answer, Answer]], spreads: Mapping[str, float], tolerance: Tolerance) -> Row:
    errors = {name: _error(name, group, spread) for name, spread in spreads.items()}
    found = [compared(expected, got, tolerance) for _, expected, got in group]
    return judge(kind, errors, found, tolerance, usual=kind in USUAL, real=kind in JUDGED)


def compared(expected: Answer, got: Answer, tolerance: Tolerance) -> Agreement:
    """Agreement of two predictions; none where the artifact's outputs could not be decoded."""
    if expected.prediction is None or got.prediction is None:
        return Agreement(int(expected.prediction is got.prediction), 1)
    return compare(expected.prediction, got.prediction, tolerance)


def _error(name: str, group: list[tuple[Probe, Answer, Answer]], spread: float) -> TensorError:
    if any(name not in got.outputs for _, _, got in group):
        return TensorError(float("inf"), float("inf"), 0.0)
    expected = np.stack([answer.outputs[name] for _, answer, _ in group])
    got = np.stack([answer.outputs[name] for _, _, answer in group])
    return tensor_error(expected, got, spread)


def _plain(row: Row) -> dict[str, Any]:
    record = {"input": row.kind, "n": row.n, "agree": row.agree, "score_difference": row.score, "ok": not row.complaints}
    return record | {"outputs": {name: asdict(error) for name, error in row.errors.items()}}
