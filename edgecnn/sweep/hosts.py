"""Which hosts of a sweep can be reached, before hours are spent on the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edgecnn.benchmarks.measure.progress import Progress
from edgecnn.errors import EdgeCnnError
from edgecnn.remote.address import parse_address
from edgecnn.remote.board import RemoteBoard
from edgecnn.sweep.config import LOCAL

Check = Callable[[str, str], None]


def check_host(host: str, remote_dir: str) -> None:
    """Connect to a board once. Raises ``EdgeCnnError`` where that fails: name, network, host key, login, Python there."""
    with RemoteBoard(parse_address(host), remote_dir):
        pass


def unreachable(
    hosts: Iterable[str], remote_dir: str, progress: Progress, told: Progress, check: Check = check_host
) -> dict[str, str]:
    """The boards among ``hosts`` that can't be reached, with the error; ``told`` gets one line for each."""
    found: dict[str, str] = {}
    for host in dict.fromkeys(hosts):
        if host == LOCAL:
            continue
        progress(f"{host}: connecting")
        try:
            check(host, remote_dir)
        except EdgeCnnError as error:
            found[host] = str(error)
            told(f"{host} is left out: {error}")
    return found
