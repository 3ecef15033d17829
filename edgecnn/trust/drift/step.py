"""The step of a run that watches a camera: events when it leaves the reference and when it is back, and its status."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgecnn.reference_profile.profile import Description, ReferenceProfile
from edgecnn.runtime.pipeline.drift_status import DriftStatus
from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.trust.drift.findings import DriftFinding
from edgecnn.trust.drift.frame_place import place_of
from edgecnn.trust.drift.monitor import DriftMonitor
from edgecnn.trust.drift.watch import DriftWatch, Observed
from edgecnn.types import Event, Float32, Result

CHANGED_EVERY_S = 60.0  # further measures of a drift become an event at most once in this time
_MOST_EVIDENCE = 64  # frames that wait for the output that may keep them


@dataclass(frozen=True, slots=True, eq=False)
class DriftEvidence:
    """A frame that was measured during a drift: ``at`` seconds of the stream, what was found then, ``positions`` by measure.

    ``place`` (D,) is where it lies among such frames, see ``place_of``.
    """

    at: float
    findings: tuple[DriftFinding, ...]
    positions: Mapping[str, float]
    place: Float32


class DriftStep:
    """Watches the results of one camera with ``watch``; the frames of a lost camera are simply missing.

    ``reference`` says what it is compared with. ``learnt`` keeps a profile that was learnt and returns a line about it.
    """

    stage = "drift"

    def __init__(
        self,
        watch: DriftWatch,
        reference: str,
        *,
        clock: Clock = captured,
        learnt: Callable[[ReferenceProfile], str] | None = None,
    ) -> None:
        self.watch, self.reference, self._clock, self._learnt = watch, reference, clock, learnt
        self.keeps_evidence = False
        self._evidence: OrderedDict[int, DriftEvidence] = OrderedDict()
        self._waiting = set[str]()
        self._began, self._told_at, self._now = 0.0, 0.0, 0.0
        self._names: list[str] = []
        self._episodes, self._drifted_s = 0, 0.0
        self._status = self._made()

    def __call__(self, result: Result) -> Result:
        """The result, with events where something changed."""
        at = self._clock(result.frame)
        if not self.watch.due(at):
            return result
        observed = self.watch.add(at, result.frame.image, result.prediction)
        if observed is None:
            return result
        events = self._events(at, observed, result)
        self._now = at
        frame, monitor = observed.description, self.watch.monitor
        if self.keeps_evidence and self.watch.findings and frame is not None and monitor is not None and monitor.shows(frame):
            self._evidence[result.frame.index] = self._made_evidence(at, frame, monitor)
            while len(self._evidence) > _MOST_EVIDENCE:
                self._evidence.popitem(last=False)
        self._status = self._made()
        return replace(result, events=(*result.events, *events)) if events else result

    def status(self) -> DriftStatus:
        """What is known now; any thread may call it."""
        return self._status

    def take_evidence(self, index: int) -> DriftEvidence | None:
        """What frame ``index`` shows of a drift, once; None for other frames. Any thread may call it."""
        return self._evidence.pop(index, None)

    def _events(self, at: float, observed: Observed, result: Result) -> list[Event]:
        found: list[tuple[str, dict[str, Any]]] = []
        if observed.learnt is not None:
            line = self._learnt(observed.learnt) if self._learnt is not None else ""
            found.append(("drift-learnt", {"text": f"the reference profile is learnt{line}"}))
        new = observed.verdict.new
        if new and not self._names:
            self._began, self._episodes = min(one.since for one in new), self._episodes + 1
            found.append(("drift-started", self._details(new, at)))
            self._told_at = at
        elif new:
            self._waiting |= {one.measure for one in new}
        self._names += [one.measure for one in new if one.measure not in self._names]
        if self._waiting and at - self._told_at >= CHANGED_EVERY_S and self.watch.findings:
            still = tuple(one for one in self.watch.findings if one.measure in self._waiting)
            found += [("drift-changed", self._details(still, at))] if still else []
            self._waiting, self._told_at = set(), at
        if observed.verdict.over:
            self._drifted_s += at - self._began
            text = f"back to normal after {at - self._began:.0f} s: {', '.join(self._names)}"
            found.append(("drift-ended", {"text": text, "lasted_s": round(at - self._began, 1), "measures": self._names}))
            self._names, self._waiting = [], set()
        frame = result.frame
        return [Event(kind, frame.captured_at, result.camera, {**details, "frame": frame.index}) for kind, details in found]

    def _details(self, findings: tuple[DriftFinding, ...], at: float) -> dict[str, Any]:
        return {"text": _lines(findings, at), "measures": [one.record(at) for one in findings]}

    def _made(self) -> DriftStatus:
        monitor, findings = self.watch.monitor, self.watch.findings
        if monitor is None:
            return DriftStatus("learning", f"drift: learning what is usual, {self.watch.learnt_share:.0%} done", self.reference)
        return DriftStatus(
            "drifted" if findings else "normal",
            f"drift: {_lines(findings, self._now)}" if findings else "no drift",
            self.reference,
            tuple(one.record(self._now) for one in findings),
            {name: round(position, 3) for name, position in monitor.positions.items()},
            self._episodes,
            round(self._drifted_s + (self._now - self._began if findings else 0.0), 1),
            tuple(one.text(self._now) for one in findings),
        )

    def _made_evidence(self, at: float, frame: Description, monitor: DriftMonitor) -> DriftEvidence:
        ranges = monitor.profile.ranges
        positions = {
            name: measure.position(frame.values[name]) if name in frame.values else 0.0 for name, measure in ranges.items()
        }
        positions = {name: round(position, 2) for name, position in positions.items()}
        return DriftEvidence(at, self.watch.findings, positions, place_of(frame.thumbnail, frame.values["contrast"], positions))


def _lines(findings: tuple[DriftFinding, ...], at: float) -> str:
    """The farthest finding in words, and the names of the others."""
    first, *others = findings
    more = f"; also {', '.join(one.measure for one in others)}" if others else ""
    return f"{first.text(at)}{more}"
