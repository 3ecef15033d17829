"""What a run prints, as text and as JSON lines."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from edgecnn.live import CameraConfig, OutputConfig, RunConfig, run
from edgecnn.live.report import Reporter
from edgecnn.runtime.event_kinds import CAMERA_EVENTS
from edgecnn.types import Event


def test_files_that_were_written_are_named(tmp_path: Path) -> None:
    lines, stats = tmp_path / "r.jsonl", tmp_path / "s.json"
    empty = tmp_path / "events.jsonl"
    outputs = OutputConfig(jsonl=str(lines), events=str(empty))
    camera = CameraConfig(source="scene:cups?size=128x96&count=2&fps=60", model="cups", policy="all", outputs=outputs)
    text, log = io.StringIO(), io.StringIO()
    run(RunConfig(cameras=(camera,), log="text", stats=stats), err=text)
    assert [line for line in text.getvalue().splitlines() if "wrote" in line] == [f"  wrote {lines}", f"  wrote {stats}"]
    run(RunConfig(cameras=(camera,), log="json", stats=stats), err=log)
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [record["path"] for record in records if record["kind"] == "wrote"] == [str(lines), str(stats)]
    (summary,) = (record for record in records if record["kind"] == "summary")
    assert (summary["camera"], summary["end"], summary["processed"], summary["throughput_fps"] > 0) == ("scene", "done", 2, True)


@pytest.mark.parametrize(
    ("kind", "several", "printed"),
    [
        pytest.param("camera-lost", False, "door: camera lost: no answer\n", id="lost"),
        pytest.param("camera-failed", True, "door: camera failed: no answer\n", id="one of several failed"),
        pytest.param("camera-failed", False, "", id="the only one failed, which is the error of the run"),
        pytest.param("line-crossed", True, "", id="not about the camera"),
    ],
)
def test_events_of_cameras_are_printed(kind: str, several: bool, printed: str) -> None:
    err = io.StringIO()
    Reporter("text", io.StringIO(), err).event(Event(kind, 0.0, "door", {"why": "no answer"}), several=several)
    assert err.getvalue() == printed


@pytest.mark.parametrize("kind", [*CAMERA_EVENTS, "line-crossed"])
def test_all_events_are_logged(kind: str) -> None:
    err = io.StringIO()
    Reporter("json", io.StringIO(), err).event(Event(kind, 0.0, "door", {"why": "no answer"}), several=False)
    (record,) = (json.loads(line) for line in err.getvalue().splitlines())
    assert (record["kind"], record["camera"], record["why"]) == (kind, "door", "no answer")


def test_off_prints_nothing() -> None:
    out, err = io.StringIO(), io.StringIO()
    reporter = Reporter("off", out, err)
    reporter.say("output", "warning: full")
    reporter.event(Event("camera-lost", 0.0, "door", {}), several=True)
    assert (out.getvalue(), err.getvalue(), reporter.draws) == ("", "", False)


def test_auto_is_json_where_the_stream_is_no_terminal() -> None:
    err = io.StringIO()
    Reporter("auto", io.StringIO(), err).say("metrics", "metrics: http://127.0.0.1:1/metrics", values={"port": 1})
    assert json.loads(err.getvalue())["port"] == 1
