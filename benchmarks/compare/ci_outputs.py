"""Findings for systems of continuous integration: JUnit's XML and the workflow commands of GitHub Actions."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edgecnn.benchmarks.compare.comparison import Comparison
from edgecnn.benchmarks.compare.finding import Finding
from edgecnn.benchmarks.compare.rows import note_lines, sentence

NOT_EXCLUDED = "a regression above the limit can't be excluded"


def to_junit(comparisons: Sequence[Comparison]) -> str:
    """One test suite per comparison, one test case per finding; a regression is a failure, a latency that says nothing is skipped."""
    root = ElementTree.Element("testsuites")
    for one in comparisons:
        suite = ElementTree.SubElement(root, "testsuite", _suite(one))
        for finding in one.findings:
            case = ElementTree.SubElement(
                suite, "testcase", {"classname": _xml(finding.file), "name": finding.title, "time": "0"}
            )
            if finding.regression:
                ElementTree.SubElement(case, "failure", {"message": _xml(sentence(finding)), "type": "regression"})
            elif _skipped(finding):
                ElementTree.SubElement(case, "skipped", {"message": finding.verdict})
            ElementTree.SubElement(case, "system-out").text = _xml(sentence(finding))
        ElementTree.SubElement(suite, "system-out").text = _xml("\n".join([one.method, *note_lines(one)]))
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(one: Comparison) -> dict[str, str]:
    counts = {
        "tests": len(one.findings),
        "failures": len(one.regressions),
        "errors": 0,
        "skipped": sum(map(_skipped, one.findings)),
    }
    return {"name": _xml(f"edgecnn compare: {one.before} -> {one.after}"), **{name: str(count) for name, count in counts.items()}}


def _skipped(finding: Finding) -> bool:
    return finding.kind == "latency" and finding.direction == "unknown"


def _xml(text: str) -> str:
    """``text`` without control characters, which XML 1.0 does not allow."""
    return "".join(letter for letter in text if letter in "\n\t" or letter >= " ")


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
