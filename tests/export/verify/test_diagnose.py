"""Faults planted into real artifacts: each is refused, named, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, Precision, Preprocess
from edgecnn.export import Calibration, OutOfToleranceError, export
from edgecnn.export.graph import Deployable, inference_copy, wrap
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.diagnose import faults
from edgecnn.export.verify.reference import Evidence


def refuse(
    broken: PreparedModel, evidence: Evidence, out: Path, precision: Precision = "fp32", calibration: Calibration | None = None
) -> OutOfToleranceError:
    """Export a broken model to ONNX; gives the error that it has to end in."""
    with pytest.raises(OutOfToleranceError) as caught:
        export(
            broken,
            broken.reference.card,
            out,
            format="onnx",
            precision=precision,
            verify_with=evidence,
            calibration=calibration,
        )
    return caught.value


def with_graph(prepared: PreparedModel, change: Callable[[Deployable], object]) -> PreparedModel:
    """The same model in a graph that ``change`` spoils; its conversions are not shared."""
    graph, _ = wrap(inference_copy(prepared.reference.model), prepared.reference.card)
    change(graph)
    return dataclasses.replace(prepared, graph=graph, programs={})


def no_flip(graph: Deployable) -> None:
    graph.flip = False


def no_scale(graph: Deployable) -> None:
    graph.scale = torch.ones_like(graph.scale)


def no_mean(graph: Deployable) -> None:
    graph.has_mean = False


def zero_to_one(graph: Deployable) -> None:
    graph.has_mean, graph.scale = False, torch.full_like(graph.scale, 1 / 255)


class ReadAsNchw(nn.Module):
    """A wrapper that takes NHWC memory for NCHW instead of moving the axes."""

    def __init__(self, graph: Deployable) -> None:
        super().__init__()
        self.right, self.names, self.options, self.free_axes = graph, graph.names, graph.options, graph.free_axes
        self.input_names = graph.input_names

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The right preprocessing up to the layout."""
        rgb = torch.flip(image, [3]).float() * self.right.scale.reshape(1, 1, 1, -1)
        x = rgb.reshape(1, 3, image.shape[1], image.shape[2])
        return dict(zip(self.names, self.right.model(x).values(), strict=True))


@pytest.mark.parametrize(
    ("change", "cause", "hint"),
    [
        pytest.param(no_flip, "channel order", "BGR instead of RGB", id="forgets-the-flip"),
        pytest.param(no_scale, "scale", "pixels of 0..255", id="forgets-to-divide-by-255"),
    ],
)
def test_a_detector_whose_graph_prepares_the_image_wrongly(
    change: Callable[[Deployable], None],
    cause: str,
    hint: str,
    prepared_detector: PreparedModel,
    detector_evidence: Evidence,
    tmp_path: Path,
) -> None:
    error = refuse(with_graph(prepared_detector, change), detector_evidence, tmp_path)
    assert error.cause.name == cause
    assert hint in error.cause.why
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "cause", "hint"),
    [
        pytest.param(no_flip, "channel order", "BGR instead of RGB", id="forgets-the-flip"),
        pytest.param(no_mean, "scale", "no mean", id="forgets-the-mean"),
        pytest.param(zero_to_one, "scale", "pixels of 0..1", id="divides-by-255-instead-of-mean-and-std"),
    ],
)
def test_a_classifier_whose_graph_prepares_the_image_wrongly(
    change: Callable[[Deployable], None],
    cause: str,
    hint: str,
    prepared_classifier: PreparedModel,
    classifier_evidence: Evidence,
    tmp_path: Path,
) -> None:
    error = refuse(with_graph(prepared_classifier, change), classifier_evidence, tmp_path)
    assert error.cause.name == cause
    assert hint in error.cause.why


def test_a_layout_that_is_read_instead_of_moved(
    prepared_detector: PreparedModel, detector_evidence: Evidence, tmp_path: Path
) -> None:
    broken = dataclasses.replace(prepared_detector, graph=ReadAsNchw(prepared_detector.graph).eval(), programs={})  # type: ignore[arg-type]
    assert refuse(broken, detector_evidence, tmp_path).cause.name == "layout"


