"""A check as JUnit XML: a budget is a test case."""

from __future__ import annotations

from edgecnn.benchmarks.report.junit import JunitCase, JunitSuite, junit_xml
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.text import basis_words, doubt_lines, interval_words, needs_words, result_words, times_words, value_words
from edgecnn.trust.gate.verdict import BudgetVerdict


def to_junit(found: CheckReport) -> str:
    """The document: a budget that is not met is a failure."""
    facts = [result_words(found), *doubt_lines(found), *found.notes, *filter(None, [times_words(found)])]
    name = f"edgecnn check: {found.file.name} against {found.policy.name}"
    return junit_xml([JunitSuite(name=name, cases=[_case(found, one) for one in found.verdicts], output="\n".join(facts))])


def _case(found: CheckReport, one: BudgetVerdict) -> JunitCase:
    interval = "" if interval_words(one) == "-" else f", {interval_words(one)}"
    words = f"{one.title}: {value_words(one)}{interval}; {needs_words(one)}: {found.verdict_words(one)}"
    return JunitCase(
        of=found.file.name,
        name=one.key,
        output="\n".join(filter(None, [words, basis_words(one)])),
        failure=words if one in found.broken else "",
        failure_type="budget",
    )
