"""Bad input of each command of trust: one line says what is left out, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from tests.trust.paired.test_evaluate_pair import LEVELS, NAMES, classifier

COMMANDS = [
    ("evaluate", "{model}"),
    ("evaluate", "{model}", "{model}"),
    ("evaluate", "{model}", "--group-by", "class"),
    ("robustness", "{model}", "--transform", "contrast=0.5"),
    ("shortcuts", "{model}", "--explained", "0"),
    ("attack", "{model}", "--method", "noise", "--eps", "4"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words).replace("{model}", "FILE"))
def test_foreign_empty_and_equal_classes_and_corrupt_images(words: tuple[str, ...], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, level in zip((*NAMES, "zebra", NAMES[0].upper()), (*LEVELS, 128, 128), strict=True):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        for number in range(4):
            image = np.clip(level + random.integers(-3, 4, (32, 32, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{number}.png"), image)
    (tmp_path / "set" / "nothing").mkdir()
    (tmp_path / "set" / NAMES[0] / "2.png").write_bytes(b"no image")
    command = [word.format(model=classifier(tmp_path / "a.onnx")) for word in words]
    done = CliRunner().invoke(main, [*command, "--data", str(tmp_path / "set")])
    assert done.exit_code == 0, done.output
    for text in (
        f"{NAMES[0]}/2.png: a file that is no image or is damaged",
        "nothing: a class without images",
        "one name but for case and separators",
        "the model lacks 3 of the dataset's",
        "zebra",
    ):
        assert done.output.count(text) >= 1, (text, done.output)
    assert "Traceback" not in done.output
