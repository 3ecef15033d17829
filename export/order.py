"""One command's worth of exports: a model in several formats and precisions, its conversions and evidence shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgecnn.agreement import table
from edgecnn.card import ModelCard
from edgecnn.data import held_out_split, open_dataset
from edgecnn.export.accuracy import Accuracy
from edgecnn.export.exporter import Artifact, OutOfToleranceError, Prepared, evidence_of, export, prepare
from edgecnn.export.pictures import SCENE, Pictures, pick
from edgecnn.export.reference import Evidence
from edgecnn.export.request import check_free, file_name

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to export and what to prove it with; datasets are named as for ``open_dataset``."""

    formats: Sequence[str]
    precisions: Sequence[str]
    out: Path
    name: str | None = None
    force: bool = False
    calibration: str | None = None
    calibration_count: int = 128
    seed: int = 0
    force_calibration: bool = False
    strict: bool = False
    verify: str | None = None
    verify_count: int = 16
    evaluate: str | None = None
    evaluate_limit: int | None = None


def fulfil(order: Order, model: nn.Module, card: ModelCard, say: Say, warn: Say) -> list[Artifact]:
    """All artifacts of an order; each is told of with ``say`` as it is done, what a user should know besides with ``warn``.

    One out of tolerance does not keep the others from being made. Raises the first ``OutOfToleranceError`` at the end.
    """
    name = order.name or card.name
    targets = [(format, precision) for format in order.formats for precision in order.precisions]
    check_free(order.out, [file_name(name, *target) for target in targets], force=order.force)
    pictures = pick(
        card,
        order.calibration,
        order.calibration_count,
        order.seed,
        order.verify,
        order.verify_count,
        evaluate=order.evaluate,
        force=order.force_calibration,
        strict=order.strict,
    )
    prepared = prepare(model, card)
    evidence = evidence_of(prepared, pictures.real, pictures.source)
    if not pictures.real:
        warn("warning: no real images to verify with, blurred noise stands in: name some with --verify-data")
    accuracy = _accuracy(order, prepared)
    done, failed = [], []
    for target in targets:
        try:
            done.append(_one(order, name, target, prepared, pictures, evidence, accuracy))
            say(_told(done[-1], card))
        except OutOfToleranceError as error:
            failed.append(error)
            say(
                f"{error.name}: OUT OF TOLERANCE, not kept\n{table(error.parity.rows, card.task)}\nprobable cause: {error.cause}\n"
            )
    if failed:
        raise failed[0]
    return done


def _one(
    order: Order,
    name: str,
    target: tuple[str, str],
    prepared: Prepared,
    pictures: Pictures,
    evidence: Evidence,
    accuracy: Accuracy | None,
) -> Artifact:
    format, precision = target
    return export(
        prepared,
        prepared.reference.card,
        order.out,
        format=format,
        precision=precision,  # type: ignore[arg-type]
        calibration=pictures.calibration,
        verify_with=evidence,
        accuracy=accuracy,
        name=name,
        force=order.force,
    )


def _accuracy(order: Order, prepared: Prepared) -> Accuracy | None:
    if order.evaluate is None:
        return None
    split = None if order.evaluate.startswith(SCENE) else held_out_split(order.evaluate)
    return Accuracy(prepared.reference, open_dataset(order.evaluate, split=split, limit=order.evaluate_limit))


def _told(artifact: Artifact, card: ModelCard) -> str:
    size = artifact.bytes / 1e6
    head = f"{artifact.path}  {size:.2f} MB, verified in {artifact.seconds:.1f} s"
    accuracy = artifact.card.parity.get("accuracy")
    if accuracy:
        pytorch, mine = accuracy["pytorch"] * 100, accuracy["artifact"] * 100
        head += f", {accuracy['metric']} {mine:.2f} (PyTorch {pytorch:.2f}, {accuracy['n']:,} images)"
    return f"{head}\n{table(artifact.parity.rows, card.task)}\n"
