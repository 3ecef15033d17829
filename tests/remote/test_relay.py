"""The relay that tests and figures cut: where one side ends, the other one is told."""

from __future__ import annotations

import socket

import pytest

from edgecnn.benchmarks.figures.relay import SlowLink


@pytest.mark.parametrize("ends", ["near", "far"])
def test_the_end_of_one_side_reaches_the_other(ends: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = SlowLink(listening.getsockname()[1])
        near = socket.create_connection(("127.0.0.1", link.port))
        far, _ = listening.accept()
        near.sendall(b"there")
        assert far.recv(16) == b"there"
        first, second = (near, far) if ends == "near" else (far, near)
        first.close()
        second.settimeout(20)
        assert second.recv(16) == b""
        second.close()
        link.close()
