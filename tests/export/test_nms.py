"""`edgecnn export --nms`: files that give final boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.cli.export import command
from edgecnn.errors import InputError
from edgecnn.export import Calibration, OutOfToleranceError, evidence_of, export, prepare
from edgecnn.export.config import GraphOptions
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.parity import judged, verify
from edgecnn.export.verify.reference import Evidence
from edgecnn.metrics.match import match
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.types import Detections, Image

Network = tuple[nn.Module, ModelCard]


@pytest.fixture(scope="module")
def with_nms(detector: Network) -> PreparedModel:
    return prepare(*detector, "fp32", GraphOptions(nms=True))


@pytest.fixture(scope="module")
def evidence(with_nms: PreparedModel, images: list[Image]) -> Evidence:
    return evidence_of(with_nms, images, "blocks")


@pytest.fixture(scope="module")
def file(with_nms: PreparedModel, evidence: Evidence, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("nms")
    return export(with_nms, with_nms.reference.card, folder, format="onnx", verify_with=evidence).path


def test_predicts_the_boxes_of_a_file_without_nms(
    file: Path, detector_evidence: Evidence, images: list[Image], detector: Network
) -> None:
    with Predictor(file) as predictor:
        assert predictor.card.decode.options["nms_of"] == "fcos"
        assert [spec.name for spec in predictor.backend.outputs] == ["boxes", "scores", "classes", "count"]
        for image, expected in zip(images, detector_evidence.outputs, strict=False):
            found, right = predictor(image), expected.prediction
            assert isinstance(found, Detections)
            assert isinstance(right, Detections)
            pairs = match(right, found, iou=0.99)
            assert len(pairs) == len(right) == len(found)
            assert np.abs(pairs.score_difference).max(initial=0) < 1e-5


@pytest.mark.parametrize("format", ["onnx", "openvino", "tflite"])
def test_int8_and_selftest(
    format: str, with_nms: PreparedModel, evidence: Evidence, calibration: Calibration, tmp_path: Path
) -> None:
    card = with_nms.reference.card
    made = export(with_nms, card, tmp_path, format=format, precision="int8", calibration=calibration, verify_with=evidence)
    assert next(row for row in made.parity.rows if row.kind == "real").agree
    card, result = selftest_file(made.path)
    assert not result.violations
    assert result.engine is not None
    assert result.engine.largest < 1e-4  # 16 bits are recorded


def test_rows_that_change_places_are_no_error(file: Path, evidence: Evidence) -> None:
    parity, outputs = verify(file, evidence)
    assert parity.passed
    for one in outputs:
        count = int(one.outputs["count"][0])
        for name in ("boxes", "scores", "classes"):
            one.outputs[name][0, :count] = one.outputs[name][0, :count][::-1]
    assert judged(evidence, outputs, "fp32").rows == parity.rows


@pytest.mark.parametrize("fault", ["missing", "moved", "score", "class"])
def test_wrong_boxes_are_noticed(fault: str, file: Path, evidence: Evidence, with_nms: PreparedModel) -> None:
    _, outputs = verify(file, evidence)
    changed = []
    for probe, one in zip(evidence.probes, outputs, strict=True):
        found = {name: array.copy() for name, array in one.outputs.items()}
        if fault == "missing":
            found["count"] = found["count"] // 2
        elif fault == "moved":
            found["boxes"] += np.float32(0.5)
        elif fault == "score":
            found["scores"] *= np.float32(0.99)
        else:
            found["classes"] = 1 - found["classes"]
        changed.append(_with_outputs(probe.image, found, with_nms))
    parity = judged(evidence, changed, "fp32")
    assert any(row.kind == "real" and row.violations for row in parity.rows)


def _with_outputs(image: Image, outputs: Any, prepared: PreparedModel) -> Any:
    from edgecnn.export.verify.reference import ModelOutput
    from edgecnn.postprocess import decode
    from edgecnn.preprocess import geometry
    from edgecnn.tasks import to_source

    place = geometry(prepared.card.preprocess, image.shape[1], image.shape[0])
    return ModelOutput(outputs, to_source(decode(outputs, prepared.card), place))


def test_a_wrong_channel_order_is_named(detector: Network, images: list[Image], tmp_path: Path) -> None:
    prepared = prepare(*detector, "fp32", GraphOptions(nms=True))
    evidence = evidence_of(prepared, images, "blocks")
    prepared.graph.model = _Swapped(prepared.graph.model)
    with pytest.raises(OutOfToleranceError) as caught:
        export(prepared, detector[1], tmp_path, format="onnx", verify_with=evidence)
    assert caught.value.cause.name == "channel order"
    assert not list(tmp_path.iterdir())


class _Swapped(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Any) -> Any:
        return self.model(x.flip(1))


def test_thresholds_of_a_run_stay_within_the_graph(file: Path) -> None:
    with Predictor(file, options=CardOptions(score_threshold=0.001, max_detections=500)) as predictor:
        options = predictor.card.decode.options
        assert (options["score_threshold"], options["max_detections"]) == (0.2, 50)
    with pytest.raises(InputError, match=r"--iou-threshold can't change .*suppresses boxes with 0.5"):
        Predictor(file, options=CardOptions(iou_threshold=0.7))
    Predictor(file, options=CardOptions(iou_threshold=0.5, class_agnostic=False)).close()
    with pytest.raises(InputError, match=r"--class-agnostic can't change .*suppresses boxes itself; leave it out"):
        Predictor(file, options=CardOptions(class_agnostic=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 2}, "--nms is for one image of a fixed size"),
        ({"batch": -1}, "--nms is for one image of a fixed size"),
        ({"dynamic_size": True}, "--nms is for one image of a fixed size"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GraphOptions(nms=True, **options)


def test_a_classifier_and_executorch_are_refused(classifier: Network, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a model of the task classify, without boxes; leave out --nms"):
        prepare(*classifier, "fp32", GraphOptions(nms=True))
    result = CliRunner().invoke(command, ["cups", "--format", "executorch", "--nms", "--out", str(tmp_path)])
    assert "--nms is not possible in executorch" in str(result.exception)
