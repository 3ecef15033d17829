"""The state of a camera's connection, its events, and the summary at the end of the run."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

from edgecnn.types import Event

_MAX_EVENTS = 1000
_KINDS = {"lost": "camera-lost", "waiting": "camera-lost", "stalled": "camera-stalled", "frozen": "camera-frozen"}


class ConnectionLog:
    """Records what happens to one camera.

    ``state`` is "waiting" (for the first frame), "live", "lost", "stalled", "frozen", "ended" or "failed"; ``detail`` is the reason.
    ``connected_once`` says whether any frame has arrived yet.
    """

    def __init__(self) -> None:
        self.state, self.detail = "waiting", "not connected yet"
        self.connected_once = False
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._counts: Counter[str] = Counter()
        self._outage_began: float | None = None
        self._last_frame = time.perf_counter()
        self._away_s, self._attempts, self._last_reason = 0.0, 0, ""
        self._size: tuple[int, int] | None = None

    def take_events(self) -> list[Event]:
        """The events since the last call, oldest first; from any thread."""
        taken: list[Event] = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def report_problem(self, state: str, reason: str) -> None:
        """The camera is "lost", "stalled" or "frozen": an event for the first problem of an outage, an attempt for each."""
        state = state if self.connected_once else "waiting"
        self._attempts += 1
        self.detail = self._last_reason = reason
        # A frozen camera that is then lost is a second problem; one that is lost again while being reconnected is not.
        if self._outage_began is None or (self.state == "frozen" and state != "frozen"):
            self._outage_began = self._outage_began or (self._last_frame if self.connected_once else time.perf_counter())
            self._counts[_KINDS[state]] += 1
            self._add(_KINDS[state], {"reason": reason})
        self.state = state

    def report_frame(self, size: tuple[int, int], *, frozen: bool) -> None:
        """A frame of ``size`` (width, height) arrived; ``frozen`` says that its image repeats an old one."""
        if self._size is not None and size != self._size:
            self._counts["size-changed"] += 1
            self._add("size-changed", {"from": list(self._size), "to": list(size)})
        self.connected_once, self._size = True, size
        self._last_frame = self._last_frame if frozen else time.perf_counter()
        if self.state == "live" or frozen:
            return
        if self._outage_began is not None:
            away = time.perf_counter() - self._outage_began
            self._away_s += away
            self._add("camera-back", {"was": self.state, "away_s": round(away, 3), "attempts": self._attempts})
        self.state, self.detail, self._outage_began, self._attempts = "live", "", None, 0

    def close(self, state: str) -> None:
        """No more frames come: "ended" or "failed"."""
        if self._outage_began is not None:
            self._away_s, self._outage_began = self._away_s + time.perf_counter() - self._outage_began, None
        self.state = state

    def summary(self, name: str) -> list[str]:
        """Lines for the user at the end of the run."""
        lines = []
        words = {"camera-lost": "lost", "camera-stalled": "stalled", "camera-frozen": "frozen"}
        outages = [f"{word} {_times(self._counts[kind])}" for kind, word in words.items() if self._counts[kind]]
        if outages:
            lines.append(f"{name} was {', '.join(outages)}, for {self._away_s:.1f} s in all; last reason: {self._last_reason}")
        if self._counts["size-changed"]:
            lines.append(f"{name} changed its image size {_times(self._counts['size-changed'])}")
        return lines

    def _add(self, kind: str, details: dict[str, Any]) -> None:
        self._events.append(Event(kind, time.perf_counter(), details=details))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
