from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from edgecnn.benchmarks.figures.ship_weights import main
from edgecnn.models import create, load_checkpoint, save_checkpoint
from edgecnn.models.new_card import new_card

NOTES = {"what": "a", "data": "b", "licence": "c", "attribution": "d", "bad_at": "e"}
OPTIONS = {"classes": 2, "channels": 3, "size": (16, 16)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint, notes, and 20 images of two classes."""
    torch.manual_seed(3)
    save_checkpoint(tmp_path / "net.safetensors", create("lecture", **OPTIONS), new_card("lecture", OPTIONS, ("dark", "light")))
    (tmp_path / "notes.json").write_text(json.dumps({"net": NOTES, "bare": {"what": "a"}}))
    for index in range(20):
        path = tmp_path / "data" / ("dark", "light")[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((16, 16, 3), 40 + 120 * (index % 2) + index, np.uint8))
    return tmp_path


def run(folder: Path, *words: str, name: str = "net") -> Result:
    line = [
        str(folder / "net.safetensors"),
        "--name",
        name,
        "--notes",
        str(folder / "notes.json"),
        "--data",
        str(folder / "data"),
    ]
    return CliRunner().invoke(main, [*line, "--out", str(folder / "out"), *words])


def test_half_the_bytes_notes_and_the_score_of_the_rounded_weights(folder: Path) -> None:
    done = run(folder, "--also", str(folder / "data"))
    assert done.exit_code == 0, done.output
    before, after = folder / "net.safetensors", folder / "out/net.safetensors"
    assert after.stat().st_size < 0.6 * before.stat().st_size
    (model, card), (first, _) = load_checkpoint(after), load_checkpoint(before)
    assert card.training["notes"].items() >= NOTES.items()
    assert card.training["scores"]["n"] == card.training["notes"]["measured"]["data"]["n"] == 20
    for key, weight in model.named_parameters():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, dict(first.named_parameters())[key].half().float())
    for key, statistic in model.named_buffers():
        assert torch.equal(statistic, dict(first.named_buffers())[key])


def test_full_keeps_every_bit(folder: Path) -> None:
    assert run(folder, "--full").exit_code == 0
    (model, card), (first, old) = load_checkpoint(folder / "out/net.safetensors"), load_checkpoint(folder / "net.safetensors")
    assert card.sha256 == old.sha256
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), first.state_dict().values(), strict=True))


@pytest.mark.parametrize("name", ["bare", "other"])
def test_without_notes_nothing_ships(folder: Path, name: str) -> None:
    done = run(folder, name=name)
    assert done.exit_code == 2
    assert "licence" in done.output
    assert not (folder / "out").exists()
