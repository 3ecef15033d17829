"""Runs the goldens inside an artifact on this device, to check the file and the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import ArtifactError, EdgeCnnError
from edgecnn.golden import GOLDENS_KEY, Golden
from edgecnn.golden import decode as decode_goldens
from edgecnn.integrity.digest import Digests, check_digests
from edgecnn.parity import TOLERANCES, UNUSABLE, Agreement, ParityRow, TensorError, judge_row, tensor_error
from edgecnn.postprocess import decode
from edgecnn.preprocess import geometry, to_tensor
from edgecnn.runtime.backends import Backend, file_format
from edgecnn.runtime.backends.engines import engine_for, own_format
from edgecnn.runtime.backends.one_image import one_image
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.engine_record import ENGINE_KEY, EngineComparison, conditions
from edgecnn.runtime.model.engine_record import compare as compare_engine
from edgecnn.runtime.model.output_checks import output_warnings
from edgecnn.tasks import compare, in_order, to_source
from edgecnn.tensor_pack import unpack
from edgecnn.types import Tensors

SCHEMA, VERSION = "edgecnn.selftest", 2  # version 1 was a list of the rows


@dataclass(frozen=True, slots=True)
class SelftestResult:
    """One row for each golden; the comparison with the outputs of the verifying engine (int8 only), and the digests of the file.

    ``digests`` is None for a file that was exported before there were any. ``warnings`` say why the results can't be right although
    they are those of the goldens, which another tool's file has made itself.
    """

    rows: list[ParityRow]
    engine: EngineComparison | None
    digests: Digests | None
    warnings: tuple[str, ...] = ()

    @property
    def violations(self) -> list[str]:
        """Everything out of tolerance, with the kind of its input."""
        found = [f"{row.kind}: {violation}" for row in self.rows for violation in row.violations]
        return found + ([self.engine.violation] if self.engine is not None and self.engine.violation else [])

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn selftest --json`."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "graph_sha256": None if self.digests is None else self.digests.graph,
            "rows": [asdict(row) for row in self.rows],
            "engine": None if self.engine is None else asdict(self.engine),
            "warnings": list(self.warnings),
        }


def selftest(backend: Backend, card: ModelCard, path: Path, device: Device = CPU, *, engine: str | None = None) -> SelftestResult:
    """Check the digests of the file at ``path`` and run all its goldens; ``engine`` is that of ``backend``, see ``open_backend``.

    Raises ``ArtifactError`` if the file has changed since its export, or holds no goldens.
    """
    text = backend.metadata.get(GOLDENS_KEY)
    if text is None:
        raise ArtifactError(f"{path} holds no goldens", "export it with edgecnn, which adds them")
    digests = check_digests(path)
    goldens = decode_goldens(text, str(path))
    _check_fit(goldens, card, path)
    outputs = [run_golden(golden, backend, card) for golden in goldens]
    rows = [judge_golden(golden, found, card) for golden, found in zip(goldens, outputs, strict=True)]
    record = backend.metadata.get(ENGINE_KEY)
    ordered = [comparable_outputs(golden, found, card) for golden, found in zip(goldens, outputs, strict=True)]
    here = conditions(own_format(engine_for(path, file_format(path), engine, device).name), str(device))
    compared = None if record is None else compare_engine(record, ordered, here, str(path))
    return SelftestResult(rows, compared, digests, output_warnings(backend, card, path))


def _check_fit(goldens: Sequence[Golden], card: ModelCard, path: Path) -> None:
    """Raise ``ArtifactError`` where the goldens belong to another card."""
    problem = ""
    if card.precision not in TOLERANCES:
        problem = "its card is missing, so their tolerance is not known"
    elif not goldens or not all(golden.outputs for golden in goldens):
        problem = "they hold no outputs"
    elif any(golden.image.shape != (*card.preprocess.size, card.preprocess.channels) for golden in goldens):
        problem = "their images do not have the size and channels of its card"
    if problem:
        raise ArtifactError(f"the goldens in {path} can't be used: {problem}", "export the model again")


def selftest_file(
    path: Path, device: Device = CPU, *, threads: int | None = None, engine: str | None = None
) -> tuple[ModelCard, SelftestResult]:
    """Load a model file and run ``selftest``; return its card and the result. Raises the errors of loading and ``selftest``."""
    backend = open_checked(path, device, threads=threads, engine=engine)
    try:
        card = card_for(backend, path, CardOptions())
        if GOLDENS_KEY not in backend.metadata:
            # Without goldens, what is wrong in itself can still be told.
            for warning in output_warnings(backend, card, path, probe=True):
                problem, _, fix = warning.rpartition("; ")
                raise ArtifactError(problem, fix)
        return card, selftest(backend, card, path, device, engine=engine)
    finally:
        backend.close()


def run_golden(golden: Golden, backend: Backend, card: ModelCard) -> Tensors:
    """The outputs for the input of a golden."""
    backend = one_image(backend)
    if card.preprocess.tensors:
        return backend.run(unpack(golden.image, card.preprocess.tensors))
    spec = backend.inputs[0]
    return backend.run({spec.name: to_tensor(golden.image, card.preprocess, spec)})


def outputs_in_order(golden: Golden, outputs: Tensors, card: ModelCard) -> Tensors:
    """The outputs with rows in the order of the golden's prediction, where they have no fixed order; NaN where a box is missing."""
    height, width = golden.image.shape[:2]
    return in_order(outputs, card, golden.prediction, geometry(card.preprocess, width, height), TOLERANCES[card.precision].iou)


def comparable_outputs(golden: Golden, outputs: Tensors, card: ModelCard) -> Tensors:
    """The outputs for the comparison of two engines: rows in the order of the golden's prediction, zero where a box is missing."""
    ordered = outputs_in_order(golden, outputs, card)
    return outputs if ordered is outputs else {name: np.nan_to_num(array) for name, array in ordered.items()}


def judge_golden(golden: Golden, outputs: Tensors, card: ModelCard) -> ParityRow:
    """Compare the outputs for a golden with those of PyTorch, within the tolerances of precision and golden."""
    tolerance = TOLERANCES[card.precision].loosened(golden.tolerance_factor)
    ordered = outputs_in_order(golden, outputs, card)
    errors = {name: _error(golden, name, ordered, is_ordered=ordered is not outputs) for name in golden.outputs}
    return judge_row(golden.kind, errors, [_agreement(golden, outputs, card)], tolerance)


def _error(golden: Golden, name: str, outputs: Tensors, *, is_ordered: bool) -> TensorError:
    kept = golden.outputs[name]
    if name not in outputs:
        # A missing output fails the comparison instead of raising, so that the report shows the other outputs, too.
        return UNUSABLE
    found = kept.pick(outputs[name])
    if is_ordered:  # a missing box counts in the agreement of predictions
        found = np.where(np.isnan(found), kept.values, found)
    return tensor_error(kept.values, found, kept.spread)


def _agreement(golden: Golden, outputs: Tensors, card: ModelCard) -> Agreement:
    if golden.prediction is None:
        return Agreement(0, 0)
    try:
        found = decode(outputs, card)
    # Outputs that can't be decoded count as one prediction that does not agree.
    except EdgeCnnError:
        return Agreement(0, 1)
    if type(found) is not type(golden.prediction):
        return Agreement(0, 1)
    height, width = golden.image.shape[:2]
    found = to_source(found, geometry(card.preprocess, width, height))
    return compare(golden.prediction, found, TOLERANCES[card.precision])
