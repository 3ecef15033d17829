"""Exporting as a whole: refused before any work, written whole or not at all, the older file kept."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, Sample
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.export import Calibration, OutOfToleranceError, export
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.publish import publish, staging_folder
from edgecnn.export.quiet import quiet
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.reference import Evidence
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Image


def one(prepared: PreparedModel, evidence: Evidence, out: Path, **options: Any) -> Any:
    return export(prepared, prepared.reference.card, out, verify_with=evidence, **{"format": "onnx", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"format": "onx"}, "'onx' is not one of onnx, tflite, openvino, executorch", id="format"),
        pytest.param({"precision": "int4"}, "'int4' is not one of fp32, fp16, int8", id="precision"),
        pytest.param({"precision": "int8"}, "--calibration", id="int8-without-calibration"),
        pytest.param({"name": "../net"}, "--name", id="name-with-a-folder"),
    ],
)
def test_what_can_not_be_is_refused_before_any_work(
    options: dict[str, Any], message: str, classifier: tuple[nn.Module, ModelCard], tmp_path: Path
) -> None:
    class Unusable(nn.Module):
        """Any work with it would raise another error."""

    with pytest.raises(InputError) as caught:
        export(Unusable(), classifier[1], tmp_path / "out", **{"format": "onnx", **options})
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("package", "format", "precision"),
    [
        pytest.param("torch", "onnx", "fp32", id="torch"),
        pytest.param("onnxscript", "onnx", "fp32", id="onnxscript"),
        pytest.param("nncf", "openvino", "int8", id="nncf"),
        pytest.param("litert_torch", "tflite", "fp32", id="litert-torch"),
        pytest.param("ai_edge_quantizer", "tflite", "fp16", id="ai-edge-quantizer"),
    ],
)
def test_a_missing_package_names_the_command_that_installs_it(
    package: str, format: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgecnn.export.config import check_targets

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        check_targets([format], [precision], calibrated=True)
    assert str(caught.value) == (f'{package.replace("_", "-")} is not installed; run: pip install "edgecnn[export]"')


def test_openvino_without_nncf_still_makes_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecnn.export.config import check_targets

    monkeypatch.setitem(sys.modules, "nncf", None)
    check_targets(["openvino"], ["fp32", "fp16"], calibrated=False)


def test_a_file_that_is_there_is_not_replaced_without_force(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path
) -> None:
    older = tmp_path / "tiny-classifier-fp32.onnx"
    older.write_bytes(b"older")
    with pytest.raises(InputError, match="--force"):
        one(prepared_classifier, classifier_evidence, tmp_path)
    assert older.read_bytes() == b"older"
    artifact = one(prepared_classifier, classifier_evidence, tmp_path, force=True)
    assert artifact.path == older
    assert older.stat().st_size > 1000


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Each file stays under ``size`` bytes, as on a disk that is full after that many."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("format", ["onnx", "openvino", "tflite"])
def test_a_full_disk_leaves_the_older_file_and_nothing_else(
    format: str, prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path
) -> None:
    artifact = one(prepared_classifier, classifier_evidence, tmp_path, format=format)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    message = r"^can't write .*: (file too large|no space left on device); free some space, or choose another folder with --out$"
    with files_of_at_most(100_000), pytest.raises(InputError, match=message):
        one(prepared_classifier, classifier_evidence, tmp_path, format=format, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert artifact.path.name in before


@pytest.mark.parametrize("mode", [pytest.param(0o555, id="readable"), pytest.param(0o000, id="not-even-readable")])
def test_a_folder_that_may_not_be_written_to(
    mode: int, prepared_classifier: PreparedModel, classifier_evidence: Evidence
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        locked = Path(parent) / "locked"
        locked.mkdir()
        locked.chmod(mode)
        with as_nobody(), pytest.raises(InputError, match=r"can't write .*: permission denied; choose another"):
            one(prepared_classifier, classifier_evidence, locked)
        locked.chmod(0o755)
        assert not list(locked.iterdir())


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_in_place_of_the_folder(prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match=r"out is a file, not a folder"):
        one(prepared_classifier, classifier_evidence, tmp_path / "out")


def test_an_interruption_leaves_nothing(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecnn.export.artifact_builder.verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one(prepared_classifier, classifier_evidence, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pair_of_files_is_never_of_two_exports(tmp_path: Path) -> None:
    for name in ("net.bin", "net.xml"):
        (tmp_path / name).write_text("old")
    with staging_folder(tmp_path) as draft:
        (draft / "net.bin").write_text("new")
        with pytest.raises(InputError):
            publish(draft, tmp_path, ["net.bin", "net.xml"])  # the second is missing: its rename fails
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"net.bin": "old", "net.xml": "old"}


def test_a_staging_folder_that_was_made_for_nothing_is_gone(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "a" / "b") as draft:
        assert draft.is_dir()
    assert not (tmp_path / "a" / "b").exists()


def test_a_calibration_set_of_three_images() -> None:
    with pytest.raises(InputError, match="holiday pictures has 3 calibration images, fewer than 64"):
        Calibration([np.zeros((4, 4, 3), np.uint8)] * 3, "holiday pictures")
    assert len(Calibration([np.zeros((4, 4, 3), np.uint8)] * 3, "holiday pictures", force=True).images) == 3


def test_without_real_images_noise_stands_in_and_is_called_so(prepared_classifier: PreparedModel, tmp_path: Path) -> None:
    artifact = one(prepared_classifier, (), tmp_path)  # type: ignore[arg-type]
    assert artifact.parity.rows[0].kind == "noise only"
    assert "blurred noise" in artifact.card.parity["real_inputs"]


def labelled(images: list[Image], reference: Any, wrong: int = 0) -> Dataset:
    """The images with PyTorch's own answers for truth, but for the first ``wrong``."""
    truths = [reference(image).prediction.top1 for image in images]
    truths = [(label + (index < wrong)) % 3 for index, label in enumerate(truths)]
    samples = [
        Sample(str(index), lambda image=image: image, label=label)
        for index, (image, label) in enumerate(zip(images, truths, strict=True))
    ]
    return Dataset("blocks", "classify", ("red", "blue", "green"), samples)


