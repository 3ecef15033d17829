"""Exports the int8 file of one format within a budget, and says what was tried and what it costs."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.export.artifact import Artifact, Lowered
from edgecnn.export.budget.fit import Attempt, BudgetSearch
from edgecnn.export.budget.latency import latencies_ms
from edgecnn.export.budget.methods import Candidates
from edgecnn.export.budget.report import Cost, budget_record, cost_table, kept_line, tried_table
from edgecnn.export.budget.shared import SharedSensitivities
from edgecnn.export.budget.trial import Judge, size_of
from edgecnn.export.config import SUFFIXES, check_overwrite
from edgecnn.export.exporter import export
from edgecnn.export.failures import OutOfToleranceError
from edgecnn.export.policy_check import PolicyGate
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.reference import Evidence

Say = Callable[[str], None]


class OverBudgetError(EdgeCnnError):
    """No int8 file is within the budget; the best one is kept under another name. ``notes`` say what was tried."""

    def __init__(self, problem: str, fix: str, notes: str = "") -> None:
        self.notes = notes
        super().__init__(problem, fix)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickling with the notes: a file may be exported in another process."""
        return type(self), (self.problem, self.fix, self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetJob:
    """One int8 file within ``points`` of the measure: top-1 or mAP of ``accuracy``, else agreement with PyTorch on ``evidence``."""

    prepared: PreparedModel
    format: str
    points: float
    calibration: Calibration
    evidence: Evidence
    accuracy: Accuracy | None
    out: Path
    name: str
    force: bool
    draft: Path | None = None
    shared: SharedSensitivities | None = None
    gate: PolicyGate | None = None

    @property
    def over_name(self) -> str:
        """The file that is kept when the budget can't be met."""
        return f"{self.name}-int8-over-budget{SUFFIXES[self.format]}"


def export_within(job: BudgetJob, say: Say) -> Artifact:
    """Export the file; raises ``OverBudgetError`` where none is within the budget, after the best one was kept as ``over_name``.

    Raises what ``edgecnn.export.exporter.export`` raises.
    """
    check_overwrite(job.out, [job.over_name], force=job.force)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        judge = Judge(job.format, job.prepared.card, job.evidence, job.accuracy, Path(folder))
        candidates = Candidates(job.prepared, job.format, job.calibration.feeds(job.prepared.card))
        fit = BudgetSearch(candidates, judge, job.points, say, shared=job.shared)
        found = fit.run()
        if not found.outcome.size:
            raise InputError(
                f"the {job.format} model can't be made int8: {found.outcome.violations[0]}", "export it in another precision"
            )
        program = fit.program(found)
        found = _measured(found, judge, program)
        costs = _costs(job, fit, found, judge)
        notes = _text(job, fit, found, costs)
        record = budget_record(found, job.points, fit.attempts, costs, fit.sensitivities)
        if not found.outcome.within(job.points):
            raise _kept_over_budget(job, fit, found, record, notes)
    made = _write(job, Lowered(program, record), name=job.name, gate=job.gate)
    return dataclasses.replace(made, notes=f"{notes}\n{made.notes}" if made.notes else notes)


def _write(job: BudgetJob, lowered: Lowered, **more: Any) -> Artifact:
    """Export the program that was found; ``more`` are further arguments of ``export``."""
    return export(
        job.prepared,
        job.prepared.reference.card,
        job.out,
        format=job.format,
        precision="int8",
        calibration=job.calibration,
        verify_with=job.evidence,
        accuracy=job.accuracy,
        force=job.force,
        draft=job.draft,
        lowered=lowered,
        **more,
    )


def _measured(found: Attempt, judge: Judge, program: Any) -> Attempt:
    """The attempt with what it loses on the dataset, also where the search did not ask because it is out of tolerance."""
    if found.outcome.drop is not None:
        return found
    drop = judge.accuracy_drop(judge.write(program, "nearest"))
    return dataclasses.replace(found, outcome=dataclasses.replace(found.outcome, drop=drop))


def _costs(job: BudgetJob, fit: BudgetSearch, found: Attempt, judge: Judge) -> list[Cost]:
    """fp32, int8 as it is made without a budget, and the file within the budget, measured in turns."""
    plain = fit.attempts[0]
    layers = len(fit.sensitivities.layers) if fit.sensitivities is not None else 0
    files: dict[str, tuple[Path, int, float | None]] = {}
    files["fp32"] = (judge.write(job.prepared.program(job.format), "fp32", "fp32"), layers, None)
    if plain.outcome.size:
        files["int8"] = (judge.write(fit.program(plain), "int8"), 0, plain.outcome.drop)
    if (found.method, found.keep) != (plain.method, plain.keep):
        name = "int8 within the budget" if found.outcome.within(job.points) else "int8 nearest to the budget"
        files[name] = (judge.write(fit.program(found), "found"), len(found.keep), found.outcome.drop)
    times = latencies_ms([path for path, _, _ in files.values()])
    return [
        Cost(name, kept, judge.accuracy_drop(path) if drop is None and name != "fp32" else drop, size_of(path), ms)
        for (name, (path, kept, drop)), ms in zip(files.items(), times, strict=True)
    ]


def _text(job: BudgetJob, fit: BudgetSearch, found: Attempt, costs: list[Cost]) -> str:
    head = f"{job.name}, {job.format} int8: at most {job.points:g} points of {found.outcome.measure} may be lost"
    parts = [head, tried_table(fit.attempts), cost_table(costs, found.outcome.measure), kept_line(found, fit.sensitivities)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _kept_over_budget(job: BudgetJob, fit: BudgetSearch, found: Attempt, record: dict[str, Any], notes: str) -> OverBudgetError:
    """Keep the best file, with goldens and its deviation in its card, and return the error that says how near it came."""
    outcome = found.outcome
    lost = f"loses {outcome.points} points of {outcome.measure}"
    lost += f" with {len(found.keep)} of {len(fit.sensitivities.layers)} layers in float" if fit.sensitivities else ""
    wrong = f", and is out of tolerance ({outcome.violations[0]})" if outcome.violations else ""
    try:
        lowered = Lowered(fit.program(found), {**record, "within_budget": False}, f"{lost}, {job.points:g} allowed")
        _write(job, lowered, accept=True, file=job.over_name)
        kept = f"it is kept as {job.over_name}"
    except OutOfToleranceError as error:
        kept = (
            f"it is not kept, because its outputs can't be used ({error.violations[0] if error.violations else error.cause.why})"
        )
    return OverBudgetError(
        f"no int8 {job.format} file of {job.name} is within {job.points:g} points: the nearest {lost}{wrong}; {kept}",
        "export fp16, or raise --max-drop",
        notes,
    )
