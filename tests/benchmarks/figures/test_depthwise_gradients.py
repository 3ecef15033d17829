from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from edgecnn.benchmarks.figures import depthwise_gradients


def test_steps_with_both_kinds_of_gradients_are_timed_in_alternation(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    arguments = ["edgedet", "mobilenet", "--batch", "1", "--rounds", "2", "--json", str(path)]
    result = CliRunner().invoke(depthwise_gradients.command, arguments)
    assert result.exit_code == 0, result.output
    record = json.loads(path.read_text())
    assert [row["model"] for row in record["models"]] == ["edgedet", "mobilenet"]
    for row in record["models"]:
        assert len(row["seconds"]) == 2
        assert row["low"] <= row["ratio"] <= row["high"]
        assert row["ratio"] != 1
