"""What an export says: of the model before it starts, of each file that was made, and of each that was not."""

from __future__ import annotations

from edgecnn.card import ACCEPTED, ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.export import deployed, weights_record
from edgecnn.export.artifact import Artifact
from edgecnn.export.budget.within import OverBudgetError
from edgecnn.export.failures import OutOfToleranceError
from edgecnn.metrics.score import points
from edgecnn.parity import table
from edgecnn.tasks import find


def _labels(card: ModelCard) -> str:
    return f"{len(card.labels)} classes, " if card.labels else ""


def describe(card: ModelCard) -> str:
    """Input, preprocessing, decoder and origin of the weights: what to check first when an exported file is wrong."""
    pre = card.preprocess
    if pre.tensors:
        inputs = ", ".join(f"{spec.name} {'x'.join(map(str, spec.shape))}" for spec in pre.tensors)
        return f"{card.name}: {card.task}, inputs {inputs}\n{weights_record.line(card)}"
    size, scale = "x".join(map(str, pre.size)), f"(pixel - {_numbers(pre.mean)}) / {_numbers(pre.std)}"
    image = f"input {size} {pre.color}, {pre.resize}, {scale}"
    first = f"{card.name}: {card.task}, {_labels(card)}{image}, decoder {card.decode.name}"
    return f"{first}\n{weights_record.line(card)}{deployed.line(card)}"


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def failure_text(file: str, error: EdgeCnnError, card: ModelCard) -> str:
    """Why ``file`` was not exported, with the parity table of a file out of tolerance."""
    if isinstance(error, OutOfToleranceError):
        return f"{file}: OUT OF TOLERANCE, not kept\n{table(error.parity.rows, find(card.task).compared)}\nprobable cause: {error.cause}\n"
    if isinstance(error, OverBudgetError):
        return f"{error.notes}\n{file}: OVER THE BUDGET\n{error.problem}\n{error.fix}\n"
    return f"{file}: NOT EXPORTED\n{error.problem}\n{error.fix}\n"


def artifact_text(artifact: Artifact, card: ModelCard) -> str:
    """Path, size, accuracy and parity table of a finished file."""
    size = artifact.bytes / 1e6
    notes = f"{artifact.notes}\n" if artifact.notes else ""
    head = f"{notes}{artifact.path}  {size:.2f} MB, verified in {artifact.seconds:.1f} s"
    accuracy = artifact.card.parity.get("accuracy")
    if accuracy:
        pytorch, mine = (points(accuracy["metric"], accuracy[side]) for side in ("pytorch", "artifact"))
        head += f", {accuracy['metric']} {mine:.2f} (PyTorch {pytorch:.2f}, {accuracy['n']:,} images)"
    if ACCEPTED in artifact.card.parity:
        head += "\nOUT OF TOLERANCE, kept because of --accept"
    return f"{head}\n{table(artifact.parity.rows, find(card.task).compared)}\n"
