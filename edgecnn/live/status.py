"""Formats the status line during a run and the summary at its end, as text for people."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from edgecnn.runtime.pipeline.camera_stream import CameraStream
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.multi_camera import MultiCamera
from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.pipeline.statistics import STAGES, DurationHistogram, DurationSummary, Stats
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.view.screen import Screen
from edgecnn.tasks import for_prediction
from edgecnn.types import Result

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 5.0
_CLEAR = "\r\x1b[K"
_MOST_FAILURES = 10
_MOST_BOXES = 50


Reading = tuple[float, FrameCounts, DurationHistogram]


class StatusLine(Screen):
    """Draws a status line every half second, or prints a line per camera every 5 s if ``out`` is not a terminal.

    Rates and ages are those since the previous line. Use it as a context manager around the iteration.
    """

    def __init__(self, run: MultiCamera | Pipeline, out: TextIO | None = None, *, every: float | None = None) -> None:
        out = out or sys.stderr
        self._live = out.isatty()
        super().__init__(out, every or (LIVE_EVERY_S if self._live else PLAIN_EVERY_S), "edgecnn-status")
        self._multi_camera = run.multi_camera if isinstance(run, Pipeline) else run
        self._began = time.perf_counter()
        self._before: dict[str, Reading] = {}

    def _draw(self) -> str:
        if self._live:
            # A longer line would wrap, and "\r" erases only the last row.
            return f"{_CLEAR}{self.line()[: shutil.get_terminal_size().columns - 1]}"
        return "".join(f"{line}\n" for line in self.lines())

    def _erased(self) -> str:
        return _CLEAR if self._live else ""

    def line(self) -> str:
        """Format all cameras in one line; starts the next interval."""
        cameras = list(self._multi_camera.cameras.values())
        if len(cameras) == 1:
            return self.lines()[0]
        live = sum(camera.state == "live" for camera in cameras)
        intervals = [self._since(camera) for camera in cameras]
        bad = "".join(
            f" · {camera.name} {camera.state}" for camera in cameras if camera.state in ("lost", "stalled", "frozen", "failed")
        )
        bad += "".join(f" · {camera.name} drift" for camera in cameras if _drifts(camera))
        if not cameras:
            return "no cameras"
        return f"{live} of {len(cameras)} cameras live · {_rates(intervals)}{bad}"

    def lines(self) -> list[str]:
        """Format one line for each camera; starts the next interval."""
        cameras = list(self._multi_camera.cameras.values())
        return [f"{camera.name}: " * (len(cameras) > 1) + self._camera_line(camera) for camera in cameras]

    def _camera_line(self, camera: CameraStream) -> str:
        interval, counts, why = self._since(camera), camera.ledger.counts(), f": {camera.detail}" if camera.detail else ""
        if not counts.captured and camera.state in ("waiting", "live"):
            return f"waiting for {camera.source.name}"
        state = "" if camera.state == "live" else f"{camera.state}{why} · "
        return state + ("drift · " if _drifts(camera) else "") + _rates([interval])

    def _since(self, camera: CameraStream) -> tuple[float, FrameCounts, FrameCounts, DurationHistogram]:
        """Return seconds since the previous line, the counts then and now, and the frame ages in between."""
        now, counts, ages = time.perf_counter(), camera.ledger.counts(), camera.age_ms.copy()
        then, old, old_ages = self._before.get(camera.name, (self._began, FrameCounts(), DurationHistogram()))
        if counts.captured < old.captured:  # a reloaded file replaced the camera: its counts begin again
            old, old_ages = FrameCounts(), DurationHistogram()
        self._before[camera.name] = now, counts, ages
        # Two lines may be drawn at the same clock tick; the rates divide by this time.
        return max(now - then, 1e-6), old, counts, ages.since(old_ages)


def _drifts(camera: CameraStream) -> bool:
    return camera.drift is not None and camera.drift.state == "drifted"


def _rates(intervals: Sequence[tuple[float, FrameCounts, FrameCounts, DurationHistogram]]) -> str:
    """Format the sums of rates and counts of all cameras, and the highest median and 99th percentile of their ages."""
    captured = sum((new.captured - old.captured) / seconds for seconds, old, new, _ in intervals)
    processed = sum((new.processed - old.processed) / seconds for seconds, old, new, _ in intervals)
    p50, p99 = (max((ages.percentile(percent) for *_, ages in intervals), key=_known) for percent in (50, 99))
    counts = [(what, sum(getattr(new, what) for _, _, new, _ in intervals)) for what in ("dropped", "skipped", "failed")]
    told = "".join(f" · {what} {count}" for what, count in counts if count or what == "dropped")
    frames = sum(new.processed for _, _, new, _ in intervals)
    return (
        f"capture {captured:.1f} · infer {processed:.1f} frames/s · age p50 {_ms(p50)} p99 {_ms(p99)} ms · frames {frames}{told}"
    )


def _known(value: float) -> float:
    # A camera without frames has NaN, which max() would not order.
    return -1.0 if math.isnan(value) else value


def describe(result: Result, title: str, labels: Sequence[str]) -> str:
    """Format the prediction for one image as text lines."""
    height, width = result.frame.image.shape[:2]
    found = result.prediction
    spent = sum(result.stage_ms.get(stage, 0.0) for stage in ("preprocess", "infer", "postprocess"))
    head, *rest = for_prediction(found).text(found, labels)
    return "\n".join([f"{title}  {width}x{height}  {head}  {spent:.1f} ms", *rest])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def summary(stats: Stats, source: Source, how: str = "done", camera: str = "", notes: Sequence[str] = ()) -> str:
    """Format the summary of a camera: throughput, ledger, stage times, ``notes``, failures."""
    frames = _counted(stats.ledger.processed, "frame")
    lines = [
        f"{camera + ': ' if camera else ''}{how}: {frames} in {stats.duration_s:.1f} s, {stats.throughput_fps:.1f} frames/s "
        f"(policy {stats.policy}, {_counted(stats.workers, 'request')} in flight)",
        _ledger_line(stats.ledger),
    ]
    if stats.ledger.processed > 1:
        lines += [f"  {'':<12}{'p50':>9}{'p90':>9}{'p99':>9}", *(_clock(name, stats.stage_ms[name]) for name in _in_order(stats))]
        lines.append(_clock("age", stats.age_ms))
    if stats.late:
        lines.append(f"  {_counted(stats.late, 'result')} older than the budget")
    lines += [f"  note: {note}" for note in (*source.notes, *notes)]
    return "\n".join(lines + _failures(source))


def _in_order(stats: Stats) -> list[str]:
    """Return the stages in the order of processing: those of steps come before the sinks."""
    added = [name for name in stats.stage_ms if name not in STAGES]
    return [*STAGES[:-1], *added, STAGES[-1]]


def _ledger_line(ledger: FrameCounts) -> str:
    unfinished = f" ({ledger.unfinished} of them unfinished at the end)" if ledger.unfinished else ""
    return (
        f"  ledger: {ledger.captured} captured = {ledger.processed} processed + {ledger.dropped} dropped{unfinished}"
        f"{f' + {ledger.skipped} skipped' if ledger.skipped else ''} + {ledger.failed} failed"
    )


def _clock(name: str, clock: DurationSummary) -> str:
    return f"  {name + ' ms':<14}" + f"{_ms(clock.p50):>7}{_ms(clock.p90):>9}{_ms(clock.p99):>9}"


def _failures(source: Source) -> list[str]:
    named = [f"  failed: {failure.name}: {failure.reason}" for failure in source.failures[:_MOST_FAILURES]]
    more = len(source.failures) - len(named)
    return [*named, f"  failed: and {more} more"] if more > 0 else named


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
