from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgecnn.data.download import FASHION_MNIST, fetch_fashion_mnist
from edgecnn.download import RemoteFile
from edgecnn.errors import InputError, MissingExtraError

CONTENT = {"images.gz": b"pixels" * 30000, "labels.gz": b"labels" * 10}
FILES = tuple(RemoteFile(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in CONTENT.items())


class Handler(BaseHTTPRequestHandler):
    """/good serves the files; /cut, /wrong, /long and /refuse spoil the last of them."""

    def do_GET(self) -> None:
        _, fault, name = self.path.split("/")
        body, spoil = CONTENT[name], name == "labels.gz"
        if fault == "refuse" and spoil:
            self.send_error(403)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if spoil:
            body = {"cut": body[:20], "wrong": body[::-1]}.get(fault, body)
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class LongHandler(Handler):
    """Sends more than is wanted, without saying how much."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT[self.path.rsplit("/", 1)[1]] * 3)


def _serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield from _serve(Handler)


@pytest.fixture
def long_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield from _serve(LongHandler)


def test_files_arrive_whole(tmp_path: Path, address: str) -> None:
    paths = fetch_fashion_mnist(tmp_path / "a" / "b", address=address + "good", files=FILES)
    assert {path.name: path.read_bytes() for path in paths} == CONTENT
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(CONTENT)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param("wrong", "labels.gz sent other content than was published", id="wrong checksum"),
        pytest.param("cut", "labels.gz sent 20 of 60 bytes", id="cut body"),
        pytest.param("refuse", "labels.gz: 403 Forbidden; check the network", id="refused"),
    ],
)
def test_after_a_fault_nothing_is_left(tmp_path: Path, address: str, fault: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fetch_fashion_mnist(tmp_path / "a" / "b", address=address + fault, files=FILES)
    assert list(tmp_path.iterdir()) == []


def test_a_body_without_end_is_stopped(tmp_path: Path, long_address: str) -> None:
    with pytest.raises(InputError, match=r"images.gz sent more than 180000 bytes"):
        fetch_fashion_mnist(tmp_path, address=long_address + "x", files=FILES)
    assert list(tmp_path.iterdir()) == []


def test_an_address_where_nobody_listens_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can\'t download http://127\.0\.0\.1:9/images\.gz: Connection refused; check"):
        fetch_fashion_mnist(tmp_path, address="http://127.0.0.1:9", files=FILES)


def test_what_is_there_is_neither_fetched_nor_lost(tmp_path: Path, address: str) -> None:
    (tmp_path / "labels.gz").write_bytes(CONTENT["labels.gz"])
    paths = fetch_fashion_mnist(tmp_path, address=address + "refuse", files=FILES)
    assert paths[0].read_bytes() == CONTENT["images.gz"]


def test_another_file_of_the_name_is_not_overwritten(tmp_path: Path, address: str) -> None:
    (tmp_path / "labels.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match="move it away"):
        fetch_fashion_mnist(tmp_path, address=address + "good", files=FILES)
    assert (tmp_path / "labels.gz").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["labels.gz"]


def test_without_pooch_the_extra_is_named_where_something_is_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r'pooch is not installed; run: pip install "edgecnn\[train\]"'):
        fetch_fashion_mnist(tmp_path, address="http://127.0.0.1:9", files=FILES)
    for name, body in CONTENT.items():
        (tmp_path / name).write_bytes(body)
    assert len(fetch_fashion_mnist(tmp_path, address="http://127.0.0.1:9", files=FILES)) == 2


def test_a_place_that_is_a_file_is_one_line(tmp_path: Path, address: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"can't write .*sub: not a directory; name another place"):
        fetch_fashion_mnist(tmp_path / "file" / "sub", address=address + "good", files=FILES)


@pytest.mark.real_data
def test_the_published_checksums_are_those_of_the_real_files(real_data: Path) -> None:
    for file in FASHION_MNIST:
        content = (real_data / "fashion-mnist" / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
