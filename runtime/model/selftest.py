"""Runs the goldens inside an artifact on this device, to check the file and the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError
from edgecnn.golden import GOLDENS_KEY, Golden
from edgecnn.golden import decode as decode_goldens
from edgecnn.parity import TOLERANCES, Agreement, ParityRow, TensorError, compare, judge_row, tensor_error
from edgecnn.postprocess import decode
from edgecnn.preprocess import geometry, to_tensor
from edgecnn.runtime.backends import Backend, Device
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.types import Detections, Tensors


def selftest(backend: Backend, card: ModelCard, path: Path) -> list[ParityRow]:
    """Run all goldens of the file at ``path``; return one row each. Raises ``ArtifactError`` if it holds none."""
    text = backend.metadata.get(GOLDENS_KEY)
    if text is None:
        raise ArtifactError(f"{path} holds no goldens", "export it with edgecnn, which adds them")
    goldens = decode_goldens(text, str(path))
    _check_fit(goldens, card, path)
    return [try_golden(golden, backend, card) for golden in goldens]


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


def selftest_file(path: Path, device: Device = "cpu", *, threads: int | None = None) -> tuple[ModelCard, list[ParityRow]]:
    """Load a model file and run ``selftest``; return its card and the rows. Raises the errors of loading and ``selftest``."""
    backend = open_checked(path, device, threads=threads)
    try:
        card = card_for(backend, path, CardOptions())
        return card, selftest(backend, card, path)
    finally:
        backend.close()


def try_golden(golden: Golden, backend: Backend, card: ModelCard) -> ParityRow:
    """Run one golden and compare the outputs with those of PyTorch, within the tolerances of precision and golden."""
    tolerance = TOLERANCES[card.precision].loosened(golden.tolerance_factor)
    spec = backend.inputs[0]
    outputs = backend.run({spec.name: to_tensor(golden.image, card.preprocess, spec)})
    errors = {name: _error(golden, name, outputs) for name in golden.outputs}
    return judge_row(golden.kind, errors, [_agreement(golden, outputs, card)], tolerance)


def _error(golden: Golden, name: str, outputs: Tensors) -> TensorError:
    kept = golden.outputs[name]
    if name not in outputs:
        # A missing output fails the comparison instead of raising, so that the report shows the other outputs, too.
        return TensorError(float("inf"), float("inf"), 0.0)
    return tensor_error(kept.values, kept.pick(outputs[name]), kept.spread)


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
    if isinstance(found, Detections):
        height, width = golden.image.shape[:2]
        found = geometry(card.preprocess, width, height).to_source(found)
    return compare(golden.prediction, found, TOLERANCES[card.precision])
