"""Other people's models, as they are, on a few real images; the whole sets are in edgecnn.benchmarks.figures.third_party."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.third_party import CASES, ThirdPartyModel, prepared
from edgecnn.cli import main

pytestmark = pytest.mark.real_data

# AP50 or top-1 that the first 24 images give at least, with everything right; a wrong channel order, scale or decoder halves it.
FLOOR = {
    "YOLOX-nano": 0.45,
    "SSD MobileNet v1": 0.30,
    "FastestDet": 0.30,
    "UltraFace RFB-320": 0.50,
    "UltraFace RFB-320 raw": 0.50,
    "face-detection-adas-0001": 0.60,
    "MobileNet v1 0.25 128": 1.0,
}
QUICK = [case for case in CASES if case.name in FLOOR]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.name} {Path(case.file).suffix[1:]}")
def test_right_through_one_command(case: ThirdPartyModel, real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    pytest.importorskip({".tflite": "ai_edge_litert", ".xml": "openvino", ".onnx": "onnxruntime"}[Path(case.file).suffix])
    with prepared(real_data, unpack=False) as places:
        options = [option.format(**places) for option in case.options]
        result = tmp_path / "score.json"
        done = CliRunner().invoke(
            main, ["evaluate", str(real_data / "models" / case.file), *options, "--limit", "24", "--json", str(result)]
        )
        assert done.exit_code == 0, done.output
    values = json.loads(result.read_text())["score"]["values"]
    measured = values["ap50" if "ap50" in values else "top1"]
    assert measured >= FLOOR[case.name], measured
