"""`edgecnn benchmark --host` as a user calls it, on boards behind a real SSH server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn.benchmarks.figures.relay import SlowLink
from edgecnn.cli import main
from edgecnn.cli.remote_options import forwarded_words
from edgecnn.remote.agent_archive import agent_name
from edgecnn.shipped import artifact
from tests.remote.ssh_board import SSHD, SshBoard, python_path

QUICK = ("--quick", "--clock", "model", "--threads", 1, "--remote-python", sys.executable)


def benchmark(*words: object) -> Result:
    return CliRunner().invoke(main, ["benchmark", *map(str, words)])


def cut_while_it_runs(link: SlowLink, jobs: Path, times: int) -> None:
    """Cut the link so many times, each time when it stands and a benchmark runs on its board."""
    for number in range(times):
        while link.accepted <= number or not any(jobs.glob("benchmark-*/stdout")):
            time.sleep(0.01)
        link.cut()


def test_two_boards_in_one_table_and_cuts(ssh_board: SshBoard, tmp_path: Path) -> None:
    link = SlowLink(ssh_board.port)
    cutting = threading.Thread(target=cut_while_it_runs, args=(link, ssh_board.home / ".local/share/edgecnn/jobs", 3))
    cutting.start()
    found = benchmark(
        "bearing", "--host", ssh_board.address, "--host", link.address, *QUICK, "--json", tmp_path / "result-{host}.json"
    )
    assert found.exit_code == 0, found.output
    cutting.join()
    assert link.cuts == 3
    link.close()
    lines = [line for line in found.stdout.splitlines() if "bearing.onnx" in line]
    assert [line.split()[0] for line in lines] == [ssh_board.address, link.address]
    for place in (ssh_board.address, link.address):
        document = json.loads((tmp_path / f"result-{place.replace(':', '-')}.json").read_text())
        assert document["host"] == place
        assert document["schema"] == "edgecnn.benchmark"
        assert len(document["files"][0]["clocks"]["model"]["samples_ms"]) >= 64
    assert sorted(path.name for path in (ssh_board.home / ".local/share/edgecnn").iterdir()) == ["files", "jobs"]
    assert not list((ssh_board.home / ".local/share/edgecnn/jobs").iterdir())
    assert ssh_board.wait_until_idle() == []


def interrupt_in_the_task_clock(jobs: Path) -> None:
    """Press Ctrl-C when the model clock is complete."""
    while not any(b"task clock: warm-up" in path.read_bytes() for path in jobs.glob("benchmark-*/stderr")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("heeds_interrupts")
def test_an_interrupt_keeps_what_is_complete_and_ends_the_run_there(ssh_board: SshBoard, tmp_path: Path) -> None:
    pressing = threading.Thread(target=interrupt_in_the_task_clock, args=(ssh_board.home / ".local/share/edgecnn/jobs",))
    pressing.start()
    options = ("--clock", "model,task", "--threads", 1, "--remote-python", sys.executable)
    found = benchmark(
        "bearing", "--host", ssh_board.address, *options, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv"
    )
    pressing.join()
    assert found.exit_code == 2, found.output
    assert "error: the benchmark was interrupted, and was ended on the board; run it again" in found.stderr
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["partial"] is True
    assert next(iter(document["files"][0]["clocks"])) == "model"
    assert document["files"][0]["throughput_fps"] is None
    assert "this record is partial" in found.stdout
    assert "bearing.onnx" in (tmp_path / "r.csv").read_text()
    assert ssh_board.wait_until_idle() == []


def test_folders_with_spaces_and_umlauts_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "Gerät über der Tür"
    here.mkdir()
    if SSHD is None:
        pytest.skip("no OpenSSH server: bash tests/install_peers.sh")
    board = SshBoard(here / "Brett am Fenster", python_path())
    try:
        shutil.copy(artifact("bearing"), here / "Lager für Öl.onnx")
        monkeypatch.chdir(here)
        monkeypatch.setenv("EDGECNN_SSH", board.ssh)
        found = benchmark("Lager für Öl.onnx", "--host", board.address, *QUICK, "--json", "Ergebnis für Öl.json")
        assert found.exit_code == 0, found.output
        document = json.loads((here / "Ergebnis für Öl.json").read_text())
        assert document["files"][0]["name"] == "Lager für Öl.onnx"
        assert board.wait_until_idle() == []
    finally:
        board.close()


def test_a_board_that_fails_does_not_end_the_others(ssh_board: SshBoard) -> None:
    found = benchmark("bearing", "--host", "nobody.invalid", "--host", ssh_board.address, *QUICK)
    assert found.exit_code == 2
    assert "bearing.onnx" in found.stdout
    assert "nobody.invalid: no result: --host: there is no machine called nobody.invalid" in found.stdout


def failure(*words: object) -> str:
    found = benchmark(*words)
    assert found.exit_code == 2, found.output
    lines = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, found.output
    return lines[0]


def test_an_error_of_the_board_is_one_line(ssh_board: SshBoard, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    said = failure(broken, "--host", ssh_board.address, *QUICK)
    assert said.startswith(f"error: {ssh_board.address}: ")
    assert "broken.onnx" in said


def test_a_board_without_wheels_is_not_installed(ssh_board: SshBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = failure("bearing", "--host", ssh_board.address)
    assert f"download them with: edgecnn wheelhouse --host {ssh_board.address}" in said


def test_wrong_calls(tmp_path: Path) -> None:
    assert "belong to --host" in failure("bearing", "--remote-dir", "x")
    assert "boards run exported files only" in failure_of_checkpoint(tmp_path)
    said = failure("bearing", "--host", "a", "--host", "b", "--json", tmp_path / "one.json")
    assert "would hold the results of several boards; write {host} into its name" in said


def failure_of_checkpoint(folder: Path) -> str:
    (folder / "model.safetensors").write_bytes(b"")
    return failure(folder / "model.safetensors", "--host", "a")


def test_another_python_there(ssh_board: SshBoard) -> None:
    said = failure("bearing", "--host", ssh_board.address, "--remote-python", "/no/python")
    assert "--remote-python: /no/python of" in said
    assert "has no edgecnn" in said


def test_an_engine_that_the_python_there_lacks_is_one_line(ssh_board: SshBoard) -> None:
    (ssh_board.home / "sitecustomize.py").write_text("import sys; sys.modules['openvino'] = None")
    python = ssh_board.bin / "python-without"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ssh_board.home}:$PYTHONPATH" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    said = failure("bearing", "--host", ssh_board.address, "--remote-python", python, "--engine", "openvino:bf16")
    assert f"--remote-python: {python} of {ssh_board.address} has no openvino, which this command needs" in said
    assert "install edgecnn[openvino] there, or leave --remote-python out" in said


@pytest.mark.parametrize("words", [("--engine", "openvino"), ("--engine=openvino:bf16",), ("--device", "openvino:gpu")])
def test_the_engine_of_an_option_is_installed_too(
    words: tuple[str, ...], ssh_board: SshBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = failure("bearing", "--host", ssh_board.address, *words)
    assert f"download them with: edgecnn wheelhouse --host {ssh_board.address} --extra openvino" in said


def test_words_for_the_board(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    command = main.get_command(None, "benchmark")  # type: ignore[arg-type]
    assert command is not None
    words = ["cups", f"--labels={names}", "--host", "x", "--quick", "--json=r.json", "--data", "scene:cups", "--", "bearing"]
    context = command.make_context("benchmark", words)
    found = forwarded_words(context, {"hosts", "json_path"}, {"labels"}, [Path("m.onnx")])
    assert found == [Path("m.onnx"), "--labels", names, "--quick", "--data", "scene:cups"]
    assert agent_name().endswith(".pyz")
