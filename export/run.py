"""Runs one export: a model in several formats and precisions; the converted graphs and PyTorch's reference outputs are shared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

from torch import nn

from edgecnn.card import ModelCard
from edgecnn.data.problems import to_stderr
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.export.artifact import Artifact
from edgecnn.export.budget.shared import SharedSensitivities
from edgecnn.export.config import ExportConfig, check_overwrite, check_targets, file_name
from edgecnn.export.failures import in_one
from edgecnn.export.file_jobs import FileJob, export_one, model_sources
from edgecnn.export.image_selection import ImageSelection, select_images
from edgecnn.export.jobs import Outcome, Target, run_targets
from edgecnn.export.policy_check import PolicyGate, fp32_first, gate_folder
from edgecnn.export.prepared import has_trained_ranges
from edgecnn.export.publish import staging_folder
from edgecnn.export.source import load_model
from edgecnn.export.summary import artifact_text, describe, failure_text

Report = Callable[[str], None]
NMS_LINE = "decoder and NMS are in the graph: the files give final boxes\n"


def _ignore(text: str) -> None:
    """Discard the text."""


def run_exports(
    config: ExportConfig,
    report: Report = _ignore,
    warn: Report = _ignore,
    gate: PolicyGate | None = None,
    *,
    tell: Report = to_stderr,
) -> list[Artifact]:
    """Export the model to every format and precision of ``config``; what `edgecnn export` does, from Python.

    ``report`` gets a description of the model and the parity table of each finished file, ``warn`` gets warnings, ``tell`` what
    the calibration data were read as, with the problems in them. A file that is out
    of tolerance, or refused by ``gate``, is not kept; it does not stop the export of the others, nor does one that can't be converted or
    crashes an engine.
    Raises ``InputError``, ``ArtifactError`` or ``MissingExtraError`` before any file is written, and at the end the error of a file that
    failed, or ``FailedExportsError`` for several.
    """
    model, card = load_model(config.model, config.model_options)
    report(describe(card) + (NMS_LINE if config.graph.nms else ""))
    return _exported(config, model, card, report, warn, gate, tell).artifacts()


def export_all(
    config: ExportConfig,
    model: nn.Module,
    card: ModelCard,
    report: Report = _ignore,
    warn: Report = _ignore,
    gate: PolicyGate | None = None,
) -> list[Artifact]:
    """``run_exports`` for a model that is loaded already; ``card`` is the checkpoint's."""
    return _exported(config, model, card, report, warn, gate).artifacts()


def export_each(config: ExportConfig, model: nn.Module, card: ModelCard) -> tuple[list[Artifact], dict[str, EdgeCnnError]]:
    """``export_all`` that returns the errors of the files that failed, by file name, beside the artifacts; raises the others."""
    files = _exported(config, model, card)
    return files.done, files.failed


def _exported(
    config: ExportConfig,
    model: nn.Module,
    card: ModelCard,
    report: Report = _ignore,
    warn: Report = _ignore,
    gate: PolicyGate | None = None,
    tell: Report = to_stderr,
) -> _FileLog:
    _check(config, model, card)
    selection = _selected(config, card, tell)
    for line in _warnings(config, model, selection):
        warn(f"warning: {line}")
    sources = model_sources(config, model, card, selection)
    for line in dict.fromkeys(line for one in sources.values() if one.accuracy for line in one.accuracy.overlap.notes):
        warn(f"warning: {line}")
    files = _FileLog(config, card, report)
    with staging_folder(config.out) as draft:
        checked = None if gate is None else dataclasses.replace(gate, folder=gate_folder(draft))
        job = FileJob(config, files.name, sources, selection, draft, warn, SharedSensitivities(draft), checked)
        targets = config.targets if gate is None else fp32_first(config.targets)
        run_targets(targets, partial(export_one, job), files.add, at_once=1 if gate is not None and gate.alone else None)
    return files


def _check(config: ExportConfig, model: nn.Module, card: ModelCard) -> None:
    """Raise an error for what can't be done, or would replace files, before any work."""
    if card.preprocess.tensors and config.max_drop is not None:
        raise InputError("--max-drop needs one image as the input of the model", "leave it out for a model of tensors")
    check_targets(config.formats, config.tried, calibrated=config.calibration is not None or has_trained_ranges(model))
    name = config.name or card.name
    files = [file_name(name, format, precision) for format in config.formats for precision in config.tried]
    check_overwrite(config.out, files, force=config.force)


def _selected(config: ExportConfig, card: ModelCard, tell: Report) -> ImageSelection:
    return select_images(
        card,
        config.calibration,
        config.calibration_count,
        config.seed,
        config.verify,
        config.verify_count,
        evaluate=config.evaluate,
        force=config.force_calibration,
        strict=config.strict,
        tell=tell,
    )


def _warnings(config: ExportConfig, model: nn.Module, selection: ImageSelection) -> Iterator[str]:
    """What has no effect, or limits what the verification can say."""
    if not selection.real:
        yield "verified with blurred noise, because no real images were given; set --verify-data"
    if config.calibration is not None and has_trained_ranges(model):
        yield "--calibration has no effect: this network was trained for int8 and keeps its own ranges"
    if config.max_drop is not None and "int8" in config.tried and has_trained_ranges(model):
        yield "--max-drop leaves no layer in float: this network was trained for int8 and keeps its own ranges"


class _FileLog:
    """What has become of each file, reported as soon as it is known."""

    def __init__(self, config: ExportConfig, card: ModelCard, report: Report) -> None:
        self.name = config.name or card.name
        self._targets, self._card, self._report = config.targets, card, report
        self._done: dict[Target, Artifact] = {}
        self.failed: dict[str, EdgeCnnError] = {}

    def add(self, target: Target, outcome: Outcome) -> None:
        """The artifact or the error of a target."""
        if isinstance(outcome, Artifact):
            self._done[target] = outcome
            self._report(artifact_text(outcome, self._card))
            return
        file = file_name(self.name, *target)
        self.failed[file] = outcome
        self._report(failure_text(file, outcome, self._card))

    def artifacts(self) -> list[Artifact]:
        """All artifacts; raises the error of the files that failed, if any."""
        if self.failed:
            raise in_one(self.failed, len(self._targets))
        return self.done

    @property
    def done(self) -> list[Artifact]:
        """The artifacts that were made, in the order of the targets."""
        return [self._done[target] for target in self._targets if target in self._done]
