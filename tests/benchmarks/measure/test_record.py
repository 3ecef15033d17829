from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from edgecnn.benchmarks.measure.record import Record, display_names, file_size, sha256_of
from edgecnn.benchmarks.measure.verdict import Verdict


def test_a_checkpoint_is_the_reference_wherever_it_stands(record_of: Callable[..., Record]) -> None:
    assert record_of(["a-int8.onnx", "a.safetensors"]).reference.format == "torch"
    assert record_of(["a-int8.onnx", "a-fp32.onnx"]).reference.name == "a-int8.onnx"


def test_the_reference_is_once_as_fast_as_itself(record_of: Callable[..., Record]) -> None:
    record = record_of()
    assert record.speedup(record.files[0], "model") == (1.0, 1.0, 1.0)
    whole, low, high = record.speedup(record.files[1], "model")
    assert low <= whole <= high
    assert whole > 2


def test_the_cold_start_is_the_median_and_memory_the_highest(record_of: Callable[..., Record]) -> None:
    own = record_of().files[0]
    totals = sorted(start.total_ms for start in own.cold_starts)
    assert own.cold_start.total_ms == totals[1]
    assert own.memory_mib == 92.0


def test_files_of_one_name_get_their_folder() -> None:
    assert display_names([Path("a/x.onnx"), Path("b/x.onnx"), Path("b/y.onnx")]) == ["a/x.onnx", "b/x.onnx", "y.onnx"]
    assert display_names([Path("a/n/x.onnx"), Path("b/n/x.onnx"), Path("/x.onnx")]) == ["a/n/x.onnx", "b/n/x.onnx", "/x.onnx"]
    here = Path.cwd().name
    assert display_names([Path("x.onnx"), Path("a/x.onnx")]) == [f"{here}/x.onnx", "a/x.onnx"]
    assert display_names([Path("x.onnx"), Path("x.onnx")]) == ["x.onnx", "x.onnx"]


def test_size_and_digest_cover_the_weights_beside(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_bytes(b"x" * 10)
    (tmp_path / "m.bin").write_bytes(b"y" * 90)
    (tmp_path / "n.onnx").write_bytes(b"z" * 5)
    (tmp_path / "n.onnx.data").write_bytes(b"z" * 20)
    assert file_size(tmp_path / "m.xml") == 100
    assert file_size(tmp_path / "n.onnx") == 25
    before = sha256_of(tmp_path / "m.xml")
    (tmp_path / "m.bin").write_bytes(b"z" * 90)
    assert sha256_of(tmp_path / "m.xml") != before


def test_files_of_other_weights_than_the_checkpoint_are_noted(record_of: Callable[..., Record]) -> None:
    record = record_of(["cups.safetensors", "cups-int8.onnx", "cups-int8.xml"])
    assert record.notes() == []
    digests = ("a" * 64, "b" * 64, "a" * 64)
    files = [dataclasses.replace(own, card=own.card.replace(sha256=sha)) for own, sha in zip(record.files, digests, strict=True)]
    notes = dataclasses.replace(record, files=tuple(files)).notes()
    assert len(notes) == 1
    assert notes[0].startswith("cups-int8.onnx was exported from other weights")


def test_a_reason_that_holds_for_all_files_is_told_once(record_of: Callable[..., Record]) -> None:
    record = record_of(["a-int8.onnx", "b-int8.onnx"])
    assert record.noise_reasons() == []
    reasons = (("hot", "late"), ("hot",))
    files = [
        dataclasses.replace(own, clocks={"task": dataclasses.replace(own.clocks["task"], verdict=Verdict(told))})
        for own, told in zip(record.files, reasons, strict=True)
    ]
    doubts = dataclasses.replace(record, files=tuple(files)).noise_reasons()
    assert doubts == [("all files", "task", "hot"), ("a-int8.onnx", "task", "late")]
