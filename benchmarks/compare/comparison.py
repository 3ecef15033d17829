"""A comparison: findings of all matched files of records, with the notes that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.compare.definition import check_definition, environment_notes
from edgecnn.benchmarks.compare.finding import Finding, Limits, PointsInterval
from edgecnn.benchmarks.compare.matching import Match, match_files
from edgecnn.benchmarks.compare.quantities import pair_findings
from edgecnn.benchmarks.compare.record_file import MeasuredRun
from edgecnn.benchmarks.compare.separate import same_run_ratio, separate_ratio
from edgecnn.errors import InputError


@dataclass(frozen=True, slots=True)
class Comparison:
    """``before`` and ``after`` name what is compared; ``method`` says how; ``noise`` holds reasons for NOISY measurements."""

    before: str
    after: str
    method: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Finding, ...]:
        """The findings that are worse by more than the limits allow."""
        return tuple(one for one in self.findings if one.regression)


SEPARATE = "medians of two separate runs; each may differ from its repetition by some percent, which the intervals contain"
SAME_RUN = "ratios of rounds that one run measured in turns"


def compare_records(before: MeasuredRun, after: MeasuredRun, limits: Limits, *, force: bool = False) -> Comparison:
    """Two records of separate runs.

    Raises ``InputError`` where their definitions differ and not ``force``, where no file matches, and where both are too short.
    """
    different = check_definition(before, after, force=force)
    matches, unmatched = match_files(before, after)
    findings = [finding for match in matches for finding in pair_findings(match, separate_ratio)]
    _check_length(findings, f"{before.name} and {after.name}")
    notes = [f"compared by --force: {', '.join(different)}"] if different else []
    partial = [run.name for run in (before, after) if run.document.get("partial")]
    notes += [f"interrupted, so only the clocks that were complete are compared: {' and '.join(partial)}"] if partial else []
    changed = environment_notes(before, after)
    notes += [f"differs: {', '.join(changed)}"] if changed else []
    same = [match.name for match in matches if match.before.sha256 and match.before.sha256 == match.after.sha256]
    notes += [f"the same file in both: {', '.join(same)}"] if same else []
    judged = tuple(map(limits.judge, findings))
    notes += [*undecided_notes(judged, limits), *accuracy_notes(judged)]
    return Comparison(
        before.name,
        after.name,
        SEPARATE,
        judged,
        (*notes, *unmatched),
        _noise(matches, before, after),
    )


def compare_files(run: MeasuredRun, limits: Limits) -> list[Comparison]:
    """The files of one record, each with its reference; raises ``InputError`` where it holds one file or is too short."""
    base = run.reference
    others = [own for own in run.files if own is not base]
    if not others:
        raise InputError(f"{run.name} holds one file", "give a second record to compare it with")
    found = []
    for own in others:
        match = Match(base, own)
        findings = list(pair_findings(match, same_run_ratio))
        _check_length(findings, run.name)
        noise = _noise([match], run, run)
        judged = tuple(map(limits.judge, findings))
        found.append(Comparison(base.name, own.name, SAME_RUN, judged, tuple(accuracy_notes(judged)), noise))
    return found


def undecided_notes(findings: Sequence[Finding], limits: Limits) -> list[str]:
    """A line on latencies whose regression above the limit can't be excluded."""
    open_ones = [f"{finding.file} {finding.title}" for finding in findings if finding.undecided]
    if not open_ones or limits.ratio is None:
        return []
    return [f"not precise enough to exclude a regression above {100 * limits.ratio:g} %: {', '.join(open_ones)}"]


def accuracy_notes(findings: Sequence[Finding]) -> list[str]:
    """How the differences of accuracies were found, each way once."""
    return list(dict.fromkeys(one.change.how for one in findings if isinstance(one.change, PointsInterval) and one.change.how))


def _check_length(findings: Sequence[Finding], names: str) -> None:
    latencies = [finding for finding in findings if finding.kind == "latency"]
    if not latencies:
        raise InputError(f"{names} have no clock in common", "measure both with the same --clock")
    if all(finding.change is None for finding in latencies):
        raise InputError(f"{names}: too few runs to say anything", "measure at least four rounds and 32 runs of each clock")


def _noise(matches: Sequence[Match], before: MeasuredRun, after: MeasuredRun) -> tuple[str, ...]:
    """Why measurements were NOISY, each reason once for a clock of a run; with the file, where there are several."""
    reasons: dict[str, dict[str, None]] = {}
    for match in matches:
        for run, own in ((before, match.before), (after, match.after)):
            for clock, found in own.clocks.items():
                place = ", ".join([run.name, *([own.name] if len(matches) > 1 else []), f"{clock} clock"])
                reasons.setdefault(place, {}).update(dict.fromkeys(found.reasons))
    return tuple(f"{place}: {'; '.join(own)}" for place, own in reasons.items() if own)
