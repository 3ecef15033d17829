"""Re-runs the goldens inside an artifact on this device: is the file intact, and does the engine compute it correctly?"""

from __future__ import annotations

from pathlib import Path

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError
from edgecnn.golden import GOLDENS_KEY, Golden
from edgecnn.golden import decode as decode_goldens
from edgecnn.parity import TOLERANCES, Agreement, ParityRow, TensorError, compare, judge_row, tensor_error
from edgecnn.postprocess import decode
from edgecnn.preprocess import geometry, to_tensor
from edgecnn.runtime.backends import Backend, Device, open_backend
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.types import Detections, Tensors


def selftest(backend: Backend, card: ModelCard, path: Path) -> list[ParityRow]:
    """One row per golden of the file at ``path``; raises ``ArtifactError`` where it holds none."""
    text = backend.metadata.get(GOLDENS_KEY)
    if text is None:
        raise ArtifactError(f"{path} holds no goldens", "export it with edgecnn, which adds them")
    return [try_golden(golden, backend, card) for golden in decode_goldens(text, str(path))]


def selftest_file(path: Path, device: Device = "cpu", *, threads: int | None = None) -> tuple[ModelCard, list[ParityRow]]:
    """Load a model file and run ``selftest``; gives its card and the rows. Raises what loading and ``selftest`` raise."""
    backend = open_backend(path, device, threads=threads)
    try:
        card = card_for(backend, path, CardOptions())
        return card, selftest(backend, card, path)
    finally:
        backend.close()


def try_golden(golden: Golden, backend: Backend, card: ModelCard) -> ParityRow:
    """Run one golden: errors against what PyTorch gave, judged by the precision's tolerance and the golden's tolerance factor."""
    tolerance = TOLERANCES[card.precision].loosened(golden.tolerance_factor)
    spec = backend.inputs[0]
    outputs = backend.run({spec.name: to_tensor(golden.image, card.preprocess, spec)})
    errors = {name: _error(golden, name, outputs) for name in golden.outputs}
    return judge_row(golden.kind, errors, [_agreement(golden, outputs, card)], tolerance)


def _error(golden: Golden, name: str, outputs: Tensors) -> TensorError:
    kept = golden.outputs[name]
    if name not in outputs:
        return TensorError(float("inf"), float("inf"), 0.0)
    return tensor_error(kept.values, kept.pick(outputs[name]), kept.spread)


def _agreement(golden: Golden, outputs: Tensors, card: ModelCard) -> Agreement:
    if golden.prediction is None:
        return Agreement(0, 0)
    try:
        found = decode(outputs, card)
    except EdgeCnnError:
        return Agreement(0, 1)
    if isinstance(found, Detections):
        height, width = golden.image.shape[:2]
        found = geometry(card.preprocess, width, height).to_source(found)
    return compare(golden.prediction, found, TOLERANCES[card.precision])
