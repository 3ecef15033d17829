from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgecnn.cpus import usable_cpus

COMMAND = [sys.executable, "-m", "edgecnn", "run"]
SCENE = "scene:cups?size=128x96&fps=20&seed="


def run(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, args)], capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **env}
    )


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class Watched:
    """A run whose log lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(json.loads(line))
            if fits(self.lines[-1]):
                return self.lines[-1]
        raise AssertionError(f"the run ended before: {self.lines}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=60)
        self.lines += lines_of(err)
        return self.process.returncode


@contextmanager
def watched(*args: object) -> Iterator[Watched]:
    process = subprocess.Popen([*COMMAND, *map(str, args)], stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield Watched(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_several_sources_have_names_of_their_own_and_one_ledger_each(tmp_path: Path) -> None:
    sources = ["--source", f"{SCENE}1", "--source", f"door={SCENE}2", "--source", f"{SCENE}3"]
    done = run("cups", *sources, "--max-frames", 4, "--stats", tmp_path / "s.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "s.json").read_text())
    assert [camera["camera"] for camera in record["cameras"]] == ["scene", "door", "scene-2"]
    for camera in record["cameras"]:
        counts = camera["ledger"]
        assert counts["processed"] == 4
        assert counts["captured"] == sum(counts[key] for key in ("processed", "dropped", "skipped", "failed"))


def test_a_camera_that_is_not_there_does_not_stop_the_others() -> None:
    done = run("cups", "--source", "97", "--source", f"{SCENE}1", "--max-frames", 5, EDGECNN_LOG="json")
    assert done.returncode == 0, done.stderr
    lines = lines_of(done.stderr)
    (failed,) = (line for line in lines if line["kind"] == "camera-failed")
    assert (failed["camera"], failed["level"]) == ("camera-97", "error")
    summaries = {line["camera"]: line for line in lines if line["kind"] == "summary"}
    assert (summaries["camera-97"]["state"], summaries["scene"]["processed"]) == ("failed", 5)


def test_all_cameras_broken_is_an_error() -> None:
    done = run("cups", "--source", "97", "--source", "98", EDGECNN_LOG="text")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: camera 9")


def test_log_is_json_where_nobody_sits_before_it() -> None:
    done = run("cups", "--source", f"{SCENE}1", "--max-frames", 2, EDGECNN_LOG="auto")
    assert [line["kind"] for line in lines_of(done.stderr)] == ["summary"]


def test_every_nth_frame_is_looked_at_and_the_others_are_skipped(tmp_path: Path) -> None:
    source = f"{SCENE}1&count=12"
    done = run("cups", "--source", source, "--policy", "all", "--every", 3, "--stats", tmp_path / "s.json")
    assert done.returncode == 0, done.stderr
    counts = json.loads((tmp_path / "s.json").read_text())["ledger"]
    assert (counts["captured"], counts["processed"], counts["skipped"]) == (12, 4, 8)


@pytest.mark.slow
def test_a_changed_file_of_cameras_is_reloaded(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"

    def write(*seeds: int, fps: object = 5) -> None:
        tables = [f'[[camera]]\nname = "c{seed}"\nsource = "{SCENE}{seed}"\nmax-fps = {fps}\n' for seed in seeds]
        new = tmp_path / "new"
        new.write_text('model = "cups"\n' + "".join(tables))
        new.replace(path)

    write(1, 2)
    with watched("--cameras", path, "--log", "json", "--serve", "127.0.0.1:0") as seen:
        url = seen.until(lambda line: line["kind"] == "live-view")["url"]
        write(2, 3)
        changed = seen.until(lambda line: line["kind"] == "cameras-changed")
        assert (changed["added"], changed["removed"], changed["changed"]) == (["c3"], ["c1"], [])
        write(2, 3, fps='"many"')
        refused = seen.until(lambda line: line["kind"] == "cameras-refused")
        assert "camera 'c2'" in refused["error"]
        write(2, 3, fps=4)
        assert seen.until(lambda line: line["kind"] == "cameras-changed")["changed"] == ["c2", "c3"]
        with urllib.request.urlopen(f"{url}health", timeout=20) as answer:
            assert answer.status == 200
        assert seen.stop() == 143
        summaries = [line for line in seen.lines if line["kind"] == "summary"]
    assert sorted(line["camera"] for line in summaries) == ["c1", "c2", "c2", "c3", "c3"]
    for line in summaries:
        assert line["captured"] == sum(line[key] for key in ("processed", "dropped", "skipped", "failed"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["cups"], "--source or --cameras", id="no source"),
        pytest.param(["--source", "0"], "no model is given; name a model FILE", id="no model"),
        pytest.param(
            ["cups", "--cameras", "absent.toml"],
            "--cameras: absent.toml can't be read (no such file or directory)",
            id="no file",
        ),
        pytest.param(["cups", "--source", "0", "--cameras", "x.toml"], "--source and --cameras exclude each other", id="both"),
        pytest.param(["cups", "--source", "0", "--max-age", "soon"], "100ms", id="age"),
        pytest.param(["cups", "--source", "0", "--serve", "0.0.0.0:0"], "token", id="page without token"),
    ],
)
def test_what_goes_wrong_is_said(options: list[str], message: str) -> None:
    done = run(*options, EDGECNN_LOG="text")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_threads_are_autotuned(tmp_path: Path) -> None:
    done = run("cups", "--source", f"{SCENE}1&count=8", "--policy", "all", "--autotune", "--stats", tmp_path / "s.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["ledger"]["processed"] == 8
    assert record["workers"] == record["requests"]
    assert {(trial["threads"], trial["requests"]) for trial in record["trials"]} >= {(record["threads"], record["requests"])}
    assert run("cups", "--source", "0", "--autotune", "--threads", 2).returncode == 2


@pytest.mark.parametrize(
    ("options", "picks"),
    [
        pytest.param([], True, id="a camera until it ends"),
        pytest.param(["--policy", "all"], False, id="every frame"),
        pytest.param(["--max-frames", 5], False, id="a few frames"),
        pytest.param(["--threads", 1], False, id="threads"),
        pytest.param(["--no-autotune"], False, id="not to"),
        pytest.param(["--device", "auto"], False, id="perhaps no processor"),
    ],
)
def test_threads_are_autotuned_for_cameras_where_nothing_is_set(options: list[Any], picks: bool, tmp_path: Path) -> None:
    if usable_cpus() < 2:
        pytest.skip("one processor leaves no choice")
    done = run("cups", "--source", f"{SCENE}1&count=8", "--policy", "latest", *options, "--stats", tmp_path / "s.json")
    assert done.returncode == 0, done.stderr
    assert bool(json.loads((tmp_path / "s.json").read_text())["trials"]) == picks


def test_a_file_of_cameras_ends_with_their_frames(tmp_path: Path) -> None:
    cameras = tmp_path / "cameras.toml"
    cameras.write_text(f'model = "cups"\n[[camera]]\nsource = "{SCENE}1"\n', encoding="utf-8-sig")
    done = run("--cameras", cameras, "--max-frames", 2, "--log", "text")
    assert done.returncode == 0, done.stderr
    assert "2 processed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--line", "x"], "error: --line: the line 'x' has no name; write NAME:x1,y1,x2,y2", id="wrong-value"),
        pytest.param(["--policy", "al"], "error: --policy: 'al' is not one of 'latest', 'all'; see ", id="choice"),
        pytest.param(["--every", "0"], "error: --every: ", id="range"),
        pytest.param(["--bogus"], "error: No such option '--bogus'", id="unknown-option"),
        pytest.param(
            ["--clips", "c", "--clip-on", "nope"], "error: --clip-on: there is no event 'nope'; choose from line-", id="event"
        ),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(arguments: list[str], message: str) -> None:
    done = run("cups", "--source", f"{SCENE}1", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_the_error_of_one_of_several_cameras_names_it(tmp_path: Path) -> None:
    cameras = tmp_path / "cameras.toml"
    camera = '[[camera]]\nname = "{}"\nsource = "' + SCENE + '1"\n'
    cameras.write_text('model = "cups"\n' + camera.format("door") + camera.format("yard") + 'only = ["dragon"]\n')
    done = run("--cameras", cameras, "--log", "text")
    assert done.returncode == 2
    assert done.stderr.startswith("error: camera yard: --only: the model has no class dragon; ")
