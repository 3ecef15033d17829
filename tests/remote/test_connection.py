"""What is said when there is no connection, by a real SSH server; and that a connection which is cut is made again."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.benchmarks.figures.relay import SlowLink
from edgecnn.errors import BackendError, InputError
from edgecnn.remote.address import parse_address
from edgecnn.remote.agent_archive import agent_archive, agent_name
from edgecnn.remote.board import PLACE, RemoteBoard
from edgecnn.remote.link import SSH
from tests.remote.ssh_board import SshBoard


def refusal(address: str) -> str:
    with pytest.raises(InputError) as raised, RemoteBoard(parse_address(address)):
        pass
    return str(raised.value)


def test_a_key_that_is_not_known_is_not_accepted(ssh_board: SshBoard) -> None:
    (ssh_board.folder / "known_hosts").write_text("")
    said = refusal(ssh_board.address)
    assert said.startswith(f"the host key of {ssh_board.address} is not known yet; connect once by hand")
    assert f"ssh -p {ssh_board.port} 127.0.0.1" in said
    assert (ssh_board.folder / "known_hosts").read_text() == ""


def test_another_host_key_is_refused(ssh_board: SshBoard) -> None:
    ssh_board.trust(ssh_board.folder / "user_key.pub")
    said = refusal(ssh_board.address)
    assert "another host key than the one in known_hosts" in said
    assert f"ssh-keygen -R '[127.0.0.1]:{ssh_board.port}'" in said


def test_a_key_that_the_board_does_not_take(ssh_board: SshBoard) -> None:
    (ssh_board.folder / "authorized_keys").write_text("")
    assert "refused the login: no key of this user is accepted; put your public key there" in refusal(ssh_board.address)


def test_a_name_that_does_not_exist(ssh_board: SshBoard) -> None:
    assert (
        refusal("nobody.invalid") == "--host: there is no machine called nobody.invalid; check the name, or give its IP address"
    )


def test_a_port_where_nobody_listens(ssh_board: SshBoard) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert "refuses connections; check the port" in refusal(f"127.0.0.1:{bound.getsockname()[1]}")


def test_ssh_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SSH, "no-such-ssh")
    assert refusal("door").startswith("no-such-ssh is not installed; install the OpenSSH client")


def python_of_version(board: SshBoard, version: str, then: str = "exit 1") -> None:
    """Every python3 of the board says that it is of this version; what it runs does ``then``."""
    folder = board.folder / f"python-{version}"
    folder.mkdir()
    for name in ("cat", "uname", "sh", "mkdir", "mv", "rm", "test", "wc"):
        (folder / name).symlink_to(subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip())
    if version:
        (folder / "python3").write_text(f"#!/bin/sh\n[ $1 = -c ] && echo python3 {version} && exit 0\n{then}\n")
        (folder / "python3").chmod(0o755)
    board.write_wrapper({}, path=str(folder))


def test_a_python_that_is_too_old(ssh_board: SshBoard) -> None:
    python_of_version(ssh_board, "3.9")
    said = refusal(ssh_board.address)
    assert f"{ssh_board.address} has Python 3.9, which is too old: edgecnn needs 3.10 or newer" in said


def test_a_board_without_python(ssh_board: SshBoard) -> None:
    python_of_version(ssh_board, "")
    assert "has no Python 3; install it there" in refusal(ssh_board.address)


def test_a_board_that_kills_each_command_is_not_tried_for_ever(ssh_board: SshBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one without memory does; the connection itself stands."""
    monkeypatch.setattr("edgecnn.remote.link.ENDED_WITHIN_S", 0.2)
    python_of_version(ssh_board, "3.11", then="kill -9 $$")
    with pytest.raises(BackendError) as raised, RemoteBoard(parse_address(ssh_board.address)):
        pass
    said = (
        f"{ssh_board.address} ended what this command started there 3 times; check its memory: dmesg there names what was killed"
    )
    assert str(raised.value) == said