@pytest.mark.parametrize("precision", [pytest.param("fp32", id="fp32"), pytest.param("int8", id="int8")])
def test_a_card_with_another_resize_rule(
    precision: Precision, prepared_detector: PreparedModel, detector_evidence: Evidence, calibration: Calibration, tmp_path: Path
) -> None:
    card = prepared_detector.card
    broken = dataclasses.replace(
        prepared_detector, card=card.replace(preprocess=dataclasses.replace(card.preprocess, resize="stretch"))
    )
    error = refuse(broken, detector_evidence, tmp_path, precision, calibration if precision == "int8" else None)
    assert error.cause.name == "resize rule"
    assert "stretched images instead of letterbox" in error.cause.why


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"strides": [8, 16, 16]}, id="strides-that-do-not-fit"),
        pytest.param({"strides": [16, 16, 16]}, id="too-few-cells"),
        pytest.param({"score_threshold": 0.8}, id="score-threshold"),
        pytest.param({"iou_threshold": 0.05}, id="iou-threshold"),
    ],
)
def test_a_card_with_other_decoder_options(
    options: dict[str, Any], prepared_detector: PreparedModel, detector_evidence: Evidence, tmp_path: Path
) -> None:
    card = prepared_detector.card
    broken = dataclasses.replace(prepared_detector, card=card.replace(decode=Decode("fcos", {**card.decode.options, **options})))
    error = refuse(broken, detector_evidence, tmp_path)
    assert error.cause.name == "decode"
    assert "probable cause: decode" in str(error)


def test_int8_ranges_from_black_images(prepared_detector: PreparedModel, detector_evidence: Evidence, tmp_path: Path) -> None:
    black = Calibration([np.zeros((90, 120, 3), np.uint8)] * 16, "black", force=True)
    error = refuse(prepared_detector, detector_evidence, tmp_path, "int8", black)
    assert error.cause.name == "precision"
    assert "calibration images" in error.cause.why
    assert not list(tmp_path.iterdir())


def test_channel_order_is_named_in_int8_too(
    prepared_detector: PreparedModel, detector_evidence: Evidence, calibration: Calibration, tmp_path: Path
) -> None:
    error = refuse(with_graph(prepared_detector, no_flip), detector_evidence, tmp_path, "int8", calibration)
    assert error.cause.name == "channel order"


def test_weights_too_large_for_half_precision(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path
) -> None:
    def blow_up(graph: Deployable) -> None:
        head = graph.model.get_submodule("head")
        before = graph.model.get_submodule("features.2")
        head.weight.data /= 1e6  # type: ignore[operator]
        before.weight.data *= 1e6  # type: ignore[operator]
        before.bias.data *= 1e6  # type: ignore[operator]

    error = refuse(with_graph(prepared_classifier, blow_up), classifier_evidence, tmp_path, "fp16")
    assert error.cause.name == "precision"


def test_other_weights_are_no_fault_of_the_input(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path
) -> None:
    def other_weights(graph: Deployable) -> None:
        torch.manual_seed(99)
        nn.init.normal_(graph.model.get_submodule("head").weight)  # type: ignore[arg-type]

    assert refuse(with_graph(prepared_classifier, other_weights), classifier_evidence, tmp_path).cause.name == "conversion"


def test_a_failed_export_keeps_the_older_file(
    prepared_detector: PreparedModel, detector_evidence: Evidence, tmp_path: Path
) -> None:
    older = tmp_path / "tiny-detector-fp32.onnx"
    older.write_bytes(b"the older file")
    broken = with_graph(prepared_detector, no_flip)
    with pytest.raises(OutOfToleranceError):
        export(broken, broken.reference.card, tmp_path, format="onnx", verify_with=detector_evidence, force=True)
    assert [path.name for path in tmp_path.iterdir()] == [older.name]
    assert older.read_bytes() == b"the older file"


def test_no_fault_is_the_right_preprocessing() -> None:
    right = Preprocess(size=(32, 32), color="rgb", std=(255.0,))
    assert all(fault.preprocess != right or fault.twist is not None for fault in faults(right))


def test_a_gray_model_has_no_channel_order() -> None:
    assert "channel order" not in {fault.cause for fault in faults(Preprocess(size=(28, 28), color="gray"))}
