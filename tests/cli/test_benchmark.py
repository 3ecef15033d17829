"""`edgecnn benchmark` as a user calls it: what it prints and writes, and what it says to bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest classifier there is, in ONNX with its card."""
    onnx = pytest.importorskip("onnx")
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    weight = onnx.numpy_helper.from_array(np.ones((3, 2), np.float32), "weight")
    nodes = [
        node("Cast", ["image"], ["real"], to=1),
        node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=0),
        node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    inputs, outputs = info("image", onnx.TensorProto.UINT8, [1, 8, 8, 3]), info("logits", onnx.TensorProto.FLOAT, [1, 2])
    graph = onnx.helper.make_graph(nodes, "tiny", [inputs], [outputs], [weight])
    file = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    card = ModelCard(
        name="tiny",
        task="classify",
        labels=("a", "b"),
        preprocess=Preprocess((8, 8), color="bgr", input_dtype="uint8"),
        decode=Decode("softmax"),
    )
    onnx.helper.set_model_props(file, {CARD_KEY: card.to_json()})
    path: Path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    onnx.save(file, path)
    return path


def benchmark(*words: object) -> Result:
    return CliRunner().invoke(main, ["benchmark", *map(str, words)])


def test_table_json_and_page_come_from_one_run(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    told, page, history = tmp_path / "out.json", tmp_path / "out.html", tmp_path / "history"
    tables = ["--markdown", tmp_path / "out.md", "--csv", tmp_path / "out.csv", "--history", history]
    result = benchmark(model, "--quick", "--clock", "model", "--threads", 1, "--json", told, "--html", page, *tables)
    assert result.exit_code == 0, result.output
    assert "tiny.onnx" in result.output
    assert max(len(line) for line in result.output.splitlines() if not line.startswith("wrote")) <= 120
    found: dict[str, Any] = json.loads(told.read_text())
    assert found["threads"] == 1
    assert len(found["files"][0]["clocks"]["model"]["samples_ms"]) >= 64
    assert str(model.parent) not in told.read_text()
    assert page.read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "out.csv", "out.html", "out.json", "out.md"]
    (kept,) = history.glob("*/*.json")
    assert json.loads(kept.read_text()) == found


def failure(*words: object) -> str:
    """The one line of a failed run."""
    result = benchmark(*words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = [line for line in result.output.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    return lines[0]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    assert "does not exist; check the path" in failure(tmp_path / "missing.onnx")


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    assert "empty.onnx is empty" in failure(tmp_path / "empty.onnx")


def test_garbage_is_said(tmp_path: Path) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"garbage" * 100)
    assert "garbage.onnx" in failure(tmp_path / "garbage.onnx", "--quick")


@pytest.mark.parametrize("option", ["--json", "--html", "--markdown", "--csv"])
def test_a_report_that_can_t_be_written_is_said_before_any_file_is_opened(tmp_path: Path, option: str) -> None:
    pytest.importorskip("jinja2")
    (tmp_path / "garbage.onnx").write_bytes(b"garbage" * 100)
    assert "does not exist; create it, or name another place" in failure(
        tmp_path / "garbage.onnx", option, tmp_path / "missing" / "out"
    )


def test_a_picture_that_is_none_is_said_before_the_measurement(model: Path) -> None:
    assert "PNG or JPEG" in failure(model, "--picture", model)


def test_a_missing_extra_is_said_with_its_command(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert 'pip install "edgecnn[measure]"' in failure(model, "--html", tmp_path / "out.html")
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_is_not_there_is_said(model: Path, tmp_path: Path) -> None:
    assert "missing does not exist" in failure(model, "--quick", "--data", tmp_path / "missing")


def test_an_unknown_clock_is_a_usage_error(model: Path) -> None:
    result = benchmark(model, "--clock", "model,wall")
    assert result.exit_code == 2
    assert "model, task, age" in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupt_is_one_line_and_leaves_nothing(model: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out.json"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # what is started in the background ignores SIGINT and passes that on: here it must not be ignored
    command = ["env", "--default-signal=INT", sys.executable, "-m", "edgecnn", "benchmark", str(model), "--json", str(out)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("this kernel does not list children")
    while not children.read_text():  # the first measuring process shows that the run has begun
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.strip() == "error: the benchmark was interrupted, no report was written; run it again"
    assert list(tmp_path.rglob("*")) == [temporary]


def test_help_is_quick_to_import() -> None:
    code = "import sys; from click.testing import CliRunner; from edgecnn.cli import main; " + (
        "CliRunner().invoke(main, ['benchmark', '--help']); sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("words", [("--quick",), ("--choose",), ("--as", "tflite")])
def test_a_report_does_not_replace_the_model_file(model: Path, words: tuple[str, ...]) -> None:
    content = model.read_bytes()
    assert "it is a file that is read; name another file" in failure(model, "--json", model, *words)
    assert model.read_bytes() == content


def test_two_reports_do_not_take_one_name(model: Path, tmp_path: Path) -> None:
    both = tmp_path / "out.txt"
    assert "name a file for each" in failure(model, "--json", both, "--csv", both)
    assert not both.exists()
