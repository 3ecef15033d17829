"""Real peers for tests of cameras: GStreamer's RTSP server, and a TCP server that says whatever the test wants."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.types import Image

SYSTEM_PYTHON = Path("/usr/bin/python3")
needs_httpx = pytest.mark.skipif(find_spec("httpx") is None, reason='needs pip install "edgecnn[live]"')
MULTIPART = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


@cache
def has_gstreamer() -> bool:
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    return (
        SYSTEM_PYTHON.exists() and subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0
    )


class RtspCamera:
    """GStreamer's RTSP server as a process of its own, which keeps its port when it is started again."""

    def __init__(self, *options: str, before: Sequence[str] = ()) -> None:
        if sys.platform != "linux" or not has_gstreamer():
            pytest.skip("no GStreamer RTSP server for /usr/bin/python3: run tests/install_peers.sh")
        self._options, self._before = options, before
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> RtspCamera:
        script = Path(__file__).with_name("rtsp_server.py")
        words = [*self._before, str(SYSTEM_PYTHON), str(script), "--port", str(self.port), *self._options, *more]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def turn_white(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """The process stands still, its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As when the plug is pulled: no goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def address(self, scheme: str = "rtsp", login: str = "") -> str:
        return f"{scheme}://{login}127.0.0.1:{self.port}/camera"


@contextmanager
def rtsp_camera(*options: str) -> Iterator[RtspCamera]:
    camera = RtspCamera(*options)
    try:
        yield camera.start()
    finally:
        camera.kill()


@contextmanager
def tcp_server(*scripts: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """A server whose n-th connection is handled by the n-th script, further ones by the last; gives its port."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.1)
    over = threading.Event()
    threads: list[threading.Thread] = []

    def serve() -> None:
        count = 0
        while not over.is_set():
            with suppress(TimeoutError):
                connection = listener.accept()[0]
                connection.settimeout(5)
                script = scripts[min(count, len(scripts) - 1)]
                count += 1
                threads.append(threading.Thread(target=_handle, args=(script, connection), daemon=True))
                threads[-1].start()
                threads[:] = [thread for thread in threads if thread.is_alive()]

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield listener.getsockname()[1]
    over.set()
    server.join()
    listener.close()
    for thread in threads:
        thread.join(6)


def _handle(script: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.recv(4096)
        script(connection)


def multipart(*pictures: Image | bytes, every: float = 0.02, stay: float = 0.0) -> Callable[[socket.socket], None]:
    """A script that plays pictures as an HTTP camera does; bytes are sent as they are. Then it is silent for ``stay`` seconds."""

    def play(connection: socket.socket) -> None:
        connection.sendall(MULTIPART)
        for picture in pictures:
            connection.sendall(part(picture) if isinstance(picture, np.ndarray) else picture)
            time.sleep(every)
        deadline = time.perf_counter() + stay
        while time.perf_counter() < deadline:
            connection.settimeout(0.05)
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return  # the client left

    return play


def part(image: Image) -> bytes:
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    return f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg + b"\r\n"


def shade(value: int, size: tuple[int, int] = (48, 64)) -> Image:
    return np.full((*size, 3), value, np.uint8)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a generator would hold one more open


def resident_mib() -> float:
    """Resident memory once the C library has given back what is free, so that only what is held counts."""
    with suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
