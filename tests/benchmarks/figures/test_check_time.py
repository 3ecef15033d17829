"""The figure of the whole report: its conclusion, and that the committed policies can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.benchmarks.figures import check_time
from edgecnn.trust.gate.policy import TABLES
from edgecnn.trust.gate.policy_file import read_policy

POLICIES = sorted(Path(check_time.__file__).parent.joinpath("policies").glob("*.toml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_policies_have_all_kinds_of_budgets(path: Path) -> None:
    policy = read_policy(path)
    assert all(getattr(policy, name) for name in TABLES)


def test_the_conclusion_names_the_limit() -> None:
    row = {"file": "a.onnx", "seconds": 299.0, "processors": 2, "processor_seconds": 99.0, "budgets": [1, 2]}
    assert "took 299 s on 2 processors (reached: at most 300 s), of which it used 99 s; 2 budgets" in check_time.conclusion(row)
    assert "(not reached" in check_time.conclusion({**row, "seconds": 301.0})
