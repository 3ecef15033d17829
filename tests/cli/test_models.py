from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn import shipped
from edgecnn.cli import main


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_every_shipped_model_is_listed_with_its_score() -> None:
    done = run("models")
    assert done.exit_code == 0
    lines = done.stdout.partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(shipped.names())
    assert all("%" in line or "dB" in line for line in lines[2:])


def test_models_that_can_be_had_are_listed_with_size_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    listed = run("models").stdout.partition("to be had")[2]
    assert "yolox-tiny*" in listed
    (line,) = [line for line in listed.splitlines() if "ultraface-rfb-320" in line]
    assert "1.3 MB" in line
    assert "MIT" in line
    assert json.loads(run("models", "yunet", "--json").stdout)["yunet"]["kind"] == "registered"
    assert "SHA-256" not in run("models", "yunet").stdout.partition("unverified")[2]
    assert "edgecnn models get yolox-tiny --accept-unverified" in run("models", "yolox-tiny").stdout


@pytest.mark.parametrize("name", shipped.names())
def test_a_model_says_where_it_comes_from_and_what_it_is_bad_at(name: str) -> None:
    done = run("models", name)
    assert done.exit_code == 0
    for entry in ("what", "score", "bad at", "trained on", "licence of the data", "attribution", "command", "seed"):
        assert any(line.startswith(f"{entry} ") for line in done.stdout.splitlines()), entry
    assert max(map(len, done.stdout.splitlines())) <= 200


INTERVALS = {"classify": "top1", "signal": "top1", "detect": "map"}


@pytest.mark.parametrize("name", [name for name in shipped.names() if shipped.read(name)[0].task in INTERVALS])
def test_scores_of_shipped_models_have_intervals(name: str) -> None:
    card = json.loads(run("models", name, "--json").stdout)[name]["card"]
    main_score, scores = INTERVALS[card["task"]], card["training"]["scores"]
    assert scores[f"{main_score}_low"] < scores[main_score] < scores[f"{main_score}_high"]


def test_another_name_is_one_line() -> None:
    done = run("models", "cats")
    assert done.exit_code == 2
    assert "no model is named 'cats'" in done.stderr
    assert "cups" in done.stderr


def test_a_shipped_detector_runs_by_its_name(tmp_path: Path) -> None:
    done = run("run", "cups", "--source", "scene:cups?size=160x120", "--max-frames", "2", "--jsonl", str(tmp_path / "out.jsonl"))
    assert done.exit_code == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) >= 2


def test_listing_needs_neither_torch_nor_safetensors() -> None:
    code = "from click.testing import CliRunner; from edgecnn.cli import main; assert not CliRunner().invoke(main, ['models']).exit_code"
    script = f"{code}\nimport sys; print(sorted({{'torch', 'safetensors'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
