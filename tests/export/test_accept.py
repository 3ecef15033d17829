"""A file that is out of tolerance and kept on request says so wherever it is used, and its goldens still work."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from edgecnn.card import ACCEPTED
from edgecnn.export import Calibration, OutOfToleranceError, export
from edgecnn.export.graph import inference_copy, wrap
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.reference import Evidence
from edgecnn.runtime.model.output_checks import accepted_deviation
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file


def test_a_file_out_of_tolerance_is_kept_and_says_so(
    prepared_detector: PreparedModel, detector_evidence: Evidence, tmp_path: Path
) -> None:
    black = Calibration([np.zeros((90, 120, 3), np.uint8)] * 16, "black", force=True)
    artifact = export(
        prepared_detector,
        prepared_detector.reference.card,
        tmp_path,
        format="onnx",
        precision="int8",
        calibration=black,
        verify_with=detector_evidence,
        accept=True,
    )
    assert not artifact.card.parity["passed"]
    assert artifact.card.parity[ACCEPTED] == list(artifact.parity.violations)
    card, result = selftest_file(artifact.path)
    assert not result.violations
    assert "was accepted so: real: " in accepted_deviation(card, artifact.path)
    with Predictor(artifact.path) as predictor:
        assert accepted_deviation(card, artifact.path) in predictor.warnings()


def test_a_file_within_tolerance_has_nothing_to_accept(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path
) -> None:
    card = prepared_classifier.reference.card
    artifact = export(prepared_classifier, card, tmp_path, format="onnx", verify_with=classifier_evidence, accept=True)
    assert artifact.card.parity["passed"]
    assert ACCEPTED not in artifact.card.parity
    assert not accepted_deviation(artifact.card, artifact.path)


def test_outputs_that_are_not_finite_are_not_accepted(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path
) -> None:
    graph, _ = wrap(inference_copy(prepared_classifier.reference.model), prepared_classifier.reference.card)
    head = graph.model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    head.bias.data[0] = float("nan")
    broken = dataclasses.replace(prepared_classifier, graph=graph, programs={})
    with pytest.raises(OutOfToleranceError, match="not finite"):
        export(broken, broken.reference.card, tmp_path, format="onnx", verify_with=classifier_evidence, accept=True)
    assert not list(tmp_path.iterdir())
