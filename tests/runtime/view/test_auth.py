"""Who may look at a run: addresses, tokens and the headers of a request."""

from __future__ import annotations

import sys

import pytest

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.multi_camera import MultiCamera
from edgecnn.runtime.view.auth import ENVIRONMENT, Access, is_loopback, make_access, parse_host_port
from edgecnn.runtime.view.live_view import LiveView

TOKEN = "abcdefghijkl"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ("127.0.0.1", 8501)),
        ("9000", ("127.0.0.1", 9000)),
        (":9000", ("127.0.0.1", 9000)),
        ("0.0.0.0", ("0.0.0.0", 8501)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("[::]", ("::", 8501)),
        ("camera-box.local:8080", ("camera-box.local", 8080)),
    ],
)
def test_a_place_is_a_host_a_port_or_both(text: str, place: tuple[str, int]) -> None:
    assert parse_host_port(text) == place


@pytest.mark.parametrize("text", ["localhost:http", "localhost:70000", "localhost:-1", "::1", "99999", "a:٣"])
def test_another_place_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"--serve: .* is not HOST:PORT; write"):
        parse_host_port(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert make_access(f"[{host.strip('[]')}]:0" if ":" in host else f"{host}:0", None).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.168.1.5", "camera-box", "127.0.0.1.evil.example"])
def test_any_other_does(host: str) -> None:
    with pytest.raises(
        InputError, match=r"--serve: .* can be reached from other machines and needs an access token; set EDGECNN_TOKEN"
    ):
        make_access(f"{host}:0", None)


def test_a_token_comes_from_the_environment_or_is_made_and_is_never_in_the_text_of_the_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENVIRONMENT, TOKEN)
    access = make_access("0.0.0.0:0", None)
    assert access.is_valid_token(TOKEN)
    assert not access.generated
    made = make_access("0.0.0.0:0", "auto")
    assert made.generated
    assert made.token is not None
    assert len(made.token) >= 20
    for one in (access, made):
        assert str(one.token) not in repr(one)
        assert one.session not in repr(one)


@pytest.mark.parametrize("token", ["short", "x" * 300, "with a blank in", "ümlaut-ümlaut", "line\nline-line"])
def test_a_token_that_is_no_good_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(InputError, match="--token: 12 to 256 printable ASCII characters") as told:
        make_access("0.0.0.0:0", token)
    assert token not in str(told.value)


def test_a_token_opens_as_bearer_or_session_and_nothing_else_does() -> None:
    access = Access("0.0.0.0", 8501, TOKEN)
    assert access.is_authenticated({"authorization": f"Bearer {TOKEN}"}, {})
    assert access.is_authenticated({}, {"edgecnn-8501": access.session})
    for headers, cookies in (
        ({}, {}),
        ({"authorization": TOKEN}, {}),
        ({"authorization": f"Basic {TOKEN}"}, {}),
        ({"authorization": "Bearer "}, {}),
        ({}, {"edgecnn-8501": TOKEN}),
        ({}, {"edgecnn-8502": access.session}),
        ({}, {"edgecnn-8501": ""}),
    ):
        assert not access.is_authenticated(headers, cookies)


def test_names_of_this_machine_are_right_where_it_serves_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Camera-Box")
    access = Access("0.0.0.0", 8501, TOKEN)
    for host in (
        "camera-box",
        "camera-box:8501",
        "camera-box.local",
        "camera-box.lan:8501",
        "192.168.1.5",
        "[fe80::1]:8501",
        "localhost",
    ):
        assert access.is_valid_host(host), host
    for host in ("", "evil.example", "camera-box-evil.example", "box", "192.168.1.5.evil.example"):
        assert not access.is_valid_host(host), host


def test_without_the_packages_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name
        for name in sys.modules
        if name.partition(".")[0] in ("uvicorn", "starlette") or name.startswith("edgecnn.runtime.view.app")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[live\]"'):
        LiveView(MultiCamera([]), Controls(), Access("127.0.0.1", 0))
