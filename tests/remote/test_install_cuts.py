"""An installation that is cut, left alone, interrupted or killed while pip runs on the board: a real SSH server, a stand-in for pip."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edgecnn.errors import BackendError
from edgecnn.remote.agent.tidy import LEFT_S, MARK, tidy
from edgecnn.remote.board import RemoteBoard
from edgecnn.remote.job import JobSpec, RemoteJob
from edgecnn.remote.packing import packed
from edgecnn.remote.runtime import _install
from edgecnn.remote.wheels import Wheel, choose, read_wheelhouse
from tests.remote.ssh_board import SshBoard

# Says that it has begun, waits, and then installs what the agent looks for.
PIP = """
import pathlib, sysconfig, time
here = pathlib.Path({folder!r})
with (here / "begun").open("a") as log:
    print("pip", file=log)
site = pathlib.Path(sysconfig.get_path("purelib"))
(site / "numpy.py").touch()
while not (here / "go").exists():
    time.sleep(0.01)
for name in ("cv2", "click", "onnxruntime"):
    (site / (name + ".py")).touch()
"""
NAME = "cut"


class Waiting:
    """A wheelhouse whose pip waits until ``let_go``; ``begun`` counts how often it was started."""

    def __init__(self, folder: Path, board: RemoteBoard) -> None:
        info = "pip-99.dist-info"
        files = {"pip/__main__.py": PIP.format(folder=str(folder)).encode()}
        files[f"{info}/METADATA"] = b"Metadata-Version: 2.1\nName: pip\nVersion: 99\n"
        (folder / "pip-99-py3-none-any.whl").write_bytes(packed(files, info))
        self.wheels: list[Wheel] = choose([Requirement("pip")], read_wheelhouse(folder), board.platform, "here")
        self._folder = folder

    @property
    def begun(self) -> int:
        begun = self._folder / "begun"
        return len(begun.read_text().splitlines()) if begun.exists() else 0

    def let_go(self) -> None:
        (self._folder / "go").touch()

    def when_begun(self, times: int, action: Callable[[], object]) -> threading.Thread:
        """Do ``action`` in a thread when pip was started so many times."""

        def wait() -> None:
            while self.begun < times:
                time.sleep(0.01)
            action()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread


def is_installed(board: RemoteBoard) -> bool:
    return bool(board.ask("environment", environment=NAME, code=NAME)["environment"])


def left(board: RemoteBoard, *folders: str) -> list[str]:
    """What is in these folders below the root, but for locks."""
    found = [path for folder in folders for path in Path(board.root, folder).glob("*") if not path.name.startswith(".")]
    return sorted(path.name for path in found)


@pytest.fixture(autouse=True)
def _other_root(ssh_board: SshBoard, tmp_path: Path) -> None:
    """The folder of edgecnn on the board is one of this test."""
    ssh_board.write_wrapper({"XDG_DATA_HOME": str(tmp_path / "data")})


def test_cuts_while_pip_runs(connect: Callable[..., RemoteBoard], ssh_board: SshBoard, tmp_path: Path) -> None:
    board = connect()
    pip = Waiting(tmp_path, board)

    def cut() -> None:
        ssh_board.cut()
        while not board.cuts:
            time.sleep(0.01)
        pip.let_go()

    cutting = pip.when_begun(1, cut)
    _install(board, NAME, pip.wheels, lambda _: None)
    cutting.join()
    assert is_installed(board)
    assert (board.cuts, pip.begun) == (1, 1)
    assert left(board, "wheels", "jobs") == []


@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize("by", ["interrupt", "lease", "kill"])
def test_an_installation_that_ends_is_done_again_without_copying(
    by: str, connect: Callable[..., RemoteBoard], ssh_board: SshBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = connect()
    pip = Waiting(tmp_path, board)
    if by == "interrupt":
        pip.when_begun(1, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            _install(board, NAME, pip.wheels, lambda _: None)
    elif by == "kill":
        pip.when_begun(1, lambda: ssh_board.kill("install"))  # supervisor, agent and pip, as a board that loses its power
        with pytest.raises(BackendError, match="the installation failed: the board was restarted, or ran out of memory"):
            _install(board, NAME, pip.wheels, lambda _: None)
    else:
        path = f"wheels/{NAME}/{pip.wheels[0].path.name}"
        board.upload(pip.wheels[0].path, path)
        job = RemoteJob(board, f"install-{NAME}")
        job.start(JobSpec(verb="install", request={"environment": NAME, "wheels": [path]}, lease_s=1.0))
        while not pip.begun:
            Path(board.root, "jobs", job.name, "lease").touch()
            time.sleep(0.05)
    board.link.close()  # and this side is gone
    assert ssh_board.wait_until_idle() == []

    board = connect()
    assert not is_installed(board)
    assert left(board, "envs") == ([NAME] if by == "kill" else [])
    assert left(board, "wheels") == [NAME]
    pip.let_go()
    copied: list[str] = []
    monkeypatch.setattr("edgecnn.remote.board.RemoteBoard.upload", _without_copying(RemoteBoard.upload, copied.append))
    _install(board, NAME, pip.wheels, lambda _: None)
    assert (copied, pip.begun) == ([], 2)
    assert is_installed(board)
    assert left(board, "wheels", "jobs") == []


def _without_copying(upload: Callable[..., str], told: Callable[[str], None]) -> Callable[..., str]:
    return lambda board, source, path, *_: upload(board, source, path, told)


def test_the_same_command_takes_up_an_installation_that_goes_on(
    connect: Callable[..., RemoteBoard], ssh_board: SshBoard, tmp_path: Path
) -> None:
    board = connect()
    pip = Waiting(tmp_path, board)
    path = f"wheels/{NAME}/{pip.wheels[0].path.name}"
    board.upload(pip.wheels[0].path, path)
    RemoteJob(board, f"install-{NAME}").start(JobSpec(verb="install", request={"environment": NAME, "wheels": [path]}))
    pip.when_begun(1, lambda: None).join()
    board.link.close()  # as when this side is killed

    board = connect()
    threading.Timer(0.5, pip.let_go).start()
    _install(board, NAME, pip.wheels, lambda _: None)
    assert is_installed(board)
    assert pip.begun == 1


def test_a_half_made_environment_is_removed_after_a_week(tmp_path: Path) -> None:
    for name in ("old", "new", "used"):
        (tmp_path / "envs" / name).mkdir(parents=True)
    (tmp_path / "envs/used" / MARK).touch()
    past = time.time() - LEFT_S - 60
    for name in ("old", "used"):
        os.utime(tmp_path / "envs" / name, (past, past))
    tidy(tmp_path)
    assert sorted(path.name for path in (tmp_path / "envs").iterdir()) == ["new", "used"]
