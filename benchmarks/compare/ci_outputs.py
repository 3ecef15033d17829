"""Findings for systems of continuous integration: JUnit's XML and the workflow commands of GitHub Actions."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.compare.comparison import Comparison
from edgecnn.benchmarks.compare.finding import Finding
from edgecnn.benchmarks.compare.rows import note_lines, sentence
from edgecnn.benchmarks.report.junit import JunitCase, JunitSuite, junit_xml

NOT_EXCLUDED = "a regression above the limit can't be excluded"


def to_junit(comparisons: Sequence[Comparison]) -> str:
    """One test suite per comparison, one test case per finding; a regression is a failure, a latency that says nothing is skipped."""
    return junit_xml([_suite(one) for one in comparisons])


def _suite(one: Comparison) -> JunitSuite:
    return JunitSuite(
        name=f"edgecnn compare: {one.before} -> {one.after}",
        cases=[_case(finding) for finding in one.findings],
        output="\n".join([one.method, *note_lines(one)]),
    )


def _case(finding: Finding) -> JunitCase:
    words = sentence(finding)
    return JunitCase(
        of=finding.file,
        name=finding.title,
        output=words,
        failure=words if finding.regression else "",
        failure_type="regression",
        skipped=finding.verdict if _skipped(finding) else "",
    )


def _skipped(finding: Finding) -> bool:
    return finding.kind == "latency" and finding.direction == "unknown" and not finding.regression


def to_github(comparisons: Sequence[Comparison]) -> str:
    """Workflow commands: ``::error`` for a regression, ``::warning`` for a slowdown within the limits and for NOISY measurements.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    lines = []
    for one in comparisons:
        lines += [command for finding in one.findings for command in _commands(finding)]
        if one.noise:
            lines.append(_command("warning", "NOISY measurement", "; ".join(one.noise)))
    return "\n".join(lines)


def _commands(finding: Finding) -> list[str]:
    title = f"{finding.file} {finding.title}"
    if finding.regression:
        return [_command("error", f"{title}: regression", sentence(finding))]
    if finding.direction == "worse":
        return [_command("warning", f"{title}: {finding.verdict}", sentence(finding))]
    if finding.undecided:
        return [_command("notice", f"{title}: not decided", f"{sentence(finding)}; {NOT_EXCLUDED}")]
    return [_command("notice", f"{title}: {finding.verdict}", sentence(finding))] if finding.direction == "better" else []


def _command(name: str, title: str, message: str) -> str:
    escaped = _escape(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{name} title={escaped}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
