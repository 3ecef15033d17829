"""The runtime on a board that has nothing: a real wheelhouse, a real installation, offline."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.remote.address import parse_address
from edgecnn.remote.board import RemoteBoard
from tests.remote.ssh_board import SshBoard

OFFLINE = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"}


@pytest.fixture
def bare(ssh_board: SshBoard) -> Iterator[SshBoard]:
    """The board without any edgecnn, and without a way to the internet."""
    ssh_board.write_wrapper({**OFFLINE, "OMP_NUM_THREADS": "1"})
    yield ssh_board
    shutil.rmtree(ssh_board.home / ".local/share/edgecnn", ignore_errors=True)


@pytest.fixture(scope="module")
def wheels(server: SshBoard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of this environment as wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECNN_SSH", server.ssh)
        found = CliRunner().invoke(main, ["wheelhouse", "--host", server.address, "--from-installed", "--out", str(folder)])
    assert found.exit_code == 0, found.output
    return folder


def benchmark(board: SshBoard, *words: object) -> Result:
    place = ("--host", board.address, "--quick", "--clock", "model", "--threads", "1")
    return CliRunner().invoke(main, ["benchmark", "bearing", *place, *map(str, words)])


@pytest.mark.slow
def test_a_board_is_installed_offline_and_found_again(bare: SshBoard, wheels: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    first = benchmark(bare, "--wheelhouse", wheels, "--json", result)
    assert first.exit_code == 0, first.output
    assert "installing them" in first.stderr
    versions = json.loads(result.read_text())["environment"]
    assert versions
    root = bare.home / ".local/share/edgecnn"
    assert sorted(path.name for path in root.iterdir()) == ["code", "envs", "files", "jobs", "wheels"]
    assert not list((root / "wheels").iterdir())
    assert not list((root / "jobs").iterdir())
    assert not (bare.home / ".cache/Microsoft").exists()  # nothing reports the use
    second = benchmark(bare, "--wheelhouse", wheels)
    assert second.exit_code == 0, second.output
    assert "copying" not in second.stderr
    assert bare.wait_until_idle() == []


@pytest.mark.slow
def test_a_disk_that_is_too_small_stays_as_it_was(bare: SshBoard, wheels: Path, small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(100 << 20)
    found = benchmark(bare, "--wheelhouse", wheels, "--remote-dir", folder / "edgecnn")
    assert found.exit_code == 2
    assert "the disk is too full: " in found.stderr
    assert "or name another folder with --remote-dir" in found.stderr
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_wheelhouse_for_another_board(ssh_board: SshBoard, tmp_path: Path) -> None:
    for package in ("numpy-2.0.0-cp311-cp311-manylinux_2_28_riscv64", "click-8.1-py3-none-any"):
        (tmp_path / f"{package}.whl").write_bytes(b"")
    found = benchmark(ssh_board, "--wheelhouse", tmp_path)
    assert found.exit_code == 2
    assert "has numpy for cp311 on manylinux_2_28_riscv64 only, the board is " in found.stderr
    assert f"download it with: edgecnn wheelhouse --host {ssh_board.address} --out {tmp_path}" in found.stderr


def test_cuts_while_packages_are_copied_lose_nothing(
    connect: Callable[..., RemoteBoard], ssh_board: SshBoard, tmp_path: Path
) -> None:
    """What arrives after three cuts is what was sent, and is installed: here to the failure of its stand-in for pip."""
    board = connect()
    content = os.urandom(24 << 20)
    (tmp_path / "large").write_bytes(content)
    part = Path(board.root) / "wheels/cut/large"

    def cut_three_times() -> None:
        for number in range(1, 4):
            while not any(path.stat().st_size > number * (4 << 20) for path in part.parent.glob("*large*")):
                time.sleep(0.002)
            ssh_board.cut()

    cutting = threading.Thread(target=cut_three_times, daemon=True)
    cutting.start()
    board.upload(tmp_path / "large", "wheels/cut/large")
    cutting.join(20)
    assert part.read_bytes() == content
    assert board.cuts >= 1
    board.ask("drop", folder="wheels/cut")
    assert not part.parent.exists()


def test_a_failed_installation_leaves_nothing(ssh_board: SshBoard, connect: Callable[..., RemoteBoard], tmp_path: Path) -> None:
    """pip of the wheelhouse fails on the board; neither environment nor wheels stay."""
    from packaging.requirements import Requirement

    from edgecnn.errors import InputError
    from edgecnn.remote.packing import packed
    from edgecnn.remote.runtime import _install
    from edgecnn.remote.wheels import choose, read_wheelhouse

    info = "pip-99.dist-info"
    text = b"Metadata-Version: 2.1\nName: pip\nVersion: 99\n"
    failing = b"import sys; sys.exit('ERROR: no way to install')"
    (tmp_path / "pip-99-py3-none-any.whl").write_bytes(packed({"pip/__main__.py": failing, f"{info}/METADATA": text}, info))
    board = connect()
    found = choose([Requirement("pip")], read_wheelhouse(tmp_path), board.platform, "here")
    with pytest.raises(InputError, match="pip can't install the runtime: no way to install"):
        _install(board, "broken", found, lambda _: None)
    root = Path(board.root)
    assert not (root / "envs/broken").exists()
    assert not (root / "wheels/broken").exists()
    assert parse_address(ssh_board.address) == board.address
