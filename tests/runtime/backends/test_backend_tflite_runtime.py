"""The TFLite backend with tflite_runtime 2.14.0, which many boards have and which needs NumPy 1: in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from tests.contracts.tiny import Graph, write

REPOSITORY = Path(__file__).parents[3]
PACKAGES = ("tflite_runtime==2.14.0", "numpy>=1.26,<2", "opencv-python-headless>=4.10,<4.12")
SCRIPT = """
import json, sys
import numpy as np, tflite_runtime
from edgecnn import Predictor, open_backend
from edgecnn.errors import EdgeCnnError

backend = open_backend(sys.argv[1], requests=2)
image = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
found = {"numpy": np.__version__, "logits": backend.run({"image": image})["logits"].tolist(), "concurrency": backend.concurrency}
found["top1"] = Predictor(sys.argv[1])(image[0]).top1
found["modules"] = [name for name in ("ai_edge_litert", "torch", "onnxruntime") if name in sys.modules]
for path, device in ((sys.argv[1], "gpu"), (sys.argv[2], "cpu")):
    try:
        open_backend(path, device)
    except EdgeCnnError as error:
        found.setdefault("errors", []).append(str(error))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.version_info[:2] > (3, 11):
        pytest.skip("tflite_runtime 2.14.0 has no wheel for Python 3.12 and later")
    folder = tmp_path_factory.mktemp("tflite_runtime")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    done = subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode and any(
        word in done.stderr for word in ("ConnectionError", "NewConnectionError", "timed out", "Temporary failure")
    ):
        pytest.skip(f"the package registry can't be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.slow
def test_runs_with_tflite_runtime(old_python: Path, tmp_path: Path) -> None:
    card = ModelCard(
        name="tiny", task="classify", labels=("a", "b", "c"), preprocess=Preprocess((8, 8)).folded(), decode=Decode("softmax")
    )
    graph = Graph({"logits": np.array([[1, 3, 2]], np.float32)}, metadata={"edgecnn.card": card.to_json()})
    path = write(tmp_path, "tflite", graph)
    (tmp_path / "cut.tflite").write_bytes(path.read_bytes()[:200])
    done = subprocess.run(
        [str(old_python), "-c", SCRIPT, str(path), str(tmp_path / "cut.tflite")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    expected = graph.expected(np.arange(192, dtype=np.uint8))["logits"]
    assert found["numpy"].startswith("1.")
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-5)
    assert (found["top1"], found["concurrency"], found["modules"]) == (1, 2, [])
    assert ["; " in error and "\n" not in error for error in found["errors"]] == [True, True]
