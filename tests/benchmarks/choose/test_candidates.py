from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn import shipped
from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.candidates import (
    EngineVariant,
    exactness,
    further_precisions,
    model_paths,
    thread_counts,
    variants_of,
    worth_exporting,
)
from edgecnn.devices import DeviceProfile
from edgecnn.engine_device import CPU, parse_device
from edgecnn.errors import InputError


def device(*features: str) -> DeviceProfile:
    return DeviceProfile("Board", "x86_64", "CPU", 4, 4, features)


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(b"x")
    return [(folder / name).resolve() for name in names]


def test_a_folder_stands_for_its_model_files(tmp_path: Path) -> None:
    a, b, _, _ = touch(tmp_path, "a.onnx", "b.xml", "b.bin", "net.safetensors")
    assert model_paths([tmp_path]) == (a, b)
    assert model_paths([b, tmp_path, b]) == (b, a)


def test_a_shipped_model_stands_for_its_checkpoint_too() -> None:
    assert [path.name for path in model_paths([shipped.artifact("cups")])] == ["cups.onnx", "cups.safetensors"]


@pytest.mark.parametrize(
    ("name", "said"), [("", "holds no model file"), ("missing.onnx", "does not exist"), ("a.txt", "no model file")]
)
def test_what_is_no_model_file_is_one_line(name: str, said: str, tmp_path: Path) -> None:
    if name == "a.txt":
        touch(tmp_path, name)
    with pytest.raises(InputError, match=said):
        model_paths([tmp_path / name])


def test_each_installed_engine_that_opens_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx, tflite = touch(tmp_path, "a.onnx", "a.tflite")
    installed = ("onnx", "openvino")
    monkeypatch.setattr("edgecnn.runtime.backends.engines.installed_formats", lambda: installed)
    assert variants_of(onnx) == (EngineVariant(onnx, "onnxruntime"), EngineVariant(onnx, "openvino"))
    assert variants_of(tflite) == ()
    assert variants_of(onnx, "openvino:bf16") == (EngineVariant(onnx, "openvino:bf16"),)
    assert variants_of(tflite, "openvino") == ()


def test_other_precisions_only_where_the_processor_has_them() -> None:
    one = EngineVariant(Path("a.onnx"), "openvino")
    bf16 = EngineVariant(Path("a.onnx"), "openvino:bf16")
    assert list(further_precisions(one, "fp32", device("avx512-bf16"))) == [bf16]
    assert list(further_precisions(one, "int8", device("avx512-bf16"))) == [bf16]
    assert list(further_precisions(one, "fp32", device("avx2"))) == []
    assert list(further_precisions(one, "fp16", device("avx512-bf16"))) == []
    assert list(further_precisions(bf16, "fp32", device("avx512-bf16"))) == []
    assert list(further_precisions(EngineVariant(Path("a.onnx"), "onnxruntime"), "fp32", device("avx512-bf16"))) == []


def test_half_precision_is_exported_where_it_can_win() -> None:
    half = ("fp32", "fp16"), ()
    plain, line = worth_exporting(device("avx2"), CPU, Budget())
    assert plain == ("fp32",)
    assert line == ("fp16, which this processor computes in fp32; with --max-size or --max-memory it is exported, too",)
    assert worth_exporting(device("neon", "fp16"), CPU, Budget()) == half
    assert worth_exporting(device("avx2"), parse_device("cuda"), Budget()) == half
    assert worth_exporting(device("avx2"), CPU, Budget(max_size_bytes=10)) == half


def test_threads_and_exactness() -> None:
    assert thread_counts(8) == (8, 4, 1)
    assert thread_counts(2) == (2, 1)
    assert thread_counts(1) == (1,)
    order = [("fp32", ""), ("fp16", ""), ("fp32", "bf16"), ("int8", ""), ("unknown", "")]
    assert sorted(order, key=lambda one: exactness(*one)) == order
    assert exactness("int8", "bf16") == exactness("int8", "")
