"""JUnit's XML, as systems of continuous integration read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True, kw_only=True)
class JunitCase:
    """A test case: what it is of, its name, and what was found. ``failure`` and ``skipped`` are messages, "" for neither."""

    of: str
    name: str
    output: str
    failure: str = ""
    failure_type: str = "failure"
    skipped: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JunitSuite:
    """A test suite with its cases and what is said of all of them."""

    name: str
    cases: Sequence[JunitCase]
    output: str = ""


def junit_xml(suites: Sequence[JunitSuite]) -> str:
    """The document of ``suites``."""
    root = ElementTree.Element("testsuites")
    for suite in suites:
        counts = {
            "tests": len(suite.cases),
            "failures": sum(bool(case.failure) for case in suite.cases),
            "errors": 0,
            "skipped": sum(bool(case.skipped) for case in suite.cases),
        }
        numbers = {name: str(count) for name, count in counts.items()}
        node = ElementTree.SubElement(root, "testsuite", {"name": _xml(suite.name), **numbers})
        for case in suite.cases:
            _add(node, case)
        ElementTree.SubElement(node, "system-out").text = _xml(suite.output)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(suite: ElementTree.Element, case: JunitCase) -> None:
    words = {"classname": _xml(case.of), "name": _xml(case.name), "time": f"{case.seconds:g}"}
    node = ElementTree.SubElement(suite, "testcase", words)
    if case.failure:
        ElementTree.SubElement(node, "failure", {"message": _xml(case.failure), "type": case.failure_type})
    elif case.skipped:
        ElementTree.SubElement(node, "skipped", {"message": _xml(case.skipped)})
    ElementTree.SubElement(node, "system-out").text = _xml(case.output)


def _xml(text: str) -> str:
    """``text`` without control characters, which XML 1.0 does not allow."""
    return "".join(letter for letter in text if letter in "\n\t" or letter >= " ")
