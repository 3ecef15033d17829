"""What every exporter keeps, whatever the format: inherit ``ExporterContract`` and name the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgecnn.card import CARD_KEY, ModelCard, Precision
from edgecnn.export import Artifact, Calibration, export
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.reference import Evidence
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.types import Image

LARGEST = {"fp32": 1e-4, "fp16": 1e-2}
SHARE = {"fp16": (0.45, 0.6), "int8": (0.2, 0.4)}  # of the fp32 file of a small model, card and goldens included


class ExporterContract:
    """A tiny detector and a tiny classifier in three precisions, each exported once."""

    format: str

    @pytest.fixture(scope="class")
    @classmethod
    def artifacts(
        cls,
        tmp_path_factory: pytest.TempPathFactory,
        prepared_detector: PreparedModel,
        prepared_classifier: PreparedModel,
        detector_evidence: Evidence,
        classifier_evidence: Evidence,
        calibration: Calibration,
    ) -> dict[tuple[str, str], Artifact]:
        out = tmp_path_factory.mktemp(cls.format)
        jobs = {"detect": (prepared_detector, detector_evidence), "classify": (prepared_classifier, classifier_evidence)}
        return {
            (task, precision): cls.export_one(prepared, evidence, calibration, out, precision)
            for task, (prepared, evidence) in jobs.items()
            for precision in ("fp32", "fp16", "int8")
        }

    @classmethod
    def export_one(
        cls, prepared: PreparedModel, evidence: Evidence, calibration: Calibration, out: Path, precision: Any, **options: Any
    ) -> Artifact:
        return export(
            prepared,
            prepared.reference.card,
            out,
            format=cls.format,
            precision=precision,
            calibration=calibration if precision == "int8" else None,
            verify_with=evidence,
            **options,
        )

    @pytest.fixture(params=["detect", "classify"])
    def task(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture(params=["fp32", "fp16", "int8"])
    def precision(self, request: pytest.FixtureRequest) -> Precision:
        return request.param  # type: ignore[no-any-return]

    @pytest.fixture
    def artifact(self, artifacts: dict[tuple[str, str], Artifact], task: str, precision: str) -> Artifact:
        return artifacts[task, precision]

    def test_the_file_carries_a_card_that_fits_it(self, artifact: Artifact, task: str, precision: str) -> None:
        backend = open_backend(artifact.path)
        card = card_for(backend, artifact.path, CardOptions())
        backend.close()
        assert card == artifact.card
        assert (card.task, card.precision) == (task, precision)
        assert card.parity["passed"]
        assert bool(card.calibration) == (precision == "int8")

    def test_the_input_is_the_image_of_a_camera(self, artifact: Artifact) -> None:
        backend = open_backend(artifact.path)
        (image,) = backend.inputs
        backend.close()
        height, width = artifact.card.preprocess.size
        assert (image.name, image.dtype, image.layout, image.shape) == ("image", "uint8", "NHWC", (1, height, width, 3))
        assert artifact.card.preprocess.is_raw
        assert artifact.card.preprocess.color == "bgr"

    def test_the_outputs_have_names_and_are_real_numbers(self, artifact: Artifact, task: str) -> None:
        backend = open_backend(artifact.path)
        outputs = {spec.name: spec.dtype for spec in backend.outputs}
        backend.close()
        assert outputs == dict.fromkeys(["boxes", "scores"] if task == "detect" else ["logits"], "float32")

    def test_errors_are_within_the_figures_of_the_precision(self, artifact: Artifact, precision: str) -> None:
        largest = max(row.worst.largest for row in artifact.parity.rows)
        assert largest <= LARGEST.get(precision, 1.0)
        assert {row.kind for row in artifact.parity.rows} == {"real", "black", "white", "noise", "gradient", "wide", "tall"}

    def test_predictions_agree_with_pytorch(
        self, artifact: Artifact, task: str, images: list[Image], detector_evidence: Evidence, classifier_evidence: Evidence
    ) -> None:
        evidence = detector_evidence if task == "detect" else classifier_evidence
        rows = {row.kind: row for row in artifact.parity.rows}
        assert rows["real"].n == len(images)
        assert rows["real"].agree is not None
        assert rows["real"].agree >= 0.9
        with Predictor(artifact.path) as predictor:
            assert type(predictor(images[0])) is type(evidence.outputs[0].prediction)

    def test_goldens_inside_pass(self, artifact: Artifact) -> None:
        backend = open_backend(artifact.path)
        result = selftest(backend, artifact.card, artifact.path)
        backend.close()
        assert [row.kind for row in result.rows] == ["real", "black", "noise"]
        assert not result.violations
        assert result.digests is not None
        assert result.digests.graph == artifact.card.graph_sha256

    def test_int8_outputs_are_those_recorded_at_export(self, artifact: Artifact, precision: str) -> None:
        backend = open_backend(artifact.path)
        comparison = selftest(backend, artifact.card, artifact.path).engine
        backend.close()
        assert (comparison is not None) == (precision == "int8")
        if comparison is not None:
            assert comparison.limit is not None
            assert comparison.largest < 1e-4

    def test_parity_is_stored_beside_the_file(self, artifact: Artifact) -> None:
        stored = json.loads(artifact.path.with_name(f"{artifact.path.name}.parity.json").read_text())
        assert stored["passed"] is True
        assert stored["rows"] == json.loads(json.dumps(artifact.card.parity["rows"]))

    def test_smaller_precisions_make_smaller_files(self, artifacts: dict[tuple[str, str], Artifact]) -> None:
        whole = artifacts["classify", "fp32"].bytes
        for precision, (least, most) in SHARE.items():
            assert least < artifacts["classify", precision].bytes / whole < most, precision

    def test_nothing_but_artifacts_is_left(self, artifacts: dict[tuple[str, str], Artifact]) -> None:
        paths = [artifact.path for artifact in artifacts.values()]
        expected = {path.name for path in paths} | {f"{path.name}.parity.json" for path in paths}
        expected |= {path.with_suffix(".bin").name for path in paths if path.suffix == ".xml"}
        assert {path.name for path in paths[0].parent.iterdir()} == expected

    def test_the_card_of_the_file_can_be_read_back(self, artifact: Artifact) -> None:
        backend = open_backend(artifact.path)
        text = backend.metadata[CARD_KEY]
        backend.close()
        assert ModelCard.from_json(text) == artifact.card
