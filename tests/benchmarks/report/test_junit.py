"""One writer of JUnit XML for all commands."""

from __future__ import annotations

from xml.etree import ElementTree

from edgecnn.benchmarks.report.junit import JunitCase, JunitSuite, junit_xml


def test_counts_messages_and_control_characters() -> None:
    cases = [
        JunitCase(of="a.onnx", name="size", output="fine\x07"),
        JunitCase(of="a.onnx", name="map", output="x", failure="too low <30 %>", failure_type="budget"),
        JunitCase(of="a.onnx", name="p99", output="y", skipped="too noisy"),
    ]
    text = junit_xml([JunitSuite(name="check", cases=cases, output="all")])
    suite = ElementTree.fromstring(text)[0]
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "check",
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }
    failure = suite.find(".//failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("budget", "too low <30 %>")
    assert suite[0].findtext("system-out") == "fine"
    assert suite.findtext("system-out") == "all"
