"""What the page of a run shows, over real HTTP: files, state, pictures, events, health and metrics."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from edgecnn.runtime.pipeline.multi_camera import CameraSetup
from edgecnn.runtime.testing import FakePredictor
from edgecnn.runtime.view.run_metrics import counts_text
from edgecnn.types import Event, Image, Overlay, Result
from tests.runtime.view.harness import FakeSink, MovingSource, SilentSource, decoded, watching


@pytest.mark.parametrize(("path", "kind"), [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")])
def test_the_three_files_come_with_a_strict_policy_and_name_no_other_place(path: str, kind: str) -> None:
    with watching() as run:
        status, headers, body = run.ask(path)
    assert status == 200
    assert headers["content-type"].startswith(kind)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert b"//" not in body.replace(b"\n// ", b"").replace(b"; // ", b"").replace(b"{ // ", b"") or path != "/"
    assert b"http:" not in body
    assert b"https:" not in body


def test_the_state_tells_of_cameras_stages_ledger_outputs_and_events() -> None:
    cameras = {"door": MovingSource(), "yard": SilentSource()}
    with watching(cameras=cameras, sinks=lambda: [FakeSink()]) as run:
        run.multi_camera.events.append(Event("line-crossed", time.perf_counter(), "door", {"line": "gate"}))
        state = run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > 5 and state["events"] and state["tick"] > 3)
    door, yard = state["cameras"]
    assert (state["title"], state["health"]) == ("fake.onnx", "degraded")
    assert (door["state"], door["summary"], door["size_px"]) == ("live", "1 thing", [160, 120])
    assert set(door["stage_ms"]) == {"capture", "preprocess", "infer", "postprocess"}
    ledger = door["ledger"]
    assert ledger["captured"] == sum(ledger[name] for name in ("processed", "dropped", "failed", "skipped", "in_flight"))
    assert [point["tick"] for point in door["points"]] == list(range(1, state["tick"] + 1))
    assert door["points"][-1]["age_ms"][0] > 0
    assert (yard["state"], yard["detail"]) == ("lost", SilentSource.detail)
    assert state["sinks"] == [
        {"name": "mqtt", "state": "failing", "detail": "the broker does not answer", "written": 7, "dropped": 2, "failed": 0}
    ]
    assert state["events"][0] | {"unix_time_s": 0} == {
        "number": 1, "unix_time_s": 0, "kind": "line-crossed", "camera": "door", "details": {"line": "gate"},
    }  # fmt: skip
    assert abs(state["events"][0]["unix_time_s"] - time.time()) < 60


def test_only_what_is_new_is_told_again() -> None:
    with watching() as run:
        run.multi_camera.events.append(Event("late", time.perf_counter(), "door"))
        first = run.until(lambda state: state["tick"] > 1 and bool(state["events"]))
        again = run.state(f"?tick={first['tick']}&event={first['events'][-1]['number']}")
    assert all(point["tick"] > first["tick"] for point in again["cameras"][0]["points"])
    assert again["events"] == []


def test_pictures_follow_each_other_and_only_while_somebody_asks() -> None:
    with watching() as run:
        run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > 5)
        assert run.painters["door"].painted == 0
        numbers, levels = [0], set()
        for _ in range(4):
            status, headers, body = run.ask(f"/api/frame?camera=door&after={numbers[-1]}")
            assert status == 200
            assert headers["content-type"] == "image/jpeg"
            numbers.append(int(headers["x-frame-number"]))
            levels.add(int(decoded(body).mean()))
        assert sorted(set(numbers)) == numbers
        assert len(levels) > 1
        painted = run.painters["door"].painted
        time.sleep(0.4)
        assert run.painters["door"].painted == painted


def test_several_viewers_share_what_was_drawn() -> None:
    with watching(cameras={"door": MovingSource(fps=4.0)}) as run:
        seen: list[list[int]] = [[] for _ in range(6)]

        def look(numbers: list[int]) -> None:
            for _ in range(5):
                numbers.append(int(run.ask(f"/api/frame?camera=door&after={numbers[-1] if numbers else 0}")[1]["x-frame-number"]))

        viewers = [threading.Thread(target=look, args=(numbers,)) for numbers in seen]
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join(20)
        assert run.painters["door"].painted <= max(map(max, seen)) <= 15


def test_a_painter_that_raises_is_told_of_and_the_picture_shown_without() -> None:
    class Broken:
        def paint(self, result: Result) -> Image:
            raise RuntimeError("no colours left")

    with watching() as run:
        run.view.add_camera("door", (), Broken())
        assert run.ask("/api/frame?camera=door")[0] == 200
        assert run.ask("/api/frame?camera=door&after=1")[0] == 200
        assert run.state()["problem"] == "can't draw the annotations of door: no colours left"


def test_equal_events_are_all_told() -> None:
    with watching() as run:
        run.multi_camera.events.append(Event("zone-entered", 1.0, "door"))
        run.until(lambda state: len(state["events"]) == 1)
        run.multi_camera.events.append(Event("zone-entered", 1.0, "door"))
        state = run.until(lambda state: len(state["events"]) == 2)
    assert [event["number"] for event in state["events"]] == [1, 2]


def test_events_may_hold_anything() -> None:
    details = {"nan": float("nan"), "number": np.float32(0.5), "path": Path("/x"), "list": (1, {"a": None})}
    with watching() as run:
        run.multi_camera.events.append(Event("odd", time.perf_counter(), "door", details))
        told = run.until(lambda state: bool(state["events"]))["events"][0]["details"]
    assert told == {"nan": None, "number": 0.5, "path": "/x", "list": [1, {"a": None}]}


def test_cameras_come_and_go() -> None:
    with watching() as run:
        run.multi_camera.add(CameraSetup("yard", MovingSource(), FakePredictor()))
        run.view.add_camera("yard", ("thing",), run.painters["door"])
        run.until(lambda state: [camera["state"] for camera in state["cameras"]] == ["live", "live"])
        assert run.ask("/api/frame?camera=yard")[0] == 200
        run.multi_camera.remove("door")
        run.view.remove_camera("door")
        state = run.until(lambda state: [camera["name"] for camera in state["cameras"]] == ["yard"])
        assert run.ask("/api/frame?camera=door")[0] == 204
        assert state["controls"]["labels"] == ["thing"]


def test_a_camera_without_frames_has_no_picture_and_nobody_waits_long() -> None:
    with watching(cameras={"yard": SilentSource()}) as run:
        assert run.ask("/api/frame?camera=yard")[0] == 204


def test_what_was_counted_on_lines_and_in_zones_is_told() -> None:
    counts = {"in": {"thing": 2, "other": 1}, "out": {}}
    assert counts_text(Overlay("gate", ((0.0, 0.0), (1.0, 1.0)), False, counts)) == "gate: in 3, out 0"


def test_health_is_down_when_no_camera_gives_frames() -> None:
    with watching(cameras={"a": SilentSource(), "b": SilentSource()}) as run:
        assert run.ask("/health")[0] == 503
    with watching(cameras={"a": SilentSource(), "b": MovingSource()}) as run:
        status, _, body = run.ask("/health")
        assert (status, json.loads(body)["state"]) == (200, "degraded")


def test_metrics_are_what_the_run_offers() -> None:
    with watching(metrics=lambda: (b"frames_total 3\n", "text/plain; version=0.0.4")) as run:
        status, headers, body = run.ask("/metrics")
        assert (status, headers["content-type"], body) == (200, "text/plain; version=0.0.4", b"frames_total 3\n")
    with watching() as run:
        assert run.ask("/metrics")[0] == 404


def test_metrics_that_raise_are_one_line_and_the_run_goes_on() -> None:
    def broken() -> tuple[bytes, str]:
        raise RuntimeError("secret")

    with watching(metrics=broken) as run:
        status, _, body = run.ask("/metrics")
        assert status == 500
        assert b"secret" not in body
        assert run.ask("/health")[0] == 200
