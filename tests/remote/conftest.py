"""Boards by a real SSH server, and a tiny model for them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("packaging")

from edgecnn.remote.address import parse_address
from edgecnn.remote.board import RemoteBoard
from tests.remote.ssh_board import SSHD, SshBoard, python_path

needs_ssh = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="no OpenSSH server: bash tests/install_peers.sh"
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshBoard]:
    """A board that has this edgecnn for its Python already."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH server: bash tests/install_peers.sh")
    board = SshBoard(tmp_path_factory.mktemp("board"), python_path())
    yield board
    board.close()


@pytest.fixture
def ssh_board(server: SshBoard, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshBoard]:
    """The board, with its own SSH configuration; what a test changed is put back."""
    monkeypatch.setenv("EDGECNN_SSH", server.ssh)
    yield server
    server.restore()


@pytest.fixture
def connect(ssh_board: SshBoard) -> Iterator[Callable[..., RemoteBoard]]:
    """Connects to the board; all connections are closed at the end."""
    opened: list[RemoteBoard] = []

    def made(**options: object) -> RemoteBoard:
        board = RemoteBoard(parse_address(ssh_board.address), **options)  # type: ignore[arg-type]
        opened.append(board.__enter__())
        return board

    yield made
    for board in opened:
        board.link.close()


@pytest.fixture(scope="module")
def lasting(server: SshBoard) -> Iterator[RemoteBoard]:
    """One connection for many tests, because to connect takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECNN_SSH", server.ssh)
        board = RemoteBoard(parse_address(server.address))
        board.__enter__()
    yield board
    board.link.close()


@pytest.fixture
def board(lasting: RemoteBoard, ssh_board: SshBoard) -> RemoteBoard:
    """The lasting connection to the board."""
    return lasting


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of so many bytes; the test is skipped where that is not allowed."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        folder = tmp_path / "small"
        folder.mkdir()
        if os.geteuid() or os.system(f"mount -t tmpfs -o size={size} tmpfs '{folder}' 2> /dev/null"):
            pytest.skip("file systems can't be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        os.system(f"umount -l '{folder}'")


@pytest.fixture
def heeds_interrupts() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
