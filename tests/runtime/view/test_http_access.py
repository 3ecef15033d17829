"""Who may ask the page of a run, over real HTTP: paths, hosts, other sites, tokens, addresses."""

from __future__ import annotations

import json
import socket

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from edgecnn.errors import InputError
from edgecnn.runtime.testing import FakeSource
from edgecnn.runtime.view.auth import Access, make_access
from edgecnn.runtime.view.server import listen
from tests.runtime.view.harness import Watching, watching

TOKEN = "a long enough token".replace(" ", "-")


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
