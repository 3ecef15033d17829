"""What happens to a connection: its state, its events, and the story for the end of the run."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

from edgecnn.types import Event

_MOST_EVENTS = 1000
_KINDS = {"lost": "camera-lost", "waiting": "camera-lost", "stalled": "camera-stalled", "frozen": "camera-frozen"}


class ConnectionLog:
    """Keeps the ``state`` of one camera ("waiting", "live", "lost", "stalled", "frozen", "ended", "failed") and ``detail``, why."""

    def __init__(self) -> None:
        self.state, self.detail = "waiting", "not connected yet"
        self.seen = False
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._counts: Counter[str] = Counter()
        self._since: float | None = None
        self._last = time.perf_counter()
        self._away_s, self._attempts, self._why = 0.0, 0, ""
        self._size: tuple[int, int] | None = None

    def take_events(self) -> list[Event]:
        """The events since the last call, oldest first; any thread may ask."""
        taken: list[Event] = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def trouble(self, state: str, why: str) -> None:
        """The camera is "lost", "stalled" or "frozen"; only the first of a stretch is an event, and each is an attempt."""
        state = state if self.seen else "waiting"
        self._attempts += 1
        self.detail = self._why = why
        if self._since is None or (self.state == "frozen" and state != "frozen"):
            self._since = self._since or (self._last if self.seen else time.perf_counter())
            self._counts[_KINDS[state]] += 1
            self._tell(_KINDS[state], {"why": why})
        self.state = state

    def picture(self, size: tuple[int, int], *, frozen: bool) -> None:
        """A picture of ``size`` (width, height) came; ``frozen`` says that it is an old one."""
        if self._size is not None and size != self._size:
            self._counts["size-changed"] += 1
            self._tell("size-changed", {"from": list(self._size), "to": list(size)})
        self.seen, self._size = True, size
        self._last = self._last if frozen else time.perf_counter()
        if self.state == "live" or frozen:
            return
        if self._since is not None:
            away = time.perf_counter() - self._since
            self._away_s += away
            self._tell("camera-back", {"was": self.state, "away_s": round(away, 3), "attempts": self._attempts})
        self.state, self.detail, self._since, self._attempts = "live", "", None, 0

    def end(self, state: str) -> None:
        """Nothing more comes: "ended" or "failed"."""
        if self._since is not None:
            self._away_s, self._since = self._away_s + time.perf_counter() - self._since, None
        self.state = state

    def story(self, name: str) -> list[str]:
        """What a user should be told at the end, a line each."""
        lines = []
        words = {"camera-lost": "lost", "camera-stalled": "silent", "camera-frozen": "frozen"}
        told = [f"{self._counts[kind]} x {word}" for kind, word in words.items() if self._counts[kind]]
        if told:
            lines.append(f"{name} was {', '.join(told)}, {self._away_s:.1f} s in all; last: {self._why}")
        if self._counts["size-changed"]:
            lines.append(f"{name} changed the size of its pictures {self._counts['size-changed']} x")
        return lines

    def _tell(self, kind: str, details: dict[str, Any]) -> None:
        self._events.append(Event(kind, time.perf_counter(), details=details))
