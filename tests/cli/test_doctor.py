from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.devices import doctor
from edgecnn.devices.doctor import DeviceFinding, Machine
from edgecnn.devices.profile import DeviceProfile

SLOW = DeviceFinding("slow", "governor", "it is slow", "echo performance | sudo tee /sys/x")
NOTE = DeviceFinding("note", "glibc", "it is old")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[DeviceFinding]:
    findings: list[DeviceFinding] = []
    machine = Machine(root=Path("/absent"), profile=DeviceProfile("Board", "aarch64", "X", 4, 4), packages={})
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls, root: machine))
    monkeypatch.setattr(doctor, "examine", lambda machine: tuple(findings))
    return findings


def test_the_line_that_mends_stands_alone(found: list[DeviceFinding]) -> None:
    found += [SLOW, NOTE]
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert [line.strip() for line in done.output.splitlines() if line] == [
        "Board",
        "slow:    it is slow",
        "echo performance | sudo tee /sys/x",
        "note:    it is old",
        "1 slow, 1 note",
    ]


def test_a_known_board_is_named(found: list[DeviceFinding], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found.append(NOTE)
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    machine = Machine(root=tmp_path, profile=DeviceProfile("Pi", "aarch64", "Cortex-A76", 4, 4), packages={})
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls, root: machine))
    first = CliRunner().invoke(main, ["doctor"]).output.splitlines()[0]
    assert first == "Pi; its limits and what pays on it: edgecnn devices raspberry-pi-5"
    assert json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)["board"] == "raspberry-pi-5"


def test_notes_alone_are_no_failure(found: list[DeviceFinding]) -> None:
    found.append(NOTE)
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 0


@pytest.mark.usefixtures("found")
def test_nothing_to_mend() -> None:
    done = CliRunner().invoke(main, ["doctor"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "nothing to mend")


def test_json(found: list[DeviceFinding]) -> None:
    found.append(SLOW)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (document["schema"], document["version"], document["device"]) == ("edgecnn.doctor", 1, "Board")
    assert document["findings"] == [
        {"level": "slow", "name": "governor", "text": "it is slow", "fix": "echo performance | sudo tee /sys/x"}
    ]
