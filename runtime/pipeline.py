"""The live pipeline: capture thread -> Mailbox -> infer workers -> results in frame order -> the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from edgecnn.errors import SourceError
from edgecnn.runtime.ledger import Ledger
from edgecnn.runtime.mailbox import Closed, Mailbox, OrderedMailbox
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.stats import STAGES, Durations, Stats
from edgecnn.types import Frame, Image, Prediction, Result

Policy = Literal["latest", "all"]
T = TypeVar("T")
Worker = Callable[[Image], tuple[Prediction, dict[str, float]]]

STOP_WITHIN_S = 1.5
GRACE_S = 3.0  # a source may take its own timeout and this much longer, to find out and say what is wrong
_PATIENCE_S = 0.2  # how long any wait lasts before it looks up


class Predicts(Protocol):
    """What the pipeline needs of a predictor: a worker for each thread."""

    def worker(self) -> Worker:
        """A function from image to prediction and milliseconds by stage, for one thread."""
        ...


@dataclass(frozen=True, slots=True)
class _Captured:
    frame: Frame
    ms: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker made of a frame: a prediction, or the error that it failed with."""

    frame: Frame
    stage_ms: dict[str, float]
    prediction: Prediction | None
    error: BaseException | None = None


class Pipeline:
    """Runs ``predictor`` over ``source`` in threads; iterate it inside a ``with`` for Results in frame order.

    ``policy`` "latest" lets the newest frame win and counts every drop, "all" makes the source wait and drops nothing; None means
    latest for a live source. ``workers`` is how many frames are inferred at once. ``max_frames`` ends the iteration after that many
    results, and with "all" nothing more than that is captured. An error in a thread is raised to the caller after
    the results before it. Leaving the ``with`` for any reason stops all threads within 2 seconds; one that is stuck in a device or
    engine by then is left to end with the process and named in ``stuck``.
    """

    def __init__(
        self,
        source: Source,
        predictor: Predicts,
        *,
        policy: Policy | None = None,
        workers: int = 1,
        max_frames: int | None = None,
    ) -> None:
        if workers < 1 or (max_frames is not None and max_frames < 1):
            raise ValueError(f"wanted workers and max_frames of 1 or more, found {workers} and {max_frames}: correct them")
        self.source, self.predictor, self.workers = source, predictor, workers
        self.policy: Policy = policy or ("latest" if source.live else "all")
        self.ledger = Ledger()
        self.stuck: list[str] = []
        latest = self.policy == "latest"
        self._inbox: Mailbox[_Captured] = Mailbox(1 if latest else workers + 1, newest_wins=latest)
        self._outbox: OrderedMailbox[_Answer] = OrderedMailbox(workers if latest else 2 * workers)
        self._max_frames = max_frames
        self._stopping = False
        self._asking_since: float | None = None
        self._silence: tuple[tuple[float | None, int], float] = ((None, 0), 0.0)
        self._at_work = workers
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stage_ms = {stage: Durations() for stage in STAGES}
        self.age_ms = Durations()
        self._first_at: float | None = None
        self._last_at = 0.0

    def __enter__(self) -> Pipeline:
        names = [("edgecnn-capture", self._capture), *((f"edgecnn-infer-{n}", self._infer) for n in range(self.workers))]
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in names]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()
        self.source.close()
        self._inbox.close()
        self._outbox.close()
        self._inbox.drain()
        deadline = time.perf_counter() + STOP_WITHIN_S
        for thread in self._threads:
            thread.join(max(deadline - time.perf_counter(), 0.0))
        self.stuck = [thread.name for thread in self._threads if thread.is_alive()]
        self.ledger.settle()

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread and from a signal handler, because it takes no lock."""
        self._stopping = True

    def __iter__(self) -> Iterator[Result]:
        while (result := self._next()) is not None:
            handed = time.perf_counter()
            yield result
            self._stage_ms["sink"].add((time.perf_counter() - handed) * 1e3)
            if self.ledger.counts().processed == self._max_frames:
                return

    def stats(self) -> Stats:
        """What was measured so far."""
        counts = self.ledger.counts()
        wall = self._last_at - self._first_at if self._first_at is not None and counts.processed else 0.0
        return Stats(
            policy=self.policy,
            workers=self.workers,
            wall_s=wall,
            throughput=counts.processed / wall if wall > 0 else 0.0,
            stage_ms={stage: clock.summary() for stage, clock in self._stage_ms.items()},
            age_ms=self.age_ms.summary(),
            ledger=counts,
        )

    # the caller's thread

    def _next(self) -> Result | None:
        while not self._stopping:
            try:
                return self._hand_over(self._outbox.get(_PATIENCE_S))
            except TimeoutError:
                self._check_silence()
            except Closed:
                if self._outbox.error is not None:
                    raise self._outbox.error from None
                return None
        return None

    def _hand_over(self, answer: _Answer) -> Result:
        if answer.error is not None or answer.prediction is None:
            self.ledger.add(failed=1)
            raise answer.error or AssertionError("an answer without prediction")
        self._last_at = time.perf_counter()
        age = (self._last_at - answer.frame.captured_at) * 1e3
        self.ledger.add(processed=1)
        self.age_ms.add(age)
        for stage, ms in answer.stage_ms.items():
            self._stage_ms.setdefault(stage, Durations()).add(ms)
        return Result(answer.frame, answer.prediction, answer.stage_ms, age)

    def _check_silence(self) -> None:
        """A device whose driver knows no timeout is noticed here; the source itself had its chance to say why."""
        seen, now = (self._asking_since, self.source.failed), time.perf_counter()
        if seen != self._silence[0]:
            self._silence = seen, now
        limit = self.source.timeout + GRACE_S + 1 / (self.source.fps or 1.0)
        if seen[0] is not None and now - self._silence[1] > limit:
            raise SourceError(f"a frame from {self.source.name}", f"none for {limit:.1f} s", "check the device, then run again")

    # the capture thread

    def _capture(self) -> None:
        error: BaseException | None = None
        frames = iter(self.source)
        try:
            while (captured := self._ask(frames)) is not None:
                self.ledger.add(dropped=_patiently(partial(self._inbox.put, captured)))
                counts = self.ledger.counts()
                if self.policy == "all" and counts.captured - counts.failed == self._max_frames:
                    break
        except Closed:
            pass
        except BaseException as problem:
            error = problem
        finally:
            frames.close()
            self._inbox.close(error)

    def _ask(self, frames: Any) -> _Captured | None:
        seen = self.source.failed
        self._asking_since = time.perf_counter()
        if self._first_at is None:
            self._first_at = self._asking_since
        try:
            frame = next(frames, None)
        finally:
            self._asking_since = None
            failed = self.source.failed - seen
            self.ledger.add(captured=failed, failed=failed)
        if frame is None:
            return None
        self.ledger.add(captured=1)
        return _Captured(frame, (time.perf_counter() - frame.captured_at) * 1e3)

    # the infer threads

    def _infer(self) -> None:
        try:
            work = self.predictor.worker()
            while True:
                _patiently(self._outbox.reserve)
                number, captured = _patiently(self._inbox.get)
                self._outbox.put(number, self._answer(work, captured))
        except Closed:
            pass
        except BaseException as problem:
            self._outbox.close(problem)
            self._inbox.close()
        finally:
            self._leave()

    def _answer(self, work: Worker, captured: _Captured) -> _Answer:
        stage_ms = {"capture": captured.ms}
        try:
            prediction, spent = work(captured.frame.image)
            return _Answer(captured.frame, stage_ms | spent, prediction)
        except BaseException as problem:
            self._inbox.close()
            return _Answer(captured.frame, stage_ms, None, problem)

    def _leave(self) -> None:
        """The last worker closes the outbox, with the source's error if there was one, so that no result before it is lost."""
        with self._lock:
            self._at_work -= 1
            last = not self._at_work
        if last:
            self._outbox.close(self._inbox.error)


def _patiently(wait: Callable[[float], T]) -> T:
    """Wait in short turns until it is done or the mailbox is closed."""
    while True:
        try:
            return wait(_PATIENCE_S)
        except TimeoutError:
            continue
