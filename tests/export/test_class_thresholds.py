"""Score thresholds of classes pass from the card of a network into the file of every format, with and without NMS in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.export import evidence_of, export, prepare
from edgecnn.export.config import GraphOptions
from edgecnn.export.verify.reference import Evidence
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shown_scores import with_class_thresholds
from edgecnn.types import Image

OWN = {"red": 0.45, "blue": 0.15}


@pytest.mark.parametrize("nms", [pytest.param(False, id="plain"), pytest.param(True, id="nms")])
@pytest.mark.parametrize("format", ["onnx", "tflite", "openvino"])
def test_the_file_keeps_them(
    format: str,
    nms: bool,
    detector: tuple[nn.Module, ModelCard],
    detector_evidence: Evidence,
    images: list[Image],
    tmp_path: Path,
) -> None:
    model, card = detector[0], with_class_thresholds(detector[1], OWN.items())
    prepared = prepare(model, card, "fp32", GraphOptions(nms=nms))
    evidence = evidence_of(prepared, images, "blocks") if nms else detector_evidence
    done = export(prepared, card, tmp_path, format=format, verify_with=evidence)
    with Predictor(done.path) as predictor:
        options = predictor.card.decode.options
        assert (options["class_thresholds"], options["score_threshold"]) == (OWN, 0.2)
    with Predictor(done.path, options=CardOptions(class_thresholds=(("blue", 0.6),))) as predictor:
        assert predictor.card.decode.options["class_thresholds"] == {"red": 0.45, "blue": 0.6}
    renamed = CardOptions(labels=Path("rot,blau"))
    with Predictor(done.path, options=renamed) as predictor:
        assert predictor.card.decode.options["class_thresholds"] == {"rot": 0.45, "blau": 0.15}
