"""`edgecnn run --host` as a user calls it: the page through the connection, cuts, the end by a signal."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from tests.remote.ssh_board import SshBoard


def run(board: SshBoard, *words: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, words), "--host", board.address, "--remote-python", sys.executable])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Visitor(threading.Thread):
    """Opens the page until it answers, cuts the connection, opens it again, then ends the run as Ctrl-C does."""

    def __init__(self, board: SshBoard, port: int) -> None:
        super().__init__()
        self.answers: list[str] = []
        self._board, self._port = board, port

    def run(self) -> None:
        self._visit()
        self._board.cut()
        self._visit()
        os.kill(os.getpid(), signal.SIGINT)

    def _visit(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5) as answer:
                self.answers.append(json.loads(answer.read())["state"])
                return
            time.sleep(0.05)


def test_page_cut_and_ctrl_c(ssh_board: SshBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)
    port = free_port()
    visitor = Visitor(ssh_board, port)
    visitor.start()
    found = run(ssh_board, "cups", "--source", "scene:cups?size=320x240", "--serve", port, "--stats", "stats.json")
    visitor.join()
    assert found.exit_code == 130, found.output
    assert visitor.answers == ["ok", "ok"]
    assert f"live view: http://127.0.0.1:{port}/" in found.stderr
    assert "the connection was cut, connecting again" in found.stderr
    assert "stopped by SIGINT" in found.stderr
    assert json.loads((tmp_path / "stats.json").read_text())["end"] == "stopped by SIGINT"
    assert ssh_board.wait_until_idle() == []


def test_results_are_printed_here(ssh_board: SshBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGECNN_SOURCE", "scene:cups?size=320x240&count=2")
    found = run(ssh_board, "cups", "--jsonl", "-", "--max-frames", 2, "--policy", "all")
    assert found.exit_code == 0, found.output
    assert [json.loads(line)["frame"] for line in found.stdout.splitlines() if line.startswith("{")] == [0, 1]
    assert ssh_board.wait_until_idle() == []


def test_an_error_there_is_one_line(ssh_board: SshBoard) -> None:
    found = run(ssh_board, "cups", "--source", "/no/such/video.mp4")
    assert found.exit_code == 2
    lines = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {ssh_board.address}: ")
    assert "/no/such/video.mp4" in lines[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--show",), "--show opens a window on the board"),
        (("--host", "other"), "a run is on one board"),
        (("--serve", "0.0.0.0:80"), "the page is for this machine only"),
    ],
)
def test_wrong_calls(words: tuple[str, ...], said: str) -> None:
    found = CliRunner().invoke(main, ["run", "cups", "--source", "0", "--host", "a", *words])
    assert found.exit_code == 2
    assert said in found.stderr
