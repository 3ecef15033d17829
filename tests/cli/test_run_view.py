"""`edgecnn run --serve` and `--view`, as a user starts them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SOURCE = ("--source", "scene:cups?fps=5", "--policy", "latest")


@contextmanager
def running(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecnn", "run", "cups", *SOURCE, *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def port_of(process: subprocess.Popen[str], said: list[str]) -> int:
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        if found:
            return int(found[1])
    raise AssertionError(said)


def ask(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_run_serves_its_page_and_ends_with_it_at_sigterm() -> None:
    pytest.importorskip("uvicorn")
    said: list[str] = []
    with running("--serve", "127.0.0.1:0") as process:
        port = port_of(process, said)
        deadline = time.monotonic() + 60
        while not (state := json.loads(ask(port, "/api/state")[1]))["cameras"][0]["ledger"]["processed"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert state["health"] == "ok"
        status, body = ask(port, f"/api/frame?camera={state['cameras'][0]['name']}")
        assert (status, body[:2]) == (200, b"\xff\xd8")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
        with pytest.raises(OSError):
            ask(port, "/health")


def test_the_token_is_asked_for_and_reaches_no_log() -> None:
    pytest.importorskip("uvicorn")
    said: list[str] = []
    with running("--serve", "0.0.0.0:0", EDGECNN_TOKEN="a-token-of-the-test") as process:
        port = port_of(process, said)
        assert ask(port, "/api/state")[0] == 401
        assert ask(port, "/api/state", authorization="Bearer a-token-of-the-test")[0] == 200
        ask(port, "/api/state?token=a-token-of-the-test")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said += process.stderr.readlines()
    assert "a-token-of-the-test" not in "".join(said)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--serve", "0.0.0.0:0"], "--serve: 0.0.0.0 can be reached from other machines and needs an access token"),
        (["--serve", "nonsense:port"], "--serve: 'nonsense:port' is not HOST:PORT; write it like"),
        (["--token", "a-token-of-the-test"], "--token does nothing without --serve; add --serve, or leave --token out"),
        (["--serve", "203.0.113.9:0", "--token", "auto"], "--serve: can't serve on 203.0.113.9:0"),
    ],
)
def test_what_can_not_be_is_one_line_and_exit_code_2(words: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "run", "cups", *SOURCE, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
