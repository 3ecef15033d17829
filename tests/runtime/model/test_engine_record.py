"""int8 outputs recorded at export: limited under the same conditions, told but not limited under others, refused when broken."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import ArtifactError
from edgecnn.golden import sample_output
from edgecnn.runtime.model.engine_record import STEP, SUM_STEPS, compare, conditions, encode

OUTPUTS = [{"scores": np.linspace(-2, 2, 300, dtype=np.float32).reshape(1, 100, 3)}]
LIKE = [{"scores": sample_output(OUTPUTS[0]["scores"], 4.0, 64)}]
HERE = conditions("onnx")
TEXT = encode(OUTPUTS, LIKE, "onnx")


def moved(by: float) -> list[dict[str, Any]]:
    return [{"scores": OUTPUTS[0]["scores"] + np.float32(by)}]


def test_the_same_outputs_agree() -> None:
    found = compare(TEXT, OUTPUTS, HERE, "x.onnx")
    assert found.recorded == HERE
    assert found.limit == STEP
    assert found.largest < 1e-5
    assert found.violation == ""
    assert "limit 3.9e-03 (one step of 8 bits) on the same engine and instruction set" in str(found)


def test_more_than_a_step_is_a_violation() -> None:
    assert compare(TEXT, moved(4.0 * STEP * 0.9), HERE, "x").violation == ""
    assert "int8 outputs differ by 0.0043 of the range" in compare(TEXT, moved(4.0 * STEP * 1.1), HERE, "x").violation
    assert compare(TEXT, moved(float("nan")), HERE, "x").violation


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"engine": "openvino"}, id="engine"),
        pytest.param({"arch": "sparc"}, id="processor"),
        pytest.param({"device": "gpu"}, id="device"),
    ],
)
def test_other_conditions_are_told_and_not_limited(change: dict[str, Any]) -> None:
    here = dataclasses.replace(HERE, **change)
    found = compare(TEXT, moved(1.0), here, "x")
    assert (found.limit, found.violation) == (None, "")
    assert found.largest == pytest.approx(0.25, abs=1e-4)
    assert f"not limited, because this is {here}. Engines and processors round int8 sums differently" in str(found)


VNNI = dataclasses.replace(HERE, engine="onnxruntime", arch="x86_64", features=("avx2", "avx512-vnni"))
AVX2 = dataclasses.replace(VNNI, features=("avx2",))
VNNI_TEXT = json.dumps({**json.loads(TEXT), **dataclasses.asdict(VNNI)})


@pytest.mark.parametrize(
    "change",
    [pytest.param({"engine_version": "0.1"}, id="version"), pytest.param({"features": ("avx2",)}, id="instruction-set")],
)
def test_other_processors_of_x86_may_differ_by_a_few_steps(change: dict[str, Any]) -> None:
    here = dataclasses.replace(VNNI, **change)
    found = compare(VNNI_TEXT, moved(4.0 * SUM_STEPS * STEP * 0.9), here, "x")
    assert found.violation == ""
    assert f"(8 steps of 8 bits) because this is {here}" in str(found)
    assert compare(VNNI_TEXT, moved(4.0 * SUM_STEPS * STEP * 1.1), here, "x").violation


def test_saturated_sums_are_named() -> None:
    found = compare(VNNI_TEXT, moved(1.0), AVX2, "x")
    assert found.saturates
    assert "x86 without VNNI saturates sums of this file's weights" in found.violation
    back = compare(json.dumps({**json.loads(TEXT), **dataclasses.asdict(AVX2)}), moved(1.0), VNNI, "x")
    assert back.saturates
    same = compare(VNNI_TEXT, moved(1.0), VNNI, "x")
    assert same.violation
    assert not same.saturates
    assert not compare(VNNI_TEXT, moved(0.0), AVX2, "x").saturates


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no-json"),
        pytest.param("[]", id="list"),
        pytest.param(json.dumps({**json.loads(TEXT), "version": 9}), id="version"),
        pytest.param(json.dumps({**json.loads(TEXT), "goldens": []}), id="no-goldens"),
        pytest.param(json.dumps({**json.loads(TEXT), "goldens": [{"boxes": {}}]}), id="other-output"),
        pytest.param(TEXT.replace('"codes":"', '"codes":"!'), id="no-base64"),
        pytest.param(TEXT.replace('"spread":4.0', '"spread":NaN'), id="nan"),
    ],
)
def test_a_broken_record_is_one_line(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"^the int8 outputs recorded in x\.onnx can't be read"):
        compare(text, OUTPUTS, HERE, "x.onnx")


def test_half_as_many_values_are_kept_as_of_the_goldens() -> None:
    (row,) = json.loads(TEXT)["goldens"]
    assert row["scores"]["step"] >= 2 * LIKE[0]["scores"].step - 1
    assert len(TEXT) < 700
