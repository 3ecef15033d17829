"""`edgecnn deploy` on a board behind a real SSH server; systemctl is a stand-in that starts the real start script."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn import shipped
from edgecnn.cli import main
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.remote.agent import activate
from edgecnn.remote.agent.activate import PENDING
from edgecnn.remote.agent.releases import switch
from edgecnn.shipped import artifact
from tests.remote.fake_systemd import FakeSystemd
from tests.remote.ssh_board import SshBoard

NAME = "door"


@pytest.fixture
def service(ssh_board: SshBoard) -> Iterator[SshBoard]:
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    systemd = FakeSystemd(ssh_board)
    yield ssh_board
    systemd.close()
    for each in (".local/share/edgecnn/services", ".config/systemd"):
        shutil.rmtree(ssh_board.home / each, ignore_errors=True)


def deploy(board: SshBoard, *words: object, port: int) -> Result:
    place = ("--host", board.address, "--remote-python", sys.executable, "--name", NAME, "--scope", "user", "--port", port)
    return CliRunner().invoke(main, ["deploy", *map(str, words), *map(str, place)])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def releases(board: SshBoard) -> tuple[str, list[str]]:
    folder = board.home / ".local/share/edgecnn/services" / NAME
    return str((folder / "current").readlink()), sorted(path.name for path in (folder / "releases").iterdir())


def health(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return str(json.loads(answer.read())["state"])


@pytest.mark.slow
def test_releases_switch_and_go_back(service: SshBoard, tmp_path: Path) -> None:
    port = free_port()
    first = deploy(service, "cups", "--source", "scene:cups?size=320x240", port=port)
    assert first.exit_code == 0, first.output
    assert f"{NAME} is version 1" in first.stdout
    assert health(port) == "ok"
    assert releases(service) == ("releases/1", ["1"])

    # the same goldens with outputs of another network: the selftest on the board refuses it
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(damaged(artifact(Path("cups")).read_bytes()))
    refused = deploy(service, broken, "--source", "scene:cups", port=port)
    assert refused.exit_code in (1, 2), refused.output
    assert "version 1 still runs" in refused.stderr
    assert releases(service) == ("releases/1", ["1"])
    assert health(port) == "ok"

    # a source that does not exist: the service ends, and version 1 comes back
    sick = deploy(service, "cups", "--source", "/no/such/video.mp4", "--healthy-within", 20, port=port)
    assert sick.exit_code == 2, sick.output
    assert "version 2 did not become healthy: the service ended" in sick.stderr
    assert "version 1 runs again" in sick.stderr
    assert releases(service) == ("releases/1", ["1"])
    assert health(port) == "ok"

    second = deploy(service, "cups", "--source", "scene:cups?size=320x240&seed=2", port=port)
    assert second.exit_code == 0, second.output
    assert "is version 2, before it 1" in second.stdout
    back = deploy(service, "--rollback", port=port)
    assert back.exit_code == 0, back.output
    assert releases(service) == ("releases/1", ["1", "2"])
    assert health(port) == "ok"
    again = deploy(service, "--rollback", port=port)
    assert again.exit_code == 2
    assert f"the service {NAME} has no version before 1" in again.stderr


@pytest.mark.slow
def test_a_killed_switch_goes_back(service: SshBoard) -> None:
    """The agent is killed while it waits for the health of version 2; once this side sees its end, once it is killed as well."""
    port = free_port()
    first = deploy(service, "cups", "--source", "scene:cups?size=320x240", port=port)
    assert first.exit_code == 0, first.output
    killing = threading.Thread(target=kill_while_switching, args=(service,))
    killing.start()
    killed = deploy(service, "cups", "--source", "/no/such/video.mp4", "--healthy-within", 60, port=port)
    killing.join()
    assert killed.exit_code == 2, killed.output
    assert "version 2 was not confirmed as healthy: version 1 runs again; deploy again" in killed.stderr
    assert releases(service) == ("releases/1", ["1"])
    assert health(port) == "ok"

    folder = service.home / ".local/share/edgecnn/services" / NAME
    pending = {"service": NAME, "number": 2, "before": 1, "port": port, "seconds": 20, "new": True, "scope": "user"}
    (folder / PENDING).write_text(dump_json({**pending, "unit_name": f"edgecnn-{NAME}"}))
    (folder / "releases/2").mkdir()
    switch(folder, 2)  # as a board that lost its power in the switch leaves it
    later = deploy(service, "cups", "--source", "scene:cups?size=320x240&seed=2", port=port)
    assert later.exit_code == 0, later.output
    assert "version 2 was not confirmed as healthy: version 1 runs again" in later.stderr
    assert releases(service) == ("releases/2", ["1", "2"])
    assert not (folder / PENDING).exists()
    assert health(port) == "ok"


@pytest.mark.slow
@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize("when", ["copied", "switched"])
def test_an_interrupt_leaves_the_version_before(when: str, service: SshBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    first = deploy(service, "cups", "--source", "scene:cups?size=320x240", port=port)
    assert first.exit_code == 0, first.output
    folder = service.home / ".local/share/edgecnn/services" / NAME
    sign = folder / ("releases/2/release.json" if when == "copied" else PENDING)

    def press() -> None:
        while not sign.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    ended = deploy(service, "cups", "--source", "scene:cups?size=320x240&seed=2", "--healthy-within", 60, port=port)
    pressing.join()
    assert ended.exit_code == 2, ended.output
    said = {
        "copied": "error: the deployment was interrupted, and nothing was switched; deploy again",
        "switched": "error: the deployment was interrupted; version 2 was not confirmed as healthy: version 1 runs again; deploy again",
    }
    assert ended.stderr.splitlines()[-1] == said[when]
    assert releases(service) == ("releases/1", ["1"])
    assert not (folder / PENDING).exists()
    assert health(port) == "ok"
    assert not list((service.home / ".local/share/edgecnn/jobs").iterdir())


def kill_while_switching(board: SshBoard) -> None:
    while not (board.home / ".local/share/edgecnn/services" / NAME / PENDING).exists():
        time.sleep(0.02)
    time.sleep(0.5)
    board.kill(" activate ")


def test_two_switches_at_the_same_time(tmp_path: Path) -> None:
    request = {"root": str(tmp_path), "service": NAME}
    with activate._alone(tmp_path / "services" / NAME), pytest.raises(InputError, match=f"another deployment of {NAME} goes on"):
        activate.settle(request)
    assert activate.settle(request) == {"what": ""}
    assert activate.unsettled(request) == {"number": None}


def damaged(data: bytes) -> bytes:
    at = len(data) // 3
    return data[:at] + bytes(64) + data[at + 64 :]


def test_a_first_release_that_fails_leaves_nothing(service: SshBoard) -> None:
    sick = deploy(service, "cups", "--source", "/no/such/video.mp4", "--healthy-within", 20, port=free_port())
    assert sick.exit_code == 2, sick.output
    assert "the service was removed" in sick.stderr
    assert not (service.home / ".local/share/edgecnn/services" / NAME).exists()
    assert not (service.home / f".config/systemd/user/edgecnn-{NAME}.service").exists()
    assert service.wait_until_idle() == []


def test_without_systemd(ssh_board: SshBoard) -> None:
    (ssh_board.bin / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    (ssh_board.bin / "systemctl").chmod(0o755)
    try:
        refused = deploy(ssh_board, "cups", "--source", "0", port=8501)
        assert refused.exit_code == 2
        assert "systemd does not run for this user there; use --no-service" in refused.stderr
        done = deploy(ssh_board, "cups", "--source", "scene:cups", "--no-service", port=8501)
        assert done.exit_code == 0, done.output
        start = ssh_board.home / ".local/share/edgecnn/services" / NAME / "current/start"
        assert f"start it there with: {start}" in done.stdout
        assert "--serve 127.0.0.1:8501 --log json" in start.read_text()
    finally:
        (ssh_board.bin / "systemctl").unlink()
        shutil.rmtree(ssh_board.home / ".local/share/edgecnn/services")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cups",), "deploy needs one board"),
        (("--host", "a"), "the model file is not named"),
        (("cups", "--rollback", "--host", "a"), "--rollback takes no FILE"),
        (("--track", "cups", "--host", "a"), "stands before the model file"),
        (("cups", "--host", "a", "--no-such-option"), "No such option"),
        (
            (str(shipped.checkpoint("cups")), "--host", "a"),
            "cups.safetensors is a checkpoint, and boards run exported files only",
        ),
        (("cups", "--host", "a", "--name", "A b"), "is not a service name"),
        (("cups", "--host", "a", "--source", "rtsp://u:secret@camera/1"), "contains a password"),
    ],
)
def test_wrong_calls(words: tuple[str, ...], said: str) -> None:
    found = CliRunner().invoke(main, ["deploy", *words])
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.output
