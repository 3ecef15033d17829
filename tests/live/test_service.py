from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgecnn.errors import InputError
from edgecnn.live.service import Service, compose, containerfile, unit
from edgecnn.live.systemd import Notifier

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def service(*run: str, **others: Any) -> Service:
    return Service(name="door", run=run or ("cups", "--source", "0"), program=("/bin/true",), wheel="edgecnn-1.whl", **others)


def verified(text: str, folder: Path) -> str:
    path = folder / "door.service"
    path.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "door" in line)


@needs_systemd
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(("cups", "--source", "0"), id="plain"),
        pytest.param(("cups", "--source", "rtsp://camera/a%20b/$x?channel=1&subtype=0"), id="address"),
        pytest.param(("my model.onnx", "--zone", 'yard:0.1,0.2,"x\\'), id="quotes"),
    ],
)
def test_systemd_takes_the_unit(run: tuple[str, ...], tmp_path: Path) -> None:
    assert verified(unit(service(*run)), tmp_path) == ""


@needs_systemd
def test_systemd_complains_where_the_unit_is_wrong(tmp_path: Path) -> None:
    assert "Invalid memory limit" in verified(unit(service()).replace("MemoryMax=1G", "MemoryMax=much"), tmp_path)


@needs_systemd
def test_systemd_reads_the_words_that_were_written(tmp_path: Path) -> None:
    words = ["cups", "--source", "a b%c$d", "--zone", 'x"y\\z']
    text = unit(service(*words))
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert line.startswith("ExecStart=/bin/true run cups --source ")
    assert '"a b%%c$$d"' in line
    assert '"x\\"y\\\\z"' in line


def test_page_is_on_this_machine_unless_the_run_says_otherwise() -> None:
    assert "--serve 127.0.0.1:9000" in unit(service(port=9000))
    assert unit(service("cups", "--source", "0", "--serve", "0.0.0.0:80")).count("--serve") == 1


def test_container_gets_the_files_and_no_torch() -> None:
    text = containerfile(service("/models/a.onnx", "--source", "0", files=["/models/a.onnx"]))
    assert "COPY a.onnx /usr/local/share/edgecnn/" in text
    assert '"/usr/local/share/edgecnn/a.onnx"' in text
    assert "torch" not in text
    assert 'pip install --no-cache-dir "/tmp/edgecnn-1.whl[live]"' in text
    assert "USER edgecnn" in text


def test_limits_are_in_both() -> None:
    limited = service(memory="512M", cpus=1.5)
    assert {"MemoryMax=512M", "CPUQuota=150%"} <= set(unit(limited).splitlines())
    assert 'cpus: "1.5"' in compose(limited)
    assert "memory: 512M" in compose(limited)


@pytest.mark.parametrize(
    ("others", "named"),
    [
        pytest.param({"memory": "much"}, "memory", id="memory"),
        pytest.param({"run": ("cups\nExecStart=/bin/sh",)}, "line break", id="line-break"),
        pytest.param({"run": ("cups", "--source", "rtsp://me:secret@camera/")}, "EDGECNN_SOURCE", id="password"),
        pytest.param({"name": "../x"}, "name", id="name"),
    ],
)
def test_what_the_files_cannot_hold_is_refused(others: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        Service(**{"name": "door", "run": ("cups",), **others})
    assert "secret" not in str(caught.value)


def test_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        notifier = Notifier()
        notifier.ready()
        notifier.alive()
        notifier.alive()
        notifier.stopping()
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_nobody_to_tell_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    Notifier().ready()
