from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(name: str, *words: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {
        "detect_image.py",
        "watch_camera.py",
        "count_on_line.py",
        "two_cameras.py",
        "own_output.py",
        "run_from_python.py",
    }


def test_detect_image(tmp_path: Path) -> None:
    assert run("detect_image.py", cwd=tmp_path).count("\n") > 2
    assert (tmp_path / "found.png").stat().st_size > 10_000
    again = run("detect_image.py", str(tmp_path / "found.png"), "cups", "again.png", cwd=tmp_path)
    assert again.count("\n") > 2
    assert (tmp_path / "again.png").stat().st_size > 10_000


def test_watch_camera(tmp_path: Path) -> None:
    lines = run("watch_camera.py", "scene:cups?seed=2&size=320x240", "cups", "5", cwd=tmp_path).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("frame ") and line.endswith("ms old") for line in lines)


def test_count_on_line(tmp_path: Path) -> None:
    pytest.importorskip("lap")
    out = run("count_on_line.py", "scene:cups?seed=8&size=320x240&fps=5&cut=40", "cups", "120", cwd=tmp_path)
    crossings = out.count(" went ")
    assert crossings > 0
    assert out.splitlines()[-1].startswith("{'middle'")


def test_two_cameras(tmp_path: Path) -> None:
    out = run("two_cameras.py", "cups", "4", cwd=tmp_path)
    assert out.count("left: frame") == out.count("right: frame") == 4
    assert out.count("ended FrameCounts(") == 2


def test_own_output(tmp_path: Path) -> None:
    out = run("own_output.py", "scene:cups?seed=2&size=320x240&fps=100", "cups", "20", cwd=tmp_path)
    assert "done" in out
    assert "taken=20" in out


def test_run_from_python(tmp_path: Path) -> None:
    pytest.importorskip("lap")
    out = run("run_from_python.py", "scene:cups?seed=8&size=320x240&fps=5&cut=40", "cups", "60", cwd=tmp_path)
    assert out.count("zone-entered ") > 0
    assert out.splitlines()[-1].startswith("done: 60 frames, ")
    assert (tmp_path / "results.jsonl").read_text().count("\n") == 60
    assert (tmp_path / "last.png").stat().st_size > 10_000
