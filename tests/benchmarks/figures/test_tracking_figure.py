from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.tracking import command

pytest.importorskip("lap")
pytest.importorskip("trackeval", reason="TrackEval is not installed: pip install --no-deps trackeval scipy")
pytest.importorskip("trackers", reason="the peer is not installed: pip install --no-deps trackers supervision")


@pytest.mark.slow
@pytest.mark.real_data
def test_tud_campus_is_tracked_at_least_as_well_as_by_the_peer(real_data: Path, tmp_path: Path) -> None:
    model = real_data / "models" / "yolox_nano_kazuhito" / "model" / "yolox_nano.onnx"
    words = [str(model), "--data", str(real_data / "mot15" / "TUD-Campus"), "--json", str(tmp_path / "a.json")]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0
    rows = {row["name"]: row["score"] for row in json.loads((tmp_path / "a.json").read_text())["rows"]}
    for figure in ("mota", "idf1", "hota"):
        assert rows["edgecnn"][figure] >= max(rows["trackers"][figure], rows["trackers, our thresholds"][figure])
