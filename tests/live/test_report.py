"""What a run prints, as text and as JSON lines."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from edgecnn.live import CameraConfig, OutputConfig, RunConfig, run
from edgecnn.live.config import LogForm
from edgecnn.live.report import Reporter
from edgecnn.runtime.event_kinds import CAMERA_EVENTS
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.types import Event
from edgecnn.videos.opencv_logging import native_stderr_silenced
from tests.contracts.tiny import Graph, write


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


@pytest.mark.parametrize("form", ["text", "json"])
def test_outputs_that_are_not_finite_are_said_once_and_counted(form: LogForm, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((8, 8, 3), np.uint8))
    model = write(tmp_path, "onnx", Graph({"o": np.array([[np.nan, 1.0, 0.0]])}, (1, 3, 8, 8), "float32", 0.0))
    options = CardOptions(task="classify", labels=Path("a,b,c"), color="rgb", mean=(0.0,), std=(1.0,))
    lines, stats, text = tmp_path / "r.jsonl", tmp_path / "s.json", io.StringIO()
    camera = CameraConfig(source=str(tmp_path), model=model, card=options, outputs=OutputConfig(jsonl=str(lines)))
    run(RunConfig(cameras=(camera,), log=form, stats=stats), out=io.StringIO(), err=text)
    assert text.getvalue().count("hold NaN or infinity") == 1
    assert "the outputs of tiny.onnx held NaN or infinity for 3 images" in text.getvalue()
    assert json.loads(stats.read_text())["notes"] == ["the outputs of tiny.onnx held NaN or infinity for 3 images"]
    assert "NaN" not in lines.read_text()
    assert [one["score"] for one in json.loads(lines.read_text().splitlines()[0])["classes"]] == [None] * 3


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


@pytest.mark.parametrize("form", ["text", "json"])
def test_events_are_printed_while_a_source_has_libraries_silenced(form: LogForm, capfd: pytest.CaptureFixture[str]) -> None:
    """A source silences what image libraries write to standard error while it reads an image, in another thread than this one."""
    with open(2, "w", closefd=False) as stderr:
        reporter = Reporter(form, stderr, stderr)
        with native_stderr_silenced():
            reporter.event(Event("drift-started", 0.0, "door", {"text": "brightness 9"}), several=False)
    assert "brightness 9" in capfd.readouterr().err
