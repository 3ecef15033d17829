"""The address of a cluster, and one line where Ray or the cluster is absent."""

from __future__ import annotations

import socket
import sys

import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.cluster.connection import ClusterOptions, connected
from edgecnn.errors import InputError, MissingExtraError


def test_without_ray_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(MissingExtraError, match=r'ray is not installed; run: pip install "edgecnn\[cluster\]"'),
        connected("local"),
    ):
        pass


@pytest.mark.parametrize("address", ["cups", "head", "head:0", "head:99999", "http://head:1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is no address of a Ray cluster"):
        ClusterOptions(address=address)


@pytest.mark.parametrize("address", ["local", "auto", "head:6379", "ray://head:10001", "[::1]:6379"])
def test_addresses(address: str) -> None:
    assert ClusterOptions(address=address).address == address


def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match="can't be reached: connection refused"), connected(address):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "cups", "--source", "a.avi", "--ray-workers", "2"], "do nothing without --ray"),
        (["run", "cups", "--source", "a.avi", "--ray", "--host", "pi@door"], "--host and --ray exclude each other"),
        (["benchmark", "cups", "--choose", "--ray"], "--ray and --choose exclude each other"),
    ],
)
def test_options_that_contradict(words: list[str], said: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert said in done.output
