"""Runs one export: a model in several formats and precisions; the converted graphs and PyTorch's reference outputs are shared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgecnn.card import ACCEPTED, ModelCard, Precision
from edgecnn.data import held_out_split, open_dataset
from edgecnn.data.for_task import for_task
from edgecnn.data.problems import check_strict
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.export import deployed, weights_record
from edgecnn.export.budget.auto import quickest
from edgecnn.export.budget.shared import SharedSensitivities
from edgecnn.export.budget.within import BudgetJob, OverBudgetError, export_within
from edgecnn.export.config import AUTO, ExportConfig, check_overwrite, check_targets, file_name
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
from edgecnn.export.jobs import Outcome, run_targets
from edgecnn.export.publish import publish, staging_folder
from edgecnn.export.source import load_model
from edgecnn.export.steps import Note
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.reference import Evidence
from edgecnn.metrics.score import points
from edgecnn.parity import table
from edgecnn.tasks import find

Report = Callable[[str], None]
NMS_LINE = "decoder and NMS are in the graph: the files give final boxes\n"


def _ignore(text: str) -> None:
    """Discard the text."""


def run_exports(config: ExportConfig, report: Report = _ignore, warn: Report = _ignore) -> list[Artifact]:
    """Export the model to every format and precision of ``config``; what `edgecnn export` does, from Python.

    ``report`` gets a description of the model and the parity table of each finished file, ``warn`` gets warnings. A file that is out
    of tolerance is not kept; it does not stop the export of the others, nor does one that can't be converted or crashes an engine.
    Raises ``InputError``, ``ArtifactError`` or ``MissingExtraError`` before any file is written, and at the end the error of a file that
    failed, or ``FailedExportsError`` for several.
    """
    model, card = load_model(config.model, config.model_options)
    report(describe(card) + (NMS_LINE if config.graph.nms else ""))
    return export_all(config, model, card, report, warn)


def export_all(
    config: ExportConfig, model: nn.Module, card: ModelCard, report: Report = _ignore, warn: Report = _ignore
) -> list[Artifact]:
    """``run_exports`` for a model that is loaded already; ``card`` is the checkpoint's."""
    if card.preprocess.tensors and config.max_drop is not None:
        raise InputError("--max-drop needs one image as the input of the model", "leave it out for a model of tensors")
    check_targets(config.formats, config.tried, calibrated=config.calibration is not None or has_trained_ranges(model))
    name = config.name or card.name
    files = [file_name(name, format, precision) for format in config.formats for precision in config.tried]
    check_overwrite(config.out, files, force=config.force)
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
    if config.max_drop is not None and "int8" in config.tried and has_trained_ranges(model):
        warn("warning: --max-drop leaves no layer in float: this network was trained for int8 and keeps its own ranges")
    sources = {
        kind: _source(config, model, card, selection, kind) for kind in {_kind(model, precision) for precision in config.tried}
    }
    done: dict[tuple[str, str], Artifact] = {}
    failed: dict[str, EdgeCnnError] = {}

    def finish(target: tuple[str, str], outcome: Outcome) -> None:
        if isinstance(outcome, Artifact):
            done[target] = outcome
            report(_summary(outcome, card))
            return
        file = file_name(name, *target)
        failed[file] = outcome
        report(_failure(file, outcome, card))

    with staging_folder(config.out) as draft:
        run_targets(
            config.targets,
            lambda target, note: _export_one(
                _FileJob(
                    config,
                    name,
                    lambda precision: sources[_kind(model, precision)],
                    selection,
                    draft,
                    note,
                    warn,
                    SharedSensitivities(draft),
                ),
                target,
            ),
            finish,
        )
    if failed:
        raise in_one(failed, len(config.targets))
    return [done[target] for target in config.targets]


class FailedExportsError(EdgeCnnError):
    """Several files were not exported, for different reasons; ``errors`` holds them by file name."""

    def __init__(self, errors: Mapping[str, EdgeCnnError], count: int) -> None:
        self.errors = errors
        reasons = ", ".join(f"{file} ({error.problem})" for file, error in errors.items())
        fixes = {error.fix for error in errors.values()}
        fix = fixes.pop() if len(fixes) == 1 else "what helps is written above, below each of them"
        super().__init__(f"{len(errors)} of {count} files were not exported: {reasons}", fix)
        if all(error.exit_code == 1 for error in errors.values()):
            self.exit_code = 1


