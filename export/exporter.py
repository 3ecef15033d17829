"""Exports one artifact: convert, lower the precision, write, verify the file on disk against PyTorch, then publish it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from torch import nn

from edgecnn.card import ModelCard, Precision
from edgecnn.export.artifact import Artifact, Lowered
from edgecnn.export.artifact_builder import ArtifactBuilder
from edgecnn.export.config import check_overwrite, check_targets, file_name
from edgecnn.export.policy_check import PolicyGate
from edgecnn.export.prepared import PreparedModel, has_trained_ranges, prepare
from edgecnn.export.publish import publish, staging_folder
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.steps import ExportStep, tools
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.probes import probes
from edgecnn.export.verify.reference import Evidence, collect_evidence
from edgecnn.train.predict import one_thread
from edgecnn.types import Image


@one_thread()
def export(
    model: nn.Module | PreparedModel,
    card: ModelCard,
    out: Path,
    *,
    format: str,
    precision: Precision = "fp32",
    calibration: Calibration | None = None,
    verify_with: Sequence[Image] | Evidence = (),
    accuracy: Accuracy | None = None,
    name: str | None = None,
    force: bool = False,
    draft: Path | None = None,
    lowered: Lowered | None = None,
    accept: bool = False,
    file: str | None = None,
    gate: PolicyGate | None = None,
) -> Artifact:
    """Export ``model`` to ``out``/NAME-PRECISION (or ``file``) in ``format``, verified; ``card`` is the checkpoint's.

    ``verify_with`` are real images, (H, W, 3) uint8 BGR; ``calibration`` is needed for int8; ``accuracy`` also measures the file on
    a dataset; ``draft`` is a staging folder of ``out`` to work in; ``lowered`` is written as it is, instead of
    a program made here. A file out of tolerance is kept where ``accept`` says so, with the deviation in its card. ``gate`` is a policy
    that the file has to keep to. ``model`` is not
    modified.
    Raises ``InputError`` or ``MissingExtraError`` before any work for impossible combinations, ``OutOfToleranceError`` for a file
    that differs from PyTorch, ``RefusedByPolicyError`` for one that ``gate`` refuses; in that case no file is left behind, and an older
    file of the same name is kept.
    """
    check_targets([format], [precision], calibrated=calibration is not None or has_trained_ranges(model))
    started = perf_counter()
    file = file or file_name(name or card.name, format, precision)
    check_overwrite(out, [file], force=force)
    prepared = model if isinstance(model, PreparedModel) else prepare(model, card, precision)
    if prepared.trained_ranges and precision != "int8":
        raise ValueError(f"the model was prepared for int8, not for {precision}; prepare it again")
    evidence = verify_with if isinstance(verify_with, Evidence) else evidence_of(prepared, verify_with, "given images")
    with staging_folder(out, draft) as folder:
        made = lowered or Lowered(prepared.lowered(format, precision, calibration))
        job = ArtifactBuilder(prepared, evidence, format, precision, folder / file, out, made, calibration, accuracy, accept)
        final, parity = job.write()
        notes = ""
        if gate is not None:
            prepared.note(ExportStep(tools(format).engine, "while it is checked against the policy"))
            verdict = gate.inspect(folder / file, format, precision)
            final, notes = verdict.card, verdict.notes
        publish(folder, out, [path.name for path in sorted(folder.iterdir())])
    return Artifact(out / file, format, final, parity, perf_counter() - started, notes)


@one_thread()
def evidence_of(prepared: PreparedModel, real: Sequence[Image], source: str) -> Evidence:
    """PyTorch's outputs for ``real`` and synthetic images; can be shared by all exports of ``prepared``."""
    return collect_evidence(
        prepared.reference, probes(real, prepared.card.preprocess), source if real else "none, blurred noise instead"
    )
