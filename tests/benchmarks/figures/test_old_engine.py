"""Model files in the engine of another environment: what is run, what is refused, and how far outputs differ."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.benchmarks.figures import old_engine
from tests.contracts import tiny


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_it_needs_numpy_and_an_engine_only() -> None:
    tree = ast.parse(Path(old_engine.__file__).read_text())
    named = {one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    named |= {alias.name for one in ast.walk(tree) if isinstance(one, ast.Import) for alias in one.names}
    assert {name.partition(".")[0] for name in named} <= {*sys.stdlib_module_names, "numpy"}


@pytest.mark.parametrize("kind", tiny.WRITERS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_equal_outputs_differ_by_nothing(kind: str, dtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = tiny.Graph({"a": np.float32([[1, 2, 3]]), "b": np.float32([[4]])}, dtype=dtype)
    file = tiny.write(tmp_path, kind, graph)
    for name in ("here", "other"):
        old_engine.run([file], tmp_path / f"{name}.npz")
    kept = np.load(tmp_path / "here.npz")
    assert sorted(kept.files) == [f"{file.name}:0", f"{file.name}:1"]
    image = old_engine.noise([1, 8, 8, 3], dtype)
    np.testing.assert_allclose(kept[f"{file.name}:0"], graph.expected(image)["a"], rtol=1e-5)
    old_engine.compare(tmp_path / "here.npz", tmp_path / "other.npz")
    assert lines(capsys) == [f"{file.name}: 0.0e+00"]


def test_a_refusal_is_a_result_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    file = tiny.write(tmp_path, "onnx", tiny.Graph({"a": np.float32([[1, 2]])}))
    old_engine.run([tmp_path / "broken.onnx", file], tmp_path / "out.npz")
    (line,) = lines(capsys)
    assert line.startswith("broken.onnx: REFUSED, ")
    assert np.load(tmp_path / "out.npz").files == [f"{file.name}:0"]


def test_a_difference_is_a_share_of_the_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "here.npz", **{"a.onnx:0": np.float32([0, 10]), "a.onnx:1": np.float32([0, 1]), "b.xml:0": np.zeros(3)})
    np.savez(tmp_path / "old.npz", **{"a.onnx:0": np.float32([0, 9]), "a.onnx:1": np.float32([0, 1.5]), "b.xml:0": np.zeros(4)})
    monkeypatch.setattr(sys, "argv", ["old_engine.py", "--compare", str(tmp_path / "here.npz"), str(tmp_path / "old.npz")])
    old_engine.main()
    assert lines(capsys) == ["a.onnx: 5.0e-01", "b.xml: inf"]


def test_free_axes_get_sizes() -> None:
    assert old_engine.noise(["batch", 3, "height", None], "float32").shape == (2, 3, 256, 320)
    assert old_engine.noise([-1, 0, 0, 3], "uint8").shape == (2, 256, 320, 3)
    fixed = old_engine.noise([1, 3, 8, 8], "float32")
    assert (fixed.shape, fixed.dtype) == ((1, 3, 8, 8), np.float32)
    assert 0 <= fixed.min() < fixed.max() <= 1