def test_the_facts_of_the_board(board: RemoteBoard, ssh_board: SshBoard) -> None:
    assert board.root == str(ssh_board.home / ".local/share/edgecnn")
    assert board.platform.machine


def test_a_copy_goes_on_after_each_cut(ssh_board: SshBoard, tmp_path: Path) -> None:
    source = tmp_path / "model.bin"
    source.write_bytes(random.Random(1).randbytes(1_500_000))
    link = SlowLink(ssh_board.port, rate=2e6, cut_at=(500_000, 1_000_000, 1_400_000))
    rest: list[float] = []
    with RemoteBoard(parse_address(link.address)) as board:
        there = Path(board.upload(source, "files/a/model.bin", lambda text: rest.append(float(text.split()[-2]))))
        assert there.read_bytes() == source.read_bytes()
        assert [path.name for path in there.parent.iterdir()] == ["model.bin"]
        assert board.cuts == link.cuts == 3
        assert rest[-1] < rest[0]  # what had arrived was not sent again
        board.upload(source, "files/a/model.bin", lambda text: pytest.fail("it is there already"))
    link.close()


def test_a_slow_link(ssh_board: SshBoard) -> None:
    link = SlowLink(ssh_board.port, rate=200_000)
    with RemoteBoard(parse_address(link.address)) as board:
        there = Path(board.upload(bytes(100_000), "files/slow/model.bin"))
        assert there.read_bytes() == bytes(100_000)
        assert board.cuts == 0
    link.close()


def test_a_file_that_was_damaged_on_the_way_is_sent_again(board: RemoteBoard) -> None:
    folder = Path(board.root) / "files/damaged"
    folder.mkdir(parents=True)
    (folder / f".model.bin.{board.client}.part").write_bytes(b"x" * 10)
    there = board.upload(b"0123456789abcdef", "files/damaged/model.bin")
    assert Path(there).read_bytes() == b"0123456789abcdef"


def test_a_link_that_stays_cut(ssh_board: SshBoard) -> None:
    link = SlowLink(ssh_board.port)
    told: list[str] = []
    with RemoteBoard(parse_address(link.address), told=told.append, patience_s=0.5) as board:
        link.close()
        with pytest.raises(InputError, match=r"was cut and could not be made again in 0 s|run the same command again to go on"):
            board.ask("probe")
    assert told == [f"{link.address}: the connection was cut, connecting again"]


def test_a_disk_that_is_full(connect: Callable[..., RemoteBoard], small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(40 << 20)
    board = connect(root=str(folder / "edgecnn"))
    with pytest.raises(
        InputError, match=r"the disk is too full: .* needs 54 MB, 42 MB are free; free some space there, or name another"
    ):
        board.upload(bytes(20_000_000), "files/a/model.bin")
    assert not list(folder.rglob("*.part"))
    assert board.upload(b"small", "files/a/model.bin").endswith("files/a/model.bin")


def test_no_path_leads_out_of_the_folder(board: RemoteBoard) -> None:
    with pytest.raises(InputError, match="is not below"):
        board.upload(b"x", "../../x")


def test_an_agent_that_was_cut_off_on_the_way_is_replaced(ssh_board: SshBoard) -> None:
    there = ssh_board.home / ".cache/edgecnn" / agent_name()
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(agent_archive()[:1000])
    with RemoteBoard(parse_address(ssh_board.address)) as board:
        assert board.ask("probe")
    assert there.read_bytes() == agent_archive()


def test_an_agent_that_ends_too_early_gets_no_name(tmp_path: Path) -> None:
    place = PLACE.format(name="agent.pyz", size=10)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    cut = subprocess.run(["sh", "-c", place], input=b"12345", env=environment, check=False)
    assert cut.returncode
    assert not list((tmp_path / "edgecnn").iterdir())
    subprocess.run(["sh", "-c", place], input=b"1234567890", env=environment, check=True)
    assert [path.name for path in (tmp_path / "edgecnn").iterdir()] == ["agent.pyz"]
