"""`--precision auto`: of the files that pass, the quickest is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgecnn.export import ExportConfig, run_exports
from edgecnn.export.budget import auto
from edgecnn.export.budget.auto import quickest


@pytest.mark.parametrize(
    ("times", "best"),
    [
        pytest.param([3.0, 2.0], "fp16", id="the quickest"),
        pytest.param([2.0, 3.0], "fp32", id="also where it is larger"),
        pytest.param([2.0, 2.01], "fp16", id="the smaller one of two that are equally quick"),
    ],
)
def test_the_quickest_file_is_chosen(times: list[float], best: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"fp32": tmp_path / "large.onnx", "fp16": tmp_path / "small.onnx"}
    for path, size in zip(files.values(), (200, 100), strict=True):
        path.write_bytes(bytes(size))
    monkeypatch.setattr(auto, "latencies_ms", lambda paths: times[: len(paths)])
    chosen, table = quickest(files)
    assert chosen == best
    assert [line.split()[0] for line in table.split("\n") if line.endswith("chosen")] == [best]


def test_only_the_chosen_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(paths: Sequence[Path]) -> list[float]:
        return [1.0 if "fp16" in path.name else 2.0 for path in paths]

    monkeypatch.setattr(auto, "latencies_ms", measured)
    reports: list[str] = []
    config = ExportConfig(model="fashion-resnet-xs", formats=("onnx",), precisions=("auto",), out=tmp_path, name="net")
    (artifact,) = run_exports(config, reports.append)
    assert artifact.path == tmp_path / "net-fp16.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net-fp16.onnx", "net-fp16.onnx.parity.json"]
    assert "the quickest of those that pass" in reports[-1]
