from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgecnn.benchmarks.record import Record, digest, names, size_of


def test_a_checkpoint_is_the_reference_wherever_it_stands(record_of: Callable[..., Record]) -> None:
    assert record_of(["a-int8.onnx", "a.safetensors"]).reference.format == "torch"
    assert record_of(["a-int8.onnx", "a-fp32.onnx"]).reference.name == "a-int8.onnx"


def test_the_reference_is_once_as_fast_as_itself(record_of: Callable[..., Record]) -> None:
    record = record_of()
    assert record.ratio(record.files[0], "model") == (1.0, 1.0, 1.0)
    whole, low, high = record.ratio(record.files[1], "model")
    assert low <= whole <= high
    assert whole > 2


def test_the_cold_start_is_the_median_and_memory_the_highest(record_of: Callable[..., Record]) -> None:
    own = record_of().files[0]
    totals = sorted(cold.total_ms for cold in own.cold)
    assert own.cold_start.total_ms == totals[1]
    assert own.memory_mib == 92.0


def test_files_of_one_name_get_their_folder() -> None:
    assert names([Path("a/x.onnx"), Path("b/x.onnx"), Path("b/y.onnx")]) == ["a/x.onnx", "b/x.onnx", "y.onnx"]


def test_size_and_digest_cover_the_weights_beside(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_bytes(b"x" * 10)
    (tmp_path / "m.bin").write_bytes(b"y" * 90)
    (tmp_path / "n.onnx").write_bytes(b"z" * 5)
    (tmp_path / "n.onnx.data").write_bytes(b"z" * 20)
    assert size_of(tmp_path / "m.xml") == 100
    assert size_of(tmp_path / "n.onnx") == 25
    before = digest(tmp_path / "m.xml")
    (tmp_path / "m.bin").write_bytes(b"z" * 90)
    assert digest(tmp_path / "m.xml") != before
