"""`edgecnn run` with what sees motion, from the command line to the files it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lap")

SCENE = "scene:cups?seed=5&cut=20&count=30"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """With patience for a machine that is busy."""
    program = [sys.executable, "-m", "edgecnn", "run", *words, "--timeout", "100"]
    return subprocess.run(program, check=False, capture_output=True, text=True, timeout=300)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_tracks_counts_and_regions_reach_the_outputs(tmp_path: Path) -> None:
    done = run(
        *(
            "cups",
            "--source",
            SCENE,
            "--policy",
            "all",
            "--only",
            "mug,glass",
            "--smooth",
            "200ms",
            "--zone",
            "all:0,0,1,0,1,1,0,1",
        ),
        *("--roi", "0,0,0.5,1", "--jsonl", str(tmp_path / "a.jsonl"), "--snapshot", str(tmp_path / "a.png")),
    )
    assert done.returncode == 0, done.stderr
    lines = read(tmp_path / "a.jsonl")
    boxes = [box for line in lines for box in line["detections"]]
    assert len(lines) == 30
    assert boxes
    assert {box["label"] for box in boxes} <= {"mug", "glass"}
    assert all(box["track_id"] >= 1 for box in boxes)
    assert all(box["xyxy"][2] <= lines[0]["size_px"][0] / 2 + 1 for box in boxes)
    entered = Counter(
        event["details"]["track_id"] for line in lines for event in line["events"] if event["kind"] == "zone-entered"
    )
    assert set(entered) == {box["track_id"] for box in boxes}
    assert (tmp_path / "a.png").stat().st_size


def test_skipped_frames_of_an_empty_scene_are_in_the_ledger(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    writer = cv2.VideoWriter(str(tmp_path / "still.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(120):
        writer.write(np.full((240, 320, 3), 120, np.uint8))
    writer.release()
    done = run("cups", "--source", str(tmp_path / "still.avi"), "--motion", "--stats", str(tmp_path / "stats.json"))
    assert done.returncode == 0, done.stderr
    counts = json.loads((tmp_path / "stats.json").read_text())["ledger"]
    assert counts["captured"] == 120 == counts["processed"] + counts["skipped"]
    assert counts["processed"] == 22  # the first frame, two seconds after it, and one look after five more seconds


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--only", "cup"), "--only: the model has no class cup", id="unknown class"),
        pytest.param(
            ("--no-track", "--line", "a:0,0,1,1"), "--no-track contradicts --line and --zone; leave", id="line without tracking"
        ),
        pytest.param(("--roi", "2000,0,3000,10"), "--roi: the region", id="region outside"),
    ],
)
def test_what_can_not_be_done_is_one_line(words: tuple[str, ...], said: str) -> None:
    done = run("cups", "--source", "scene:cups?count=3", "--policy", "all", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
