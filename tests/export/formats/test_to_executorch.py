"""The exporter to ExecuTorch, and the backend that runs its files."""

from __future__ import annotations

import io
import shutil
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.export import Artifact, Calibration, export
from edgecnn.export.config import check_names
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.reference import Evidence
from edgecnn.integrity.digest import check_digests
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.description import describe
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.runtime.snippets.program import snippet
from edgecnn.types import Image

pytest.importorskip("executorch")


@pytest.fixture(scope="module")
def detector_int8(
    prepared_detector: PreparedModel,
    detector_evidence: Evidence,
    calibration: Calibration,
    tmp_path_factory: pytest.TempPathFactory,
) -> Artifact:
    """A detector whose heads share their convolutions over three levels."""
    out = tmp_path_factory.mktemp("executorch")
    return export(
        prepared_detector,
        prepared_detector.reference.card,
        out,
        format="executorch",
        precision="int8",
        calibration=calibration,
        verify_with=detector_evidence,
    )


@pytest.fixture(scope="module")
def classifier_fp32(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path_factory: pytest.TempPathFactory
) -> Artifact:
    out = tmp_path_factory.mktemp("executorch")
    card = prepared_classifier.reference.card
    return export(prepared_classifier, card, out, format="executorch", verify_with=classifier_evidence)


def test_int8_detects_as_pytorch_does(detector_int8: Artifact, detector_evidence: Evidence, images: list[Image]) -> None:
    with Predictor(detector_int8.path) as predictor:
        assert [spec.name for spec in predictor.backend.outputs] == ["boxes", "scores"]
        found = [predictor(image) for image in images]
    expected = [output.prediction for output in detector_evidence.outputs[: len(images)]]
    counts = [(len(one), len(other)) for one, other in zip(found, expected, strict=True)]  # type: ignore[arg-type]
    assert sum(count for _, count in counts) > 0
    assert all(abs(one - other) <= 1 for one, other in counts)


def test_fp32_is_exact_and_the_selftest_passes(classifier_fp32: Artifact) -> None:
    assert max(row.worst.largest for row in classifier_fp32.parity.rows) < 1e-5
    assert not selftest_file(classifier_fp32.path)[1].violations


def test_the_card_and_the_digest_are_behind_the_program(classifier_fp32: Artifact, tmp_path: Path) -> None:
    digests = check_digests(classifier_fp32.path)
    assert digests is not None
    content = bytearray(classifier_fp32.path.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "changed.pte"
    changed.write_bytes(content)
    with pytest.raises(EdgeCnnError, match=r"not those that were verified|cannot load"):
        open_backend(changed).close()


def test_a_program_without_a_card_has_numbered_tensors(classifier_fp32: Artifact, tmp_path: Path) -> None:
    content = classifier_fp32.path.read_bytes()
    bare = tmp_path / "bare.pte"
    bare.write_bytes(content[: content.index(b"PK\x03\x04")])
    backend = open_backend(bare)
    assert ([spec.name for spec in backend.inputs], [spec.name for spec in backend.outputs]) == (["input_0"], ["output_0"])
    with pytest.raises(BackendError, match="named input_0"):
        backend.run({"image": np.zeros((1, 32, 32, 3), np.uint8)})
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.run({"input_0": np.zeros((1, 32, 32, 3), np.uint8)})


def test_a_result_belongs_to_the_caller(classifier_fp32: Artifact) -> None:
    backend = open_backend(classifier_fp32.path, requests=2, threads=1)
    assert backend.concurrency == 2
    black, white = (backend.run({"image": np.full((1, 32, 32, 3), value, np.uint8)})["logits"] for value in (0, 255))
    backend.close()
    assert not np.allclose(black, white)


def test_files_that_are_no_programs(tmp_path: Path, classifier_fp32: Artifact) -> None:
    wrong = tmp_path / "wrong.pte"
    wrong.write_bytes(b"no program at all")
    with pytest.raises(BackendError, match="its identifier ET is missing"):
        open_backend(wrong)
    shutil.copy(classifier_fp32.path, tmp_path / "right.pte")
    with pytest.raises(BackendError, match="on the CPU only"):
        open_backend(tmp_path / "right.pte", "gpu")


def test_fp16_is_refused_before_any_work() -> None:
    with pytest.raises(InputError, match="an ExecuTorch file is fp32 or int8"):
        check_names(["onnx", "executorch"], ["fp32", "fp16"])


def test_the_snippet_runs_the_program_without_edgecnn(
    classifier_fp32: Artifact, images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), images[0])
    monkeypatch.chdir(classifier_fp32.path.parent)
    monkeypatch.setattr(sys, "argv", ["program.py", str(picture)])
    text = snippet(describe(classifier_fp32.path), "python")
    with redirect_stdout(io.StringIO()) as output, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "This API is experimental"
        exec(compile(text, "program.py", "exec"), {"__name__": "__main__"})
    with Predictor(classifier_fp32.path) as predictor:
        score = predictor(images[0]).score
    labels = classifier_fp32.card.labels
    assert output.getvalue().splitlines() == [f"{score[index]:.5f} {labels[index]}" for index in np.argsort(-score)]
