"""Two network namespaces and a bad line between them: latency, loss, and nothing at all. The kernel's netem is not needed.

Each namespace has one end of a TUN device; a thread of the test carries the packets across, late, or not at all.
"""

from __future__ import annotations

import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

_SET_INTERFACE, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
HERE, THERE = "10.213.7.1", "10.213.7.2"


class BadLink:
    """A line with ``delay`` seconds each way and a share of ``loss``; while ``gone`` is set nothing passes. ``carried`` counts packets."""

    def __init__(self, *, delay: float = 0.0, loss: float = 0.0) -> None:
        self.delay, self.loss, self.gone = delay, loss, False
        self.carried = self.lost = 0
        self.names = [f"edgecnn{os.getpid()}{end}" for end in "ab"]
        self._ends: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> BadLink:
        if sys.platform != "linux" or os.geteuid() or not Path("/dev/net/tun").exists():
            pytest.skip("network namespaces need Linux, root and /dev/net/tun")
        try:
            for name, address in zip(self.names, (HERE, THERE), strict=True):
                self._make_end(name, address)
        except (OSError, subprocess.CalledProcessError) as error:
            self._clean()
            pytest.skip(f"no network namespaces here: {error}")
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._clean()

    def inside(self, end: int) -> Sequence[str]:
        """The words before a command that is to run at end 0 (``HERE``) or 1 (``THERE``)."""
        return ["ip", "netns", "exec", self.names[end]]

    def _make_end(self, name: str, address: str) -> None:
        device = name[-15:]
        _ip("netns", "add", name)
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        self._ends.append(end)
        fcntl.ioctl(end, _SET_INTERFACE, struct.pack("16sH22x", device.encode(), _TUN_WITHOUT_HEADER))
        _ip("link", "set", device, "netns", name)
        _ip("-n", name, "address", "add", f"{address}/24", "dev", device)
        _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "link", "set", "lo", "up")

    def _clean(self) -> None:
        for end in self._ends:
            os.close(end)
        for name in self.names:
            with suppress(OSError, subprocess.CalledProcessError):
                _ip("netns", "delete", name)

    def _carry(self) -> None:
        waiting: list[tuple[float, int, int, bytes]] = []
        numbers = itertools.count()
        while not self._over.is_set():
            now = time.perf_counter()
            patience = min(max(waiting[0][0] - now, 0.0), 0.1) if waiting else 0.1
            for end in select.select(self._ends, [], [], patience)[0]:
                packet, now = os.read(end, 65536), time.perf_counter()
                if self.gone or random.random() < self.loss:
                    self.lost += 1
                    continue
                other = self._ends[1 - self._ends.index(end)]
                heapq.heappush(waiting, (now + self.delay, next(numbers), other, packet))
            while waiting and waiting[0][0] <= time.perf_counter():
                _, _, end, packet = heapq.heappop(waiting)
                with suppress(OSError):  # an interface that is going down
                    os.write(end, packet)
                    self.carried += 1


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
