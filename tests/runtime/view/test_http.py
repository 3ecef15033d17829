"""The page of a run over real HTTP: what it tells, what it lets change, what it refuses."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.multi_camera import CameraSetup
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.runtime.view import connection_limits
from edgecnn.runtime.view.auth import Access, make_access
from edgecnn.runtime.view.run_metrics import counts_text
from edgecnn.runtime.view.server import listen
from edgecnn.types import Event, Image, Overlay, Result
from tests.runtime.pipeline.harness import wait_until
from tests.runtime.view.harness import FakeSink, MovingSource, SilentSource, Watching, decoded, watching
from tests.runtime.watchdog import finishes

TOKEN = "a long enough token".replace(" ", "-")


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


def test_the_controls_take_effect_at_once() -> None:
    with watching() as run:
        answer = run.ask("/api/controls", {"score_threshold": 0.75, "only": ["thing"]})
        assert answer[0] == 200
        assert json.loads(answer[2]) == {
            "scored": True, "score_threshold": 0.75, "floor": 0.0, "labels": ["thing", "other"], "only": ["thing"], "paused": [],
        }  # fmt: skip
        setting = run.multi_camera.controls.setting
        assert (setting.score_threshold, setting.only) == (0.75, frozenset({"thing"}))
        assert run.ask("/api/controls", {"only": None})[0] == 200
        assert run.multi_camera.controls.setting.only == {"thing", "other"}


def test_classes_that_the_run_began_with_are_chosen_until_somebody_chooses() -> None:
    with watching() as run:
        run.view.add_camera("door", ("Thing", "other"), run.painters["door"], only=["thing"])
        assert run.state()["controls"]["only"] == ["Thing"]
        run.ask("/api/controls", {"only": ["other"]})
        assert run.state()["controls"]["only"] == ["other"]
        run.view.remove_camera("door")
        assert run.state()["controls"]["labels"] == []


def test_controls_are_of_what_the_model_finds() -> None:
    with watching() as run:
        run.view.add_camera("door", ("nose", "left eye"), run.painters["door"], by_class=False)
        controls = run.state()["controls"]
        assert (controls["scored"], controls["labels"]) == (True, [])
        run.view.add_camera("door", ("wall", "sky"), run.painters["door"], by_class=False, by_score=False)
        assert run.state()["controls"]["scored"] is False
        run.view.add_camera("door", ("thing", "other"), run.painters["door"])
        controls = run.state()["controls"]
        assert (controls["scored"], controls["labels"]) == (True, ["thing", "other"])


def test_what_was_counted_on_lines_and_in_zones_is_told() -> None:
    counts = {"in": {"thing": 2, "other": 1}, "out": {}}
    assert counts_text(Overlay("gate", ((0.0, 0.0), (1.0, 1.0)), False, counts)) == "gate: in 3, out 0"


def test_a_camera_is_paused_and_goes_on() -> None:
    with watching() as run:
        run.until(lambda state: state["cameras"][0]["state"] == "live")
        run.ask("/api/controls", {"camera": "door", "paused": True})
        skipped = run.until(lambda state: state["cameras"][0]["ledger"]["skipped"] > 2)
        assert skipped["cameras"][0]["state"] == "paused"
        run.ask("/api/controls", {"camera": "door", "paused": False})
        before = run.state()["cameras"][0]["ledger"]["processed"]
        run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > before + 2)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"score_threshold": 1.5}, id="threshold too high"),
        pytest.param({"score_threshold": True}, id="threshold that is no number"),
        pytest.param(b'{"score_threshold": NaN}', id="not a number"),
        pytest.param({"only": ["nobody knows this"]}, id="unknown label"),
        pytest.param({"only": "thing"}, id="labels that are no list"),
        pytest.param({"camera": "nowhere", "paused": True}, id="unknown camera"),
        pytest.param({"camera": "door", "paused": 1}, id="paused that is no boolean"),
        pytest.param({"camera": "door"}, id="camera alone"),
        pytest.param({"source": "/etc/passwd"}, id="unknown key"),
        pytest.param({}, id="nothing"),
        pytest.param([], id="list"),
        pytest.param(b"{", id="half"),
        pytest.param(b"[" * 10000, id="deep"),
        pytest.param(b"\xff\xfe", id="not text"),
    ],
)
def test_a_wrong_wish_is_refused_and_changes_nothing(body: object) -> None:
    with watching() as run:
        before = run.multi_camera.controls.setting
        status, _, answer = run.ask("/api/controls", body, content_type="application/json")
        assert status == 400
        assert json.loads(answer)["error"]
        assert run.multi_camera.controls.setting == before


def test_sizes_types_and_methods_are_checked() -> None:
    with watching() as run:
        assert run.ask("/api/controls", b'{"score_threshold": 0.5}', content_type="text/plain")[0] == 415
        assert run.ask("/api/controls", b'{"score_threshold": 0.5}')[0] == 415
        assert run.ask("/api/controls", {"only": ["x" * 50_000]})[0] == 413
        assert run.ask("/api/controls")[0] == 405
        assert run.ask("/", {"score_threshold": 0.5})[0] == 405
        assert run.ask("/api/state?tick=-1")[0] == 400
        assert run.ask("/api/state?tick=" + "9" * 300)[0] == 400
        assert run.ask("/api/state", x="y" * 40_000)[0] == 431


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/style.css/../board.py", "//app.py", "/static/app.js"]
)
def test_no_path_leads_to_the_file_system(path: str) -> None:
    with watching() as run:
        assert run.ask(path)[0] == 404
        assert run.ask(f"/api/frame?camera={path}")[0] == 204


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "", "10.0.0.1"])
def test_a_rebound_name_is_refused(host: str) -> None:
    with watching() as run:
        assert run.ask("/api/state", Host=host)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8501", "[::1]:8501"])
def test_names_of_this_machine_are_right(host: str) -> None:
    with watching() as run:
        assert run.ask("/api/state", Host=host)[0] == 200


def test_another_site_may_neither_change_nor_look() -> None:
    with watching() as run:
        wish = {"score_threshold": 0.9}
        assert run.ask("/api/controls", wish, origin="https://evil.example")[0] == 403
        assert run.ask("/api/controls", wish, origin="null")[0] == 403
        assert run.ask("/api/controls", wish, origin=f"http://127.0.0.1:{run.port + 1}")[0] == 403
        assert run.ask("/api/controls", wish, sec_fetch_site="cross-site")[0] == 403
        assert run.ask("/api/controls", wish, sec_fetch_site="same-site")[0] == 403
        assert run.ask("/api/frame?camera=door", sec_fetch_site="cross-site")[0] == 403
        assert run.multi_camera.controls.setting.score_threshold is None
        assert run.ask("/", sec_fetch_site="cross-site")[0] == 200
        assert run.ask("/api/controls", wish, origin=f"http://127.0.0.1:{run.port}", sec_fetch_site="same-origin")[0] == 200


def test_a_token_is_asked_for_and_a_session_does_as_well() -> None:
    with watching(access=Access("127.0.0.1", 0, TOKEN)) as run:
        for path in ("/api/state", "/api/frame?camera=door", "/metrics"):
            assert run.ask(path)[0] == 401
            assert run.ask(path, authorization="Bearer wrong")[0] == 401
            assert run.ask(path, cookie=f"edgecnn-{run.port}={TOKEN}")[0] == 401
        assert run.ask("/api/controls", {"score_threshold": 0.5})[0] == 401
        assert run.ask("/api/state", authorization=f"Bearer {TOKEN}")[0] == 200
        status, headers, body = run.ask("/api/login", {"token": TOKEN})
        cookie = headers["set-cookie"]
        assert (status, body) == (200, b"{}")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert run.ask("/api/state", cookie=cookie.partition(";")[0])[0] == 200


@pytest.mark.parametrize("body", [{"token": "wrong"}, {"token": None}, {}, {"token": TOKEN + "x"}, {"token": "\ud800"}])
def test_a_wrong_token_opens_nothing(body: dict[str, object]) -> None:
    with watching(access=Access("127.0.0.1", 0, TOKEN)) as run:
        status, headers, _ = run.ask("/api/login", body)
        assert status == 401
        assert "set-cookie" not in headers


def test_without_the_token_health_says_how_but_not_who() -> None:
    with watching(access=Access("127.0.0.1", 0, TOKEN)) as run:
        assert json.loads(run.ask("/health")[2]) == {"state": "ok"}
        assert b"door" in run.ask("/health", authorization=f"bearer {TOKEN}")[2]
        assert run.ask("/")[0] == 200


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


def test_a_viewer_that_never_reads_slows_nothing_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "READ_TIMEOUT_S", 1.0)
    with watching() as run, socket.socket() as lazy:
        run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > 5)
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", run.port))
        lazy.settimeout(10)
        with pytest.raises(OSError, match=r"reset|broken"):  # noqa: PT012
            for _ in range(300):  # more than the buffers of two sockets hold
                lazy.sendall(b"GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n")
            before = run.results
            assert run.ask("/api/frame?camera=door")[0] == 200
            run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > before + 5)
            for _ in range(100):
                lazy.sendall(b"x")
                time.sleep(0.1)


@pytest.mark.parametrize(
    ("sent", "keep_alive"),
    [
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"GET / HT", False, id="half a line"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ", False, id="half"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ", True, id="half of the second request"),
    ],
)
def test_a_client_that_does_not_finish_its_request_is_disconnected(
    sent: bytes, keep_alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "REQUEST_TIMEOUT_S", 0.5)
    with watching() as run, socket.create_connection(("127.0.0.1", run.port)) as slow:
        if keep_alive:
            slow.settimeout(30)
            slow.sendall(b"GET /favicon.ico HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert slow.recv(10_000).startswith(b"HTTP/1.1 204")
        slow.sendall(sent)
        slow.settimeout(0.1)
        finishes(lambda: send_until_disconnected(slow, sent[:1] and b"x"))


def send_until_disconnected(slow: socket.socket, data: bytes) -> None:
    """A byte now and then must not keep a connection open."""
    while True:
        try:
            slow.sendall(data)
            if slow.recv(10_000) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.runtime.view.app.BODY_TIMEOUT_S", 0.5)
    with watching() as run, socket.create_connection(("127.0.0.1", run.port), timeout=8) as slow:
        head = b"POST /api/controls HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        slow.sendall(head)
        assert b" 408 " in slow.recv(1000)


def test_a_crowd_of_connections_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_CONNECTIONS", 5)
    with watching() as run:
        crowd = [socket.create_connection(("127.0.0.1", run.port), timeout=5) for _ in range(12)]
        refused = 0
        for connection in crowd[5:]:
            with pytest.raises(OSError):  # noqa: PT012
                connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                if connection.recv(100) == b"":
                    raise ConnectionResetError
            refused += 1
        assert refused == 7
        for connection in crowd:
            connection.close()
        wait_until(lambda: answers(run))


def answers(run: Watching) -> bool:
    try:
        return run.ask("/health")[0] == 200
    except OSError:
        return False


def test_it_stops_in_two_seconds_whatever_viewers_do() -> None:
    with watching(cameras={"door": SilentSource()}) as run:
        idle = [socket.create_connection(("127.0.0.1", run.port)) for _ in range(3)]
        idle[1].sendall(b"GET /api/frame?camera=door HTTP/1.1\r\nhost: localhost\r\n\r\n")
        idle[2].sendall(b"GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n" * 100)
        time.sleep(0.2)
        finishes(run.view.close)
        assert not [
            thread.name
            for thread in threading.enumerate()
            if thread.name in ("edgecnn-serve", "edgecnn-frame-images", "edgecnn-run-metrics")
        ]
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", run.port), timeout=2)
        for connection in idle:
            connection.close()


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match="the port is in use by another program; stop it, or name another port") as told:
            Watching({"door": FakeSource(1)}, Access("127.0.0.1", port))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("host", "found"), [("203.0.113.7", "assign"), ("no.such.host.invalid", "")])
def test_an_address_of_another_machine_is_one_line(host: str, found: str) -> None:
    with pytest.raises(InputError, match=f"--serve: can't serve on {host}:0, .*{found}.*; name an address of this machine"):
        listen(host, 0)


def test_a_page_for_other_machines_names_itself_and_wants_its_token() -> None:
    with watching(access=make_access("0.0.0.0:0", TOKEN)) as run:
        assert run.view.url == f"http://127.0.0.1:{run.port}/"
        assert run.ask("/api/state", Host="192.168.1.20:8501", authorization=f"Bearer {TOKEN}")[0] == 200
        assert run.ask("/api/state", Host="evil.example", authorization=f"Bearer {TOKEN}")[0] == 421
        assert run.ask("/api/state")[0] == 401
