"""What a run says while it goes on and when it ends, for people."""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, TextIO

from edgecnn.runtime.draw import label_of, value_text
from edgecnn.runtime.ledger import Counts
from edgecnn.runtime.pipeline import Pipeline
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.sources.quiet import stderr_held
from edgecnn.runtime.stats import STAGES, Durations, Stats, Summary
from edgecnn.types import Classes, Detections, Result, Values

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 5.0
_CLEAR = "\r\x1b[K"
_MOST_FAILURES = 10
_MOST_BOXES = 50


class StatusLine:
    """Tells every half second how a pipeline fares, in one line that renews itself; every 5 s in plain lines where ``out`` is no terminal.

    Rates and ages are of the time since the line before. Use it as a context manager around the iteration.
    """

    def __init__(self, pipeline: Pipeline, out: TextIO | None = None, *, every: float | None = None) -> None:
        self._pipeline, self._out = pipeline, out or sys.stderr
        self._live = self._out.isatty()
        self._every = every or (LIVE_EVERY_S if self._live else PLAIN_EVERY_S)
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="edgecnn-status", daemon=True)
        self._before: tuple[float, Counts, Durations] = (time.perf_counter(), Counts(), Durations())

    def __enter__(self) -> StatusLine:
        self._thread.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._done.set()
        self._thread.join(1.0)
        if self._live:
            self._write(_CLEAR)

    def say(self, text: str) -> None:
        """Print lines for good, on standard output, without tearing the status line."""
        with self._lock:
            if self._live:
                self._write(_CLEAR)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def _work(self) -> None:
        while not self._done.wait(self._every):
            with self._lock:
                line = self.line()
                self._write(f"{_CLEAR}{line[: shutil.get_terminal_size().columns - 1]}" if self._live else f"{line}\n")

    def _write(self, text: str) -> None:
        with stderr_held():
            self._out.write(text)
            self._out.flush()

    def line(self) -> str:
        """One line of status; starts the next stretch of time."""
        now, counts, ages = time.perf_counter(), self._pipeline.ledger.counts(), self._pipeline.age_ms.copy()
        then, old, old_ages = self._before
        self._before = now, counts, ages
        if not counts.captured:
            return f"waiting for {self._pipeline.source.name}"
        seconds = max(now - then, 1e-6)
        captured, processed = (counts.captured - old.captured) / seconds, (counts.processed - old.processed) / seconds
        recent = ages.since(old_ages)
        failed = f" · failed {counts.failed}" if counts.failed else ""
        return (
            f"capture {captured:.1f} · infer {processed:.1f} frames/s · age p50 {_ms(recent.percentile(50))} "
            f"p99 {_ms(recent.percentile(99))} ms · frames {counts.processed} · dropped {counts.dropped}{failed}"
        )


def describe(result: Result, title: str, labels: Sequence[str]) -> str:
    """What was found in one image, in lines for a person."""
    height, width = result.frame.image.shape[:2]
    found = result.prediction
    spent = sum(result.stage_ms.get(stage, 0.0) for stage in ("preprocess", "infer", "postprocess"))
    if isinstance(found, Classes):
        return f"{title}  {width}x{height}  {_classes(found, labels)}  {spent:.1f} ms"
    if isinstance(found, Values):
        named = ", ".join(f"{label_of(labels, index)} {value_text(value)}" for index, value in enumerate(found.value.tolist()))
        return f"{title}  {width}x{height}  {named}  {spent:.1f} ms"
    number = _counted(len(found), "object")
    return "\n".join([f"{title}  {width}x{height}  {number}  {spent:.1f} ms", *_boxes(found, labels)])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _classes(found: Classes, labels: Sequence[str]) -> str:
    best = (-found.score).argsort(kind="stable")[:3].tolist()
    return ", ".join(f"{label_of(labels, class_id)} {found.score[class_id]:.2f}" for class_id in best)


def _boxes(found: Detections, labels: Sequence[str]) -> list[str]:
    order = (-found.score).argsort(kind="stable").tolist()
    names = [label_of(labels, class_id) for class_id in found.class_id.tolist()]
    wide = max((len(names[index]) for index in order[:_MOST_BOXES]), default=0)
    lines = []
    for index in order[:_MOST_BOXES]:
        left, top, right, bottom = (round(edge) for edge in found.xyxy[index].tolist())
        lines.append(f"  {names[index]:<{wide}}  {found.score[index]:.2f}  {left},{top} to {right},{bottom}")
    more = len(order) - _MOST_BOXES
    return [*lines, f"  and {more} more with lower scores"] if more > 0 else lines


def summary(stats: Stats, source: Source, how: str = "done") -> str:
    """The end of a run in a few lines: throughput, the ledger that balances, stage times, what went wrong."""
    frames = _counted(stats.ledger.processed, "frame")
    lines = [
        f"{how}: {frames} in {stats.wall_s:.1f} s, {stats.throughput:.1f} frames/s "
        f"(policy {stats.policy}, {_counted(stats.workers, 'request')} in flight)",
        _ledger_line(stats.ledger),
    ]
    if stats.ledger.processed > 1:
        lines += [f"  {'':<12}{'p50':>9}{'p90':>9}{'p99':>9}", *(_clock(name, stats.stage_ms[name]) for name in STAGES)]
        lines.append(_clock("age", stats.age_ms))
    lines += [f"  note: {note}" for note in source.notes]
    return "\n".join(lines + _failures(source))


def _ledger_line(ledger: Counts) -> str:
    unfinished = f" ({ledger.unfinished} of them unfinished at the end)" if ledger.unfinished else ""
    return (
        f"  ledger: {ledger.captured} captured = {ledger.processed} processed + {ledger.dropped} dropped{unfinished}"
        f" + {ledger.failed} failed"
    )


def _clock(name: str, clock: Summary) -> str:
    return f"  {name + ' ms':<14}" + f"{_ms(clock.p50):>7}{_ms(clock.p90):>9}{_ms(clock.p99):>9}"


def _failures(source: Source) -> list[str]:
    named = [f"  failed: {failure.name}: {failure.reason}" for failure in source.failures[:_MOST_FAILURES]]
    more = len(source.failures) - len(named)
    return [*named, f"  failed: and {more} more"] if more > 0 else named


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
