"""What is misspelt is reported before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.cli.early_checks import check_addresses

CODE = """
import sys
from edgecnn.cli import main
try:
    main(sys.argv[1:], prog_name="edgecnn")
finally:
    print("torch" in sys.modules)
"""


@pytest.mark.parametrize(
    "scene", ["scene:cups?seed=1&count=20", "scene:stars?count=20", "scene:bearing", "scene:cups?classes=mug"]
)
def test_all_scenes_are_there(scene: str) -> None:
    check_addresses(None, scene)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["train", "mlp", "--data", "nosuch"], "the dataset nosuch does not exist", id="train, data"),
        pytest.param(
            ["train", "mlp", "--data", ".", "--init", "nosuch"], "the checkpoint nosuch does not exist", id="train, init"
        ),
        pytest.param(["train", "edgedet", "--data", "scene:cup"], "there is no scene:cup; the scenes are scene:cups", id="scene"),
        pytest.param(["compress", "cups", "--qat", "--data", "nosuch"], "the dataset nosuch does not exist", id="compress, data"),
        pytest.param(
            ["compress", "--student", "resnet-xs", "--teacher", "nosuch", "--data", "."],
            "the checkpoint nosuch does not exist",
            id="compress, teacher",
        ),
        pytest.param(
            ["compress", "--student", "edgedet", "--teacher", "nosuch.onnx?threshold=0.4", "--data", "."],
            "the model file nosuch.onnx does not exist",
            id="compress, model file as teacher",
        ),
        pytest.param(["export", "nosuch"], "the checkpoint nosuch does not exist", id="export"),
        pytest.param(
            ["adapt", "nosuch", "--source", "scene:cups", "--teacher", "cups"], "the model nosuch does not exist", id="adapt"
        ),
    ],
)
def test_a_name_that_does_not_exist_is_told_before_torch_is_imported(tmp_path: Path, words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {said}")
    assert done.stdout == "False\n"
