"""A whole run of the command with a real RTSP camera that asks for a password and drops while frames are collected."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from threading import Thread

import cv2
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("jinja2")

from edgecnn.cli import main
from edgecnn.scene import Scene, parse_scene
from tests.adapt.network import write_checkpoint
from tests.runtime.sources.peers import rtsp_camera

SECRET = "quince-42"
PICTURES = 120
BEFORE, AWAY_S = 12, 1.5  # frames until the camera drops, and for how long


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """What the camera shows in a loop: another table in each picture."""
    scene = Scene(parse_scene("scene:cups?size=160x128&fps=1&cut=1&seed=11"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), scene.render(number)[0])
    return str(folder / "%03d.jpg")


def test_a_camera_that_drops_is_adapted_to(tmp_path: Path, pictures: str) -> None:
    start, out = write_checkpoint(tmp_path), tmp_path / "out"
    with rtsp_camera("--pictures", pictures, "--login", f"viewer:{SECRET}") as camera:

        def drop() -> None:
            deadline = time.monotonic() + 120
            while len(list((out / "frames").glob("*.jpg"))) < BEFORE and time.monotonic() < deadline:
                time.sleep(0.05)
            camera.kill()
            time.sleep(AWAY_S)
            camera.start()

        dropping = Thread(target=drop)
        dropping.start()
        words = ["adapt", str(start), "--source", camera.address(login=f"viewer:{SECRET}@"), "--teacher", "cups?threshold=0.3"]
        words += [
            "--minutes",
            "0.4",
            "--gap",
            "0.25",
            "--epochs",
            "1",
            "--workers",
            "1",
            "--precision",
            "fp32",
            "--out",
            str(out),
        ]
        found = CliRunner().invoke(main, words)
        dropping.join()
    assert found.exit_code == 0, found.stderr
    assert "was lost once" in found.stderr
    assert f"wrote {out / 'adapt.html'}" in found.stdout
    at_s = [row["at_s"] for row in json.loads((out / "frames.json").read_text())["frames"]]
    gaps = [later - earlier for earlier, later in itertools.pairwise(at_s)]
    assert max(gaps) >= AWAY_S
    assert BEFORE - 2 <= gaps.index(max(gaps)) < len(gaps) - 5  # frames of both connections
    result = json.loads((out / "adapt.json").read_text())
    assert result["frames"]["train"]["images"] >= 10
    assert result["frames"]["held_out"]["images"] >= 5
    assert sum(result["frames"]["held_out"]["boxes"].values()) > 0
    assert (out / "tried" / "tiny-fp32.onnx").is_file()
    texts = [
        path for path in out.rglob("*") if path.is_file() and path.suffix in (".json", ".html", ".txt", ".safetensors", ".onnx")
    ]
    assert len(texts) > 5
    assert not [path.name for path in texts if SECRET.encode() in path.read_bytes()]
    assert SECRET not in found.output