def in_one(failed: Mapping[str, EdgeCnnError], count: int) -> EdgeCnnError:
    """The error that ends an export of ``count`` files: that of the files that failed if it is the same, else all of them."""
    texts = {str(error) for error in failed.values()}
    return next(iter(failed.values())) if len(texts) == 1 else FailedExportsError(failed, count)


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
    accuracy = _accuracy(config, prepared)
    evidence = evidence_of(prepared, selection.real, selection.source)
    labelled = accuracy is not None and config.max_drop is not None
    return _ModelSource(prepared, dataclasses.replace(evidence, labelled=labelled), accuracy)


@dataclass(frozen=True, slots=True)
class _FileJob:
    """What one file of an export is made from; ``source_of`` gives the model by precision, ``progress`` gets lines during a search."""

    config: ExportConfig
    name: str
    source_of: Callable[[str], _ModelSource]
    selection: ImageSelection
    draft: Path | None
    note: Note
    progress: Report
    shared: SharedSensitivities | None = None


def _export_one(job: _FileJob, target: tuple[str, str]) -> Artifact:
    format, precision = target
    if precision == AUTO:
        return _export_quickest(job, format)
    config, source, calibration = job.config, job.source_of(precision), job.selection.calibration
    source.prepared.note = job.note
    if precision == "int8" and config.max_drop is not None and calibration and not has_trained_ranges(source.prepared):
        return export_within(
            BudgetJob(
                prepared=source.prepared,
                format=format,
                points=config.max_drop,
                calibration=calibration,
                evidence=source.evidence,
                accuracy=source.accuracy,
                out=config.out,
                name=job.name,
                force=config.force,
                draft=job.draft,
                shared=job.shared,
            ),
            job.progress,
        )
    return export(
        source.prepared,
        source.prepared.reference.card,
        config.out,
        format=format,
        precision=precision,  # type: ignore[arg-type]
        calibration=calibration,
        verify_with=source.evidence,
        accuracy=source.accuracy,
        name=job.name,
        force=config.force,
        draft=job.draft,
        accept=config.accept,
    )


def _export_quickest(job: _FileJob, format: str) -> Artifact:
    """All precisions into a staging folder, then the quickest of those that pass into the output folder."""
    made: dict[str, Artifact] = {}
    failed: dict[str, EdgeCnnError] = {}
    out = job.config.out
    with staging_folder(out, job.draft) as folder:
        inner = dataclasses.replace(job, config=dataclasses.replace(job.config, out=folder), draft=None)
        for precision in job.config.tried:
            try:
                made[precision] = _export_one(inner, (format, precision))
            except EdgeCnnError as error:
                failed[precision] = error
        if not made:
            raise in_one({file_name(job.name, format, precision): error for precision, error in failed.items()}, len(failed))
        best, times = quickest({precision: artifact.path for precision, artifact in made.items()})
        kept = made[best]
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name.startswith(kept.path.stem))
        publish(folder, out, names)
    lines = [f"{format} {precision} is not among them: {error.problem}" for precision, error in failed.items()]
    notes = "\n".join(filter(None, [kept.notes, f"{format}, the quickest of those that pass:\n{times}", *lines]))
    return dataclasses.replace(kept, path=out / kept.path.name, notes=f"{notes}\n")


def _accuracy(config: ExportConfig, prepared: PreparedModel) -> Accuracy | None:
    if config.evaluate is None:
        return None
    find(prepared.reference.card.task).check_measure()
    split = None if config.evaluate.startswith(SCENE) else held_out_split(config.evaluate)
    dataset = open_dataset(config.evaluate, split=split, limit=config.evaluate_limit, task=prepared.card.task)
    if config.strict:
        check_strict(dataset)
    allowed = None if config.max_drop is None else config.max_drop / 100
    accuracy = Accuracy(prepared.reference, for_task(dataset, prepared.card), allowed)
    _ = accuracy.pytorch  # measured once, here, before the formats part
    return accuracy


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


def _failure(file: str, error: EdgeCnnError, card: ModelCard) -> str:
    if isinstance(error, OutOfToleranceError):
        return f"{file}: OUT OF TOLERANCE, not kept\n{table(error.parity.rows, find(card.task).compared)}\nprobable cause: {error.cause}\n"
    if isinstance(error, OverBudgetError):
        return f"{error.notes}\n{file}: OVER THE BUDGET\n{error.problem}\n{error.fix}\n"
    return f"{file}: NOT EXPORTED\n{error.problem}\n{error.fix}\n"


def _summary(artifact: Artifact, card: ModelCard) -> str:
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
