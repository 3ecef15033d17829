"""One command's worth of exports: a model in several formats and precisions, its conversions and evidence shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgecnn.card import ModelCard, Precision
from edgecnn.data import held_out_split, open_dataset
from edgecnn.export.config import check_free, file_name
from edgecnn.export.exporter import Artifact, OutOfToleranceError, Prepared, evidence_of, export, is_trained, prepare
from edgecnn.export.image_selection import SCENE, Pictures, pick
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.reference import Evidence
from edgecnn.parity import table

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
    if not pictures.real:
        warn("warning: no real images to verify with, blurred noise stands in: name some with --verify-data")
    if order.calibration is not None and is_trained(model):
        warn("warning: this network was trained for int8 and brings its ranges: --calibration sets none")
    sources = {kind: _source(order, model, card, pictures, kind) for kind in {_kind(model, target[1]) for target in targets}}
    done, failed = [], []
    for target in targets:
        try:
            done.append(_one(order, name, target, sources[_kind(model, target[1])], pictures))
            say(_told(done[-1], card))
        except OutOfToleranceError as error:
            failed.append(error)
            say(
                f"{error.name}: OUT OF TOLERANCE, not kept\n{table(error.parity.rows, card.task)}\nprobable cause: {error.cause}\n"
            )
    if failed:
        raise failed[0]
    return done


@dataclass(frozen=True, slots=True)
class _Source:
    """What several files are made of and compared with."""

    prepared: Prepared
    evidence: Evidence
    accuracy: Accuracy | None


def _kind(model: nn.Module, precision: str) -> Precision:
    """int8 where a network trained for it makes its own int8 files, which are compared with its rounding; else one for all."""
    return "int8" if is_trained(model) and precision == "int8" else "fp32"


def _source(order: Order, model: nn.Module, card: ModelCard, pictures: Pictures, kind: Precision) -> _Source:
    prepared = prepare(model, card, kind)
    return _Source(prepared, evidence_of(prepared, pictures.real, pictures.source), _accuracy(order, prepared))


def _one(order: Order, name: str, target: tuple[str, str], source: _Source, pictures: Pictures) -> Artifact:
    format, precision = target
    return export(
        source.prepared,
        source.prepared.reference.card,
        order.out,
        format=format,
        precision=precision,  # type: ignore[arg-type]
        calibration=pictures.calibration,
        verify_with=source.evidence,
        accuracy=source.accuracy,
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
