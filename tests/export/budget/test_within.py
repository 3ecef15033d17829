"""int8 within a budget: the layers that int8 breaks stay in float, in each format."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgecnn.card import ACCEPTED, CARD_KEY, ModelCard
from edgecnn.errors import InputError
from edgecnn.export import Calibration
from edgecnn.export.budget.within import BudgetJob, OverBudgetError, export_within
from edgecnn.export.config import DEFAULT_FORMATS, ExportConfig
from edgecnn.export.formats import to_onnx
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.quantize.plan import QuantizationPlan
from edgecnn.export.verify.reference import Evidence
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.selftest import selftest_file
from tests.export.budget.conftest import SENSITIVE, uneven


def job(model: PreparedModel, calibration: Calibration, evidence: Evidence, out: Path, format: str, points: float) -> BudgetJob:
    return BudgetJob(
        prepared=model,
        format=format,
        points=points,
        calibration=calibration,
        evidence=evidence,
        accuracy=None,
        out=out,
        name="uneven",
        force=False,
    )


@pytest.mark.parametrize("format", DEFAULT_FORMATS)
def test_the_layers_that_int8_breaks_stay_in_float(
    format: str, uneven_model: PreparedModel, uneven_calibration: Calibration, uneven_evidence: Evidence, tmp_path: Path
) -> None:
    artifact = export_within(job(uneven_model, uneven_calibration, uneven_evidence, tmp_path, format, 1.0), lambda _: None)
    backend = open_backend(artifact.path)
    record = ModelCard.from_json(backend.metadata[CARD_KEY], "file").calibration
    backend.close()
    budget = record["budget"]
    assert {*budget["layers_in_float"]} <= SENSITIVE
    assert budget["layers_in_float"]
    assert budget["tried"][0]["drop_points"] > 1.0
    assert budget["drop_points"] <= 1.0
    assert artifact.parity.passed
    assert [cost["file"] for cost in budget["costs"]] == ["fp32", "int8", "int8 within the budget"]
    assert "in float: " in artifact.notes


def test_a_budget_that_cannot_be_met_keeps_the_best_file_under_another_name(
    uneven_model: PreparedModel, uneven_calibration: Calibration, uneven_evidence: Evidence, tmp_path: Path
) -> None:
    hopeless = dataclasses.replace(uneven_evidence, spreads={"logits": 1e-3})  # every error is out of tolerance
    with pytest.raises(
        OverBudgetError, match=r"is within 1 points: the nearest loses .* it is kept as uneven-int8-over-budget\.onnx"
    ):
        export_within(job(uneven_model, uneven_calibration, hopeless, tmp_path, "onnx", 1.0), lambda _: None)
    names = ["uneven-int8-over-budget.onnx", "uneven-int8-over-budget.onnx.parity.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    card, result = selftest_file(tmp_path / names[0])
    assert not result.violations
    assert card.parity["passed"] is False
    assert any(text.startswith("loses ") and text.endswith(", 1 allowed") for text in card.parity[ACCEPTED])
    backend = open_backend(tmp_path / "uneven-int8-over-budget.onnx")
    record = ModelCard.from_json(backend.metadata[CARD_KEY], "file").calibration
    backend.close()
    assert record["within_budget"] is False


def test_a_quantizer_that_refuses_one_candidate_may_take_another(
    uneven_calibration: Calibration, uneven_evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = to_onnx.int8

    def refusing(calibration: Any, plan: QuantizationPlan) -> Any:
        if plan.ranges == "min-max":
            raise RuntimeError("scale value (inf)\nand more")
        return make(calibration, plan)

    monkeypatch.setattr(to_onnx, "int8", refusing)
    model = uneven(homogeneous=True)
    artifact = export_within(job(model, uneven_calibration, uneven_evidence, tmp_path, "onnx", 100.0), lambda _: None)
    backend = open_backend(artifact.path)
    tried = ModelCard.from_json(backend.metadata[CARD_KEY], "file").calibration["budget"]["tried"]
    backend.close()
    assert "RuntimeError: scale value (inf)" in artifact.notes
    assert tried[0]["method"] == "min-max"
    assert tried[0]["drop_points"] == 100


def test_a_budget_for_executorch_is_refused() -> None:
    with pytest.raises(InputError, match="--max-drop is not possible in executorch"):
        ExportConfig(model="cups", formats=("onnx", "executorch"), precisions=("int8",), calibration="scene:cups", max_drop=1.0)
