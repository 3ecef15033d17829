"""A run from Python: the outputs of the command, a summary, and ways to stop it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.errors import EdgeCnnError, InputError, SourceError
from edgecnn.live import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig, RunSummary, Session, run
from edgecnn.live.cameras_file import CamerasFile
from edgecnn.live.config_fields import updated
from edgecnn.live.reload import Reloader
from edgecnn.live.report import Reporter
from edgecnn.types import Event, Result

SCENE = "scene:cups?size=128x96&fps=60&seed=1"


def camera(**fields: Any) -> CameraConfig:
    return updated(CameraConfig(source=f"{SCENE}&count=6", model=Path("cups"), policy="all"), fields)


def quiet(*cameras: CameraConfig, **fields: Any) -> RunConfig:
    return RunConfig(cameras=cameras, **{"log": "off", **fields})


def timeless(text: str) -> list[dict[str, Any]]:
    """Lines of results without what differs from run to run."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, list):
            return [cleaned(item) for item in value]
        if isinstance(value, dict):
            return {key: cleaned(item) for key, item in value.items() if key not in ("time", "time_s", "age_ms", "stage_ms")}
        return value

    return [cleaned(json.loads(line)) for line in text.splitlines()]


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("duration_s", "throughput_fps", "age_ms", "stage_ms")}