def test_accuracy_beside_pytorch_goes_into_the_card(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, images: list[Image], tmp_path: Path
) -> None:
    accuracy = Accuracy(prepared_classifier.reference, labelled(images, prepared_classifier.reference, wrong=3))
    artifact = one(prepared_classifier, classifier_evidence, tmp_path, accuracy=accuracy)
    got = artifact.card.parity["accuracy"]
    assert (got["metric"], got["n"], got["data"]) == ("top-1", 12, "blocks")
    assert got["pytorch"] == pytest.approx(0.75)
    assert got["artifact"] == pytest.approx(0.75)


def test_a_file_that_falls_short_on_a_dataset_is_not_kept(
    prepared_classifier: PreparedModel, classifier_evidence: Evidence, calibration: Calibration, tmp_path: Path
) -> None:
    """The probes agree; the dataset is made of images so close to the border of two classes that int8 decides otherwise."""
    options = {"precision": "int8", "calibration": calibration}
    reference = prepared_classifier.reference
    with Predictor(one(prepared_classifier, classifier_evidence, tmp_path / "first", **options).path) as predictor:
        moved = [image for image in at_the_border() if top1(predictor(image)) != top1(reference(image).prediction)]
    assert moved
    accuracy = Accuracy(reference, labelled(moved, reference))
    with pytest.raises(OutOfToleranceError, match=r"top-1 100\.00 -> 0\.00 on blocks, 0\.5 points allowed") as caught:
        one(prepared_classifier, classifier_evidence, tmp_path / "second", accuracy=accuracy, **options)
    assert caught.value.cause.name == "precision"
    assert not list((tmp_path / "second").glob("*"))


def at_the_border() -> Iterator[Image]:
    """Plain colours with a little more red than blue."""
    for blue, more in itertools.product(range(80, 200), range(14, 30)):
        yield np.full((32, 32, 3), (blue, 60, blue + more), np.uint8)


def top1(prediction: Any) -> int:
    return int(prediction.top1)


def test_converters_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        print("python")
        os.write(1, b"native")
        os.write(2, b"native")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    print("after")
    assert capfd.readouterr().out == "after\n"
