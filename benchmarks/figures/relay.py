"""A TCP relay to a board with a limited rate, which can be cut: for the figure `remote` and for tests."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

BLOCK = 4096


class SlowLink:
    """Relays TCP connections to ``port`` of ``host``; at most ``rate`` bytes per second to the board.

    ``cut_at`` are numbers of bytes sent to the board, over all connections, at which all connections are cut.
    """

    def __init__(self, port: int, rate: float | None = None, cut_at: tuple[int, ...] = (), host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._rate, self._cut_at = rate, list(cut_at)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.sent = self.cuts = self.accepted = 0
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """What --host takes."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End all connections; new ones are relayed."""
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._open.clear()
            self.cuts += 1

    def close(self) -> None:
        """End all connections, and take no new ones."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._open += [near, far]
                self.accepted += 1
            threading.Thread(target=self._relay, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._relay, args=(far, near, False), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, to_board: bool) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK):
                target.sendall(block)
                if to_board:
                    self.sent += len(block)
                    if self._cut_at and self.sent >= self._cut_at[0]:
                        self._cut_at.pop(0)
                        self.cut()
                    if self._rate:
                        time.sleep(len(block) / self._rate)
        for each in (source, target):
            with suppress(OSError):
                # the thread of the other direction waits for it, and a mere close would keep the connection until that one wakes
                each.shutdown(socket.SHUT_RDWR)
            each.close()