def test_python_and_the_command_give_the_same_files_and_statistics(tmp_path: Path) -> None:
    pytest.importorskip("lap")
    folders = [tmp_path / name for name in ("python", "command")]
    for folder in folders:
        folder.mkdir()
    config = quiet(
        camera(
            name="table",
            zones=("all:0,0,1,0,1,1,0,1",),
            jsonl=str(folders[0] / "r.jsonl"),
            csv=str(folders[0] / "r.csv"),
            mot=str(folders[0] / "r.txt"),
        ),
        stats=folders[0] / "s.json",
    )
    summary = run(config)
    words = ["--source", f"table={SCENE}&count=6", "--policy", "all", "--zone", "all:0,0,1,0,1,1,0,1"]
    files = ["--jsonl", "r.jsonl", "--csv", "r.csv", "--mot", "r.txt", "--stats", "s.json"]
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "run", "cups", *words, *files],
        cwd=folders[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    python, command = ((folder / "r.jsonl").read_text() for folder in folders)
    assert len(timeless(python)) == 6
    assert timeless(python) == timeless(command)
    assert (folders[0] / "r.txt").read_text() == (folders[1] / "r.txt").read_text() != ""
    records = [json.loads((folder / "s.json").read_text()) for folder in folders]
    assert without_times(records[0]) == without_times(records[1])
    assert summary.to_json() == records[0]


def test_results_and_events_arrive_in_the_callers_thread_and_the_summary_balances() -> None:
    pytest.importorskip("lap")
    results: list[Result] = []
    events: list[Event] = []
    threads: set[threading.Thread] = set()

    def on_result(result: Result) -> None:
        threads.add(threading.current_thread())
        results.append(result)

    zoned = camera(zones=("all:0,0,1,0,1,1,0,1",))
    summary = run(quiet(camera(name="a"), updated(zoned, {"name": "b"})), on_result=on_result, on_event=events.append)
    assert threads == {threading.current_thread()}
    assert sorted({result.camera for result in results}) == ["a", "b"]
    assert {event.camera for event in events} == {"b"}
    assert {event.kind for event in events} <= {"zone-entered", "zone-left"}
    assert (summary.end, summary.error, [one.name for one in summary.cameras]) == ("done", None, ["a", "b"])
    for name in ("a", "b"):
        ledger = summary[name].statistics.ledger
        assert ledger.captured == ledger.processed == 6
    assert summary["a"].model.name == "cups.onnx"
    with pytest.raises(KeyError):
        summary["c"]


def test_an_event_stops_an_endless_run_with_its_outputs_finished(tmp_path: Path) -> None:
    stop = threading.Event()
    path = tmp_path / "r.jsonl"

    def on_result(result: Result) -> None:
        if result.frame.index >= 3:
            stop.set()

    summary = run(quiet(camera(source=SCENE, policy="latest", jsonl=str(path)), duration_s=60), on_result=on_result, stop=stop)
    assert summary.end == "stopped"
    assert len(path.read_text().splitlines()) == summary["scene"].statistics.ledger.processed >= 1
    assert summary["scene"].outputs["jsonl"].state == "closed"


def test_a_session_is_stopped_from_another_thread() -> None:
    first = threading.Event()
    session = Session(quiet(camera(source=SCENE, policy="latest"), duration_s=60), on_result=lambda _: first.set())
    found: list[RunSummary] = []
    thread = threading.Thread(target=lambda: found.append(session.run()))
    assert not session.playing
    thread.start()
    assert first.wait(60)
    assert session.playing
    session.stop("enough")
    thread.join(30)
    assert [summary.end for summary in found] == ["enough"]


def test_a_run_that_is_stopped_before_it_begins_ends_at_once() -> None:
    session = Session(quiet(camera(source=SCENE, policy="latest"), duration_s=60))
    session.stop()
    assert session.run().end == "stopped"


def test_a_limit_of_frames_and_of_time() -> None:
    assert run(quiet(camera(source=SCENE), max_frames=2))["scene"].statistics.ledger.processed == 2
    assert run(quiet(camera(source=SCENE), duration_s=0.2)).end == "done"


def test_what_is_printed_goes_to_the_streams_given(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((96, 128, 3), 40, np.uint8))
    for form in ("text", "json", "off"):
        out, err = io.StringIO(), io.StringIO()
        run(quiet(camera(source=str(tmp_path / "a.png"), policy=None), log=form), out=out, err=err)
        assert out.getvalue().startswith("a.png  128x96  ") == (form != "off")
        if form == "text":
            assert "done: 1 frame in" in err.getvalue()
        elif form == "json":
            assert [json.loads(line)["kind"] for line in err.getvalue().splitlines()] == ["summary"]
        else:
            assert (out.getvalue(), err.getvalue()) == ("", "")
    assert capfd.readouterr() == ("", "")


def test_errors_are_raised_and_statistics_written_before(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="camera 97"):
        run(quiet(camera(source="97", policy=None), stats=tmp_path / "s.json"))
    record = json.loads((tmp_path / "s.json").read_text())
    assert (record["end"], record["state"], record["ledger"]["processed"]) == ("broke off", "failed", 0)
    assert "camera 97" in record["error"]
    with pytest.raises(EdgeCnnError, match=r"absent\.onnx"):
        run(quiet(camera(model="absent.onnx")))
    with pytest.raises(InputError, match="/dev/full"):
        run(quiet(camera(jsonl="/dev/full")))


def test_an_error_of_the_callback_ends_the_run_and_closes_the_outputs(tmp_path: Path) -> None:
    def fail(_: Result) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run(quiet(camera(snapshot=str(tmp_path / "s.png"))), on_result=fail)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgecnn-sink")]


def test_cameras_of_a_file_are_reloaded(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"

    def write(*seeds: int) -> None:
        new = tmp_path / "new"
        tables = [f'[[camera]]\nname = "c{seed}"\nsource = "{SCENE}&cut=3{seed}"\n' for seed in seeds]
        new.write_text("".join(tables))
        new.replace(path)

    write(1)
    seen: set[str] = set()
    stop = threading.Event()

    def on_result(result: Result) -> None:
        if not seen:
            write(2)
        seen.add(result.camera)
        if "c2" in seen:
            stop.set()

    config = RunConfig(cameras_file=path, defaults=CameraConfig(model=Path("cups")), log="off", duration_s=60)
    summary = run(config, on_result=on_result, stop=stop)
    assert [one.name for one in summary.cameras] == ["c1", "c2"]
    for one in summary.cameras:
        ledger = one.statistics.ledger
        assert ledger.captured == ledger.processed + ledger.dropped + ledger.skipped + ledger.failed


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            InputError("it is wrong", "correct it"), "the cameras were not changed: it is wrong; correct it", id="of a user"
        ),
        pytest.param(RuntimeError("odd"), "the cameras were not changed: RuntimeError('odd')", id="of ours"),
    ],
)
def test_a_reload_that_fails_is_reported_and_later_changes_are_seen(tmp_path: Path, error: Exception, said: str) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text("[[camera]]\nsource = 0\n")
    file = CamerasFile(path, CameraConfig(model=Path("cups")))
    file.read()
    calls: list[Any] = []
    err, updated_twice = io.StringIO(), threading.Event()

    def update(cameras: Any) -> dict[str, list[str]]:
        calls.append(cameras)
        if len(calls) == 1:
            path.write_text("[[camera]]\nsource = 22\n")
            raise error
        updated_twice.set()
        return {"added": ["b"], "removed": [], "changed": ["a"]}

    path.write_text("[[camera]]\nsource = 1.5\n")
    with Reloader(file, update, Reporter("text", io.StringIO(), err)):
        assert updated_twice.wait(30)
    assert [one.source for (one,) in calls] == ["1.5", "22"]
    assert err.getvalue().splitlines()[0] == said


def test_a_configuration_is_compared_by_its_values() -> None:
    lines: Any = ("a:0,0.5,1,0.5",)
    one, other = (camera(lines=lines, mean=(1.0,), out="v.mp4") for _ in range(2))
    assert one == other
    assert one.analytics == AnalyticsConfig(lines=lines)
    assert one.outputs == OutputConfig(out="v.mp4")
    assert one != updated(one, {"out": "w.mp4"})
