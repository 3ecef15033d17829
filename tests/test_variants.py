"""What `edgecnn compress` does, from Python: compression, report, and the latency of checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgecnn.compress import CompressConfig, compress  # noqa: E402
from edgecnn.errors import BackendError, InputError  # noqa: E402
from edgecnn.export.config import ExportConfig  # noqa: E402
from edgecnn.models import create, read_card, save_checkpoint  # noqa: E402
from edgecnn.models.new_card import new_card  # noqa: E402
from edgecnn.train import TrainConfig, train  # noqa: E402
from edgecnn.variants import (  # noqa: E402
    VariantConfig,
    compress_and_report,
    export_variants,
    latency_meter,
    named_checkpoints,
    teacher_checkpoints,
    write_report,
)


@pytest.fixture(scope="module")
def digits(make_digits: Callable[[int, int], Path]) -> Path:
    return make_digits(64, 16)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A checkpoint of an untrained network."""
    options = {"classes": 10, "channels": 1, "size": (28, 28), "hidden": 16}
    card = new_card("mlp", options, tuple("0123456789"))
    save_checkpoint(tmp_path / "start.safetensors", create("mlp", **options), card)
    return tmp_path / "start.safetensors"


def config(digits: Path, out: Path, model: str = "") -> TrainConfig:
    return TrainConfig(model=model, data=(str(digits),), out=out, epochs=1, batch=32, workers=1)


def test_a_training_from_python_gives_its_checkpoint(digits: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    path = train(config(digits, tmp_path / "run", "mlp"), lines.append)
    assert path == tmp_path / "run/model.safetensors"
    assert read_card(path).training["command"].startswith("edgecnn train mlp --data")
    assert [line.partition("  ")[0] for line in lines[1:2]] == ["epoch 1/1"]


def test_a_compression_from_python_gives_its_checkpoints_and_a_report(digits: Path, start: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    compression = CompressConfig(train=config(digits, tmp_path / "run"), checkpoint=str(start), qat=True, qat_epochs=1)
    made = compress_and_report(compression, VariantConfig(calibration=str(digits), formats=()), lines.append)
    assert [path.name for path in made] == ["00-start.safetensors", "01-qat.safetensors"]
    assert [line for line in lines if line.startswith("wrote ")] == [
        f"wrote {tmp_path / 'run' / name}" for name in ("report.json", "report.md", "pareto.png")
    ]
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["schema_version"] == 2
    assert [variant["cost"]["size_bytes"] for variant in report["variants"]] == [path.stat().st_size for path in made]
    assert all(variant["files"] == [] for variant in report["variants"])


def test_names_of_runs_and_checkpoints_to_compare(digits: Path, start: Path, tmp_path: Path) -> None:
    compress(CompressConfig(train=config(digits, tmp_path / "run"), checkpoint=str(start), qat=True, qat_epochs=1))
    steps = [tmp_path / "run" / name for name in ("00-start.safetensors", "01-qat.safetensors")]
    assert named_checkpoints([tmp_path / "run"]) == [("00-start", steps[0]), ("01-qat", steps[1])]
    both = named_checkpoints([tmp_path / "run", start])
    assert [name for name, _ in both] == ["run-00-start", "run-01-qat", "start"]
    with pytest.raises(InputError, match=r"holds no run of edgecnn compress \(no run.json\)"):
        named_checkpoints([tmp_path])


def test_teachers_are_numbered_where_there_are_several(start: Path) -> None:
    assert teacher_checkpoints([str(start)]) == [("teacher", start)]
    assert [name for name, _ in teacher_checkpoints([str(start)] * 2)] == ["teacher-1", "teacher-2"]


def test_an_unknown_format_is_refused_before_any_work() -> None:
    with pytest.raises(InputError, match="'coreml' is not one of onnx"):
        VariantConfig(calibration="scene:cups?count=8", formats=("coreml",))


@pytest.mark.slow
def test_files_are_measured_and_latencies_refer_to_an_artifact(digits: Path, start: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    measure = VariantConfig(calibration=str(digits), data=f"{digits}?split=test", formats=("onnx",), precisions=("fp32",))
    write_report([("start", start)], measure, tmp_path / "report")
    (file,) = json.loads((tmp_path / "report/report.json").read_text())["variants"][0]["files"]
    assert (file["format"], file["precision"]) == ("onnx", "fp32")
    assert 0 < file["model_latency_ms"] <= file["task_latency_ms"]
    assert 0 <= file["accuracy"] <= 1
    from edgecnn.export import run_exports

    run_exports(ExportConfig(model=str(start), formats=("onnx",), out=tmp_path, name="reference"))
    with latency_meter(tmp_path / "reference-fp32.onnx", measure) as meter:
        assert meter.target_ms is not None
        assert meter.target_ms / 3 < meter(start) < meter.target_ms * 3  # the same network: only noise lies between


def test_variants_are_exported_once_and_what_fails_is_a_line(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    said: list[str] = []
    first = export_variants(start, tmp_path / "out", ["onnx"], ["fp32"], say=said.append)
    assert [path.name for path in first.files] == ["start-fp32.onnx"]
    assert first.missing == ("int8, which needs --calibration ADDRESS, a dataset for its ranges",)
    assert said == ["exporting start to onnx in fp32"]
    made = first.files[0].stat().st_mtime_ns

    asked: list[ExportConfig] = []

    def failing(config: ExportConfig, *_: object) -> tuple[list[object], dict[str, BackendError]]:
        asked.append(config)
        return [], {"start-int8.onnx": BackendError("no way", "find one")}

    monkeypatch.setattr("edgecnn.variants.export_each", failing)
    second = export_variants(start, tmp_path / "out", ["onnx"], ["fp32", "fp16"], "digits", said.append)
    assert [(one.precisions, one.calibration) for one in asked] == [(("fp16", "int8"), "digits")]
    assert second.files == first.files
    assert second.files[0].stat().st_mtime_ns == made
    assert second.missing == ("start-int8.onnx could not be exported: no way; find one",)
    assert "1 file of this checkpoint is there already, and is taken as it is" in said[1]


def test_files_of_another_checkpoint_are_not_taken(start: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    export_variants(start, tmp_path / "out", ["onnx"], ["fp32"], say=lambda _: None)
    torch.manual_seed(5)
    options = {"classes": 10, "channels": 1, "size": (28, 28), "hidden": 16}
    save_checkpoint(start, create("mlp", **options), new_card("mlp", options, tuple("0123456789")))
    with pytest.raises(
        InputError, match=r"start-fp32\.onnx is of another checkpoint; name another folder with --export, or remove it"
    ):
        export_variants(start, tmp_path / "out", ["onnx"], ["fp32"], say=lambda _: None)
