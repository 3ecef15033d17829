"""One file of an export of several: from the model that they share to the artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgecnn.card import ModelCard, Precision
from edgecnn.data import Dataset, held_out_split, open_dataset
from edgecnn.data.for_task import for_task
from edgecnn.data.overlap import OverlapWatch
from edgecnn.data.problems import check_strict
from edgecnn.data.unseen_part import unseen_part
from edgecnn.errors import EdgeCnnError
from edgecnn.export.artifact import Artifact
from edgecnn.export.budget.auto import quickest
from edgecnn.export.budget.shared import SharedSensitivities
from edgecnn.export.budget.within import BudgetJob, export_within
from edgecnn.export.config import AUTO, ExportConfig, file_name
from edgecnn.export.exporter import evidence_of, export
from edgecnn.export.failures import in_one
from edgecnn.export.image_selection import SCENE, ImageSelection
from edgecnn.export.jobs import Target
from edgecnn.export.policy_check import PolicyGate
from edgecnn.export.prepared import PreparedModel, has_trained_ranges, prepare
from edgecnn.export.publish import publish, staging_folder
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.steps import Note
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.reference import Evidence
from edgecnn.tasks import find

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The prepared model, PyTorch's outputs and accuracy that several files share."""

    prepared: PreparedModel
    evidence: Evidence
    accuracy: Accuracy | None


def model_sources(config: ExportConfig, model: nn.Module, card: ModelCard, selection: ImageSelection) -> dict[str, ModelSource]:
    """The source of the files of each precision that ``config`` asks for.

    int8 files of a QAT network are compared with the network that rounds; all other files share the fp32 reference.
    """
    rounds = has_trained_ranges(model)
    kinds: dict[str, Precision] = {precision: "int8" if rounds and precision == "int8" else "fp32" for precision in config.tried}
    made = {kind: _source(config, model, card, selection, kind) for kind in set(kinds.values())}
    return {precision: made[kind] for precision, kind in kinds.items()}


def _source(config: ExportConfig, model: nn.Module, card: ModelCard, selection: ImageSelection, kind: Precision) -> ModelSource:
    prepared = prepare(model, card, kind, config.graph)
    evidence = evidence_of(prepared, selection.real, selection.source)
    made_from = card.replace(calibration=selection.calibration.record()) if selection.calibration else card
    accuracy = _accuracy(config, prepared, made_from)
    labelled = accuracy is not None and config.max_drop is not None
    return ModelSource(prepared, dataclasses.replace(evidence, labelled=labelled), accuracy)


@dataclass(frozen=True, slots=True)
class FileJob:
    """What the files of an export are made from; ``sources`` by precision, ``progress`` gets lines during a search, ``gate`` decides."""

    config: ExportConfig
    name: str
    sources: Mapping[str, ModelSource]
    selection: ImageSelection
    draft: Path | None
    progress: Report
    shared: SharedSensitivities
    gate: PolicyGate | None = None


def export_one(job: FileJob, target: Target, note: Note) -> Artifact:
    """Export the file of one format and precision; ``note`` gets the steps. Raises what ``export`` and ``export_within`` raise."""
    format, precision = target
    if precision == AUTO:
        return _export_quickest(job, format, note)
    config, source, calibration = job.config, job.sources[precision], job.selection.calibration
    source.prepared.note = note
    if precision == "int8" and config.max_drop is not None and calibration and not has_trained_ranges(source.prepared):
        return _export_within(job, format, config.max_drop, calibration)
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
        gate=job.gate,
    )


def _export_within(job: FileJob, format: str, points: float, calibration: Calibration) -> Artifact:
    source = job.sources["int8"]
    budget = BudgetJob(
        prepared=source.prepared,
        format=format,
        points=points,
        calibration=calibration,
        evidence=source.evidence,
        accuracy=source.accuracy,
        out=job.config.out,
        name=job.name,
        force=job.config.force,
        draft=job.draft,
        shared=job.shared,
        gate=job.gate,
    )
    return export_within(budget, job.progress)


def _export_quickest(job: FileJob, format: str, note: Note) -> Artifact:
    """All precisions into a staging folder, then the quickest of those that pass into the output folder."""
    made: dict[str, Artifact] = {}
    failed: dict[str, EdgeCnnError] = {}
    out = job.config.out
    with staging_folder(out, job.draft) as folder:
        inner = dataclasses.replace(job, config=dataclasses.replace(job.config, out=folder), draft=None)
        for precision in job.config.tried:
            try:
                made[precision] = export_one(inner, (format, precision), note)
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


def _accuracy(config: ExportConfig, prepared: PreparedModel, card: ModelCard) -> Accuracy | None:
    """PyTorch's accuracy on the images of --evaluate; ``card`` says on which images the model was trained and is calibrated."""
    if config.evaluate is None:
        return None
    find(prepared.reference.card.task).check_measure()
    split = None if config.evaluate.startswith(SCENE) else held_out_split(config.evaluate)
    dataset = open_dataset(config.evaluate, split=split, limit=config.evaluate_limit, task=prepared.card.task)
    if config.strict:
        check_strict(dataset)
    allowed = None if config.max_drop is None else config.max_drop / 100
    cards, address = {card.name: card}, config.evaluate

    def opened(uri: str) -> Dataset:
        return for_task(open_dataset(uri, task=prepared.card.task), prepared.card)

    watch = OverlapWatch(
        cards,
        for_task(dataset, prepared.card),
        allowed=config.allow_overlap,
        unseen=lambda: unseen_part(address, cards, opened),
    )
    accuracy = Accuracy(prepared.reference, watch.dataset, allowed)
    _ = accuracy.pytorch  # measured once, here, before the formats part
    accuracy.overlap = watch.finish()
    return accuracy
