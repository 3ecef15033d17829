"""Runs one export: a model in several formats and precisions; the converted graphs and PyTorch's reference outputs are shared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from edgecnn.card import ModelCard, Precision
from edgecnn.data import held_out_split, open_dataset
from edgecnn.data.for_task import for_task
from edgecnn.data.problems import check_strict
from edgecnn.export import weights_record
from edgecnn.export.config import ExportConfig, check_overwrite, check_targets, file_name
from edgecnn.export.exporter import (
    Artifact,
    OutOfToleranceError,
    PreparedModel,
    evidence_of,
    export,
    has_trained_ranges,
    prepare,
)
from edgecnn.export.image_selection import SCENE, ImageSelection, select_images
from edgecnn.export.source import load_model
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.reference import Evidence
from edgecnn.parity import table
from edgecnn.tasks import find

Report = Callable[[str], None]


def _ignore(text: str) -> None:
    """Discard the text."""


def run_exports(config: ExportConfig, report: Report = _ignore, warn: Report = _ignore) -> list[Artifact]:
    """Export the model to every format and precision of ``config``; what `edgecnn export` does, from Python.

    ``report`` gets a description of the model and the parity table of each finished file, ``warn`` gets warnings. A file that is out
    of tolerance is not kept and does not stop the export of the others. Raises ``InputError``, ``ArtifactError`` or
    ``MissingExtraError`` before any file is written, and the first ``OutOfToleranceError`` at the end.
    """
    model, card = load_model(config.model, config.model_options)
    report(describe(card))
    return export_all(config, model, card, report, warn)


def export_all(
    config: ExportConfig, model: nn.Module, card: ModelCard, report: Report = _ignore, warn: Report = _ignore
) -> list[Artifact]:
    """``run_exports`` for a model that is loaded already; ``card`` is the checkpoint's."""
    check_targets(config.formats, config.precisions, calibrated=config.calibration is not None or has_trained_ranges(model))
    name = config.name or card.name
    check_overwrite(config.out, [file_name(name, *target) for target in config.targets], force=config.force)
    selection = select_images(
        card,
        config.calibration,
        config.calibration_count,
        config.seed,
        config.verify,
        config.verify_count,
        evaluate=config.evaluate,
        force=config.force_calibration,
        strict=config.strict,
    )
    if not selection.real:
        warn("warning: verified with blurred noise, because no real images were given; set --verify-data")
    if config.calibration is not None and has_trained_ranges(model):
        warn("warning: --calibration has no effect: this network was trained for int8 and keeps its own ranges")
    sources = {
        kind: _source(config, model, card, selection, kind) for kind in {_kind(model, target[1]) for target in config.targets}
    }
    done, failed = [], []
    for target in config.targets:
        try:
            done.append(_export_one(config, name, target, sources[_kind(model, target[1])], selection))
            report(_summary(done[-1], card))
        except OutOfToleranceError as error:
            failed.append(error)
            rows = table(error.parity.rows, find(card.task).compared)
            report(f"{error.name}: OUT OF TOLERANCE, not kept\n{rows}\nprobable cause: {error.cause}\n")
    if failed:
        raise failed[0]
    return done


@dataclass(frozen=True, slots=True)
class _ModelSource:
    """The prepared model, PyTorch's outputs and accuracy that several files share."""

    prepared: PreparedModel
    evidence: Evidence
    accuracy: Accuracy | None


def _kind(model: nn.Module, precision: str) -> Precision:
    """The precision of the PyTorch reference that a file is compared with.

    int8 files of a QAT network are compared with the network that rounds; all other files share the fp32 reference.
    """
    return "int8" if has_trained_ranges(model) and precision == "int8" else "fp32"


def _source(config: ExportConfig, model: nn.Module, card: ModelCard, selection: ImageSelection, kind: Precision) -> _ModelSource:
    prepared = prepare(model, card, kind, config.graph)
    return _ModelSource(prepared, evidence_of(prepared, selection.real, selection.source), _accuracy(config, prepared))


def _export_one(
    config: ExportConfig, name: str, target: tuple[str, str], source: _ModelSource, selection: ImageSelection
) -> Artifact:
    format, precision = target
    return export(
        source.prepared,
        source.prepared.reference.card,
        config.out,
        format=format,
        precision=precision,  # type: ignore[arg-type]
        calibration=selection.calibration,
        verify_with=source.evidence,
        accuracy=source.accuracy,
        name=name,
        force=config.force,
    )


def _accuracy(config: ExportConfig, prepared: PreparedModel) -> Accuracy | None:
    if config.evaluate is None:
        return None
    split = None if config.evaluate.startswith(SCENE) else held_out_split(config.evaluate)
    dataset = open_dataset(config.evaluate, split=split, limit=config.evaluate_limit)
    if config.strict:
        check_strict(dataset)
    return Accuracy(prepared.reference, for_task(dataset, prepared.card))


def describe(card: ModelCard) -> str:
    """Input, preprocessing, decoder and origin of the weights: what to check first when an exported file is wrong."""
    pre = card.preprocess
    size, scale = "x".join(map(str, pre.size)), f"(pixel - {_numbers(pre.mean)}) / {_numbers(pre.std)}"
    image = f"input {size} {pre.color}, {pre.resize}, {scale}"
    return (
        f"{card.name}: {card.task}, {len(card.labels)} classes, {image}, decoder {card.decode.name}\n{weights_record.line(card)}"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _summary(artifact: Artifact, card: ModelCard) -> str:
    size = artifact.bytes / 1e6
    head = f"{artifact.path}  {size:.2f} MB, verified in {artifact.seconds:.1f} s"
    accuracy = artifact.card.parity.get("accuracy")
    if accuracy:
        pytorch, mine = accuracy["pytorch"] * 100, accuracy["artifact"] * 100
        head += f", {accuracy['metric']} {mine:.2f} (PyTorch {pytorch:.2f}, {accuracy['n']:,} images)"
    return f"{head}\n{table(artifact.parity.rows, find(card.task).compared)}\n"
