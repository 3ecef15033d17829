from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.trust.explain.config import ExplainConfig
from edgecnn.trust.explain.dissection_section import dissection_section
from edgecnn.trust.explain.page import explain_page
from edgecnn.trust.explain.reasons_section import reasons_section
from edgecnn.trust.explain.section import Explanation, SectionResult
from edgecnn.trust.explain.study import Study
from tests.trust.inside.networks import OPTIONS, save_onnx

SCENE = "scene:cars?size=64&count=24"
SIDE = 64


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of the mean brightness whose three units are redness, blueness and brightness."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    colors = np.array([[1, -0.8, -0.8], [-0.8, -0.8, 1], [0.3, 0.4, 0.3]], np.float32)
    nodes = [
        node("Conv", ["image", "colors"], ["made"], kernel_shape=[1, 1]),
        node("Relu", ["made"], ["shown"]),
        node("GlobalAveragePool", ["shown"], ["mean"]),
        node("Flatten", ["mean"], ["flat"]),
        node("Gemm", ["flat", "head", "bias"], ["logits"], transB=1),
        node("Softmax", ["logits"], ["scores"]),
    ]
    constants = {
        "colors": colors.reshape(3, 3, 1, 1),
        "head": np.array([[0, 0, 0], [0, 0, 20]], np.float32),
        "bias": np.array([0, -7], np.float32),
    }
    path = tmp_path_factory.mktemp("model") / "colours.onnx"
    return save_onnx(path, nodes, constants, (1, 3, SIDE, SIDE), (1, 2), "scores")


def config(file: Path, data: str | None = SCENE, **values: object) -> ExplainConfig:
    options = dataclasses.replace(OPTIONS, labels=Path("dark,bright"))
    selection = None if data is None else DatasetSelection(data)
    return ExplainConfig(file=file, data=selection, options=options, **values)  # type: ignore[arg-type]


def page(*parts: SectionResult) -> str:
    return explain_page(Explanation("colours.onnx", "onnx", "fp32", "net", "", "", "", 12, 0, parts))


def test_a_unit_of_redness_in_a_file_is_a_detector_of_red(file: Path) -> None:
    with Study(config(file, page=True)) as study:
        found = dissection_section(study)
    assert found is not None
    units = found.document["layers"][0]["units"]
    assert [(one["kind"], one["concept"]) for one in units[:1]] == [("colour", "red")]
    assert units[0]["iou"] > 0.04
    assert any("best units" in line for line in found.lines)
    html = page(found)
    assert "What units detect" in html
    assert "colour: red" in html
    assert html.count("data:image") >= 4


def test_reasons_name_the_answer_and_what_changes_it(file: Path) -> None:
    with Study(config(file, page=True)) as study:
        found = reasons_section(study)
    assert found is not None
    document = found.document
    other = "dark" if document["said"]["class"] == "bright" else "bright"
    assert document["said"]["second"]["class"] == other
    changed = [one for one in document["changes"] if one["level"] is not None]
    assert [one["name"] for one in document["changes"]] == ["rotation", "shift", "darker", "brighter", "JPEG"]
    assert {"darker", "brighter"} & {one["name"] for one in changed}
    assert all(one["after"]["class"] == other for one in changed)
    html = page(found)
    assert html.count("<figcaption>") == html.count("data:image") >= 4
    assert "Evidence by occlusion" in html


def test_the_most_similar_image_has_another_class(file: Path) -> None:
    with Study(config(file)) as study:
        found = reasons_section(study)
        assert found is not None
        similar = found.document["similar"]
        said = [study.predictor(sample.read()) for sample in study.dataset.samples] if study.dataset else []
    classes = {one.top1 for one in said}  # type: ignore[attr-defined]
    assert (similar is not None) == (len(classes) == 2)
    if similar is not None:
        assert similar["said"]["class"] != found.document["said"]["class"]


def test_sections_need_what_they_are_about(file: Path) -> None:
    with Study(config(file, None)) as study:
        assert dissection_section(study) is None
        assert reasons_section(study) is None
