"""Changed files are drawn with a seed, survive a crash of their examiner, and are counted right."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.changed_weights import Examiner, Outcome, WeightChange, changes, command, summary
from edgecnn.benchmarks.figures.changed_weights_part import differ, same_outputs
from edgecnn.types import Classes, Detections
from tests.integrity.files import exported

CONTENT = bytes(range(256)) * 8


def test_each_kind_changes_its_range_and_keeps_the_length() -> None:
    drawn = list(itertools.islice(changes({".onnx": len(CONTENT)}, 3), 80))
    assert drawn == list(itertools.islice(changes({".onnx": len(CONTENT)}, 3), 80))
    assert [change.kind for change in drawn[:4]] == ["flip", "overwrite", "zeros", "swap"]
    for change in drawn:
        changed = change.apply(CONTENT)
        assert change.apply(CONTENT) == changed
        assert len(changed) == len(CONTENT)
        if change.kind != "swap":
            assert changed[: change.start] == CONTENT[: change.start]
            assert changed[change.start + change.length :] == CONTENT[change.start + change.length :]


def test_both_parts_of_an_openvino_model_are_changed() -> None:
    assert {change.part for change in itertools.islice(changes({".xml": 500, ".bin": 500}, 1), 40)} == {".xml", ".bin"}


def test_what_a_user_would_see_decides() -> None:
    def boxes(x: float, score: float) -> Detections:
        return Detections(np.array([[x, 0, 9, 9]], np.float32), np.array([score], np.float32), np.array([1]))

    assert not differ(boxes(1, 0.5), boxes(1.5, 0.505))
    assert differ(boxes(1, 0.5), boxes(3, 0.5))
    assert differ(boxes(1, 0.5), boxes(1, 0.6))
    assert differ(boxes(1, 0.5), boxes(1, 0.1))
    assert not differ(boxes(1, 0.1), boxes(1, 0.2))
    assert differ(Classes(np.array([0.6, 0.4], np.float32)), Classes(np.array([0.4, 0.6], np.float32)))
    assert same_outputs({"a": np.ones(2)}, {"a": np.ones(2)})
    assert not same_outputs({"a": np.ones(2)}, {"a": np.ones(3)})


def test_a_crash_counts_as_noticed_and_the_next_file_is_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, change = exported(tmp_path, "onnx"), WeightChange(0, "flip", ".onnx", 0, 1)
    examiner = Examiner(path)
    try:
        whole = examiner.examine(path, change)
        assert (whole.noticed, whole.loads, whole.other_outputs) == (False, True, False)
        with monkeypatch.context() as patch:
            patch.setattr(examiner, "_line", _killed)
            lost = examiner.examine(path, change)
        assert (lost.noticed, lost.crashed, lost.loads) == (True, True, False)
        assert examiner.examine(path, change).loads
    finally:
        examiner.close()


def _killed(process: subprocess.Popen[str]) -> None:
    """As if the engine had crashed the process."""
    process.kill()
    process.wait()


def test_counts_of_those_that_load() -> None:
    change = WeightChange(0, "flip", ".onnx", 0, 1)
    found = summary(
        [
            Outcome(change, noticed=True, loads=True, other_outputs=True, other_detections=True),
            Outcome(change, noticed=False, loads=True, other_outputs=True, other_detections=True, noticed_by_goldens=True),
            Outcome(change, noticed=True, crashed=True),
        ]
    )
    assert found == {
        "tried": 3,
        "noticed_of_tried": 2,
        "crashed_the_engine": 1,
        "loaded": 2,
        "noticed": 1,
        "other_outputs": 2,
        "other_detections": 2,
        "other_detections_noticed": 1,
        "other_detections_noticed_by_goldens": 1,
    }


def test_the_figure_notices_every_change(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["cups", "--loaded", "4", "--json", str(tmp_path / "record.json")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "record.json").read_text())
    counts = record["formats"]["onnx"]
    assert counts["loaded"] == counts["noticed"] == 4
    assert counts["noticed_of_tried"] == counts["tried"]
    assert counts["other_outputs"] > 0
    assert record["unnoticed"] == {"cups.onnx": []}
