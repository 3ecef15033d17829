"""One camera of a ``MultiCamera``: its options, its capture thread, and its results with the times of each frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypeVar, cast

from edgecnn.errors import SourceError
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.drift_status import DriftStatus
from edgecnn.runtime.pipeline.frame_sampler import FrameSampler
from edgecnn.runtime.pipeline.ledger import Ledger
from edgecnn.runtime.pipeline.mailbox import Closed
from edgecnn.runtime.pipeline.scheduler import FrameQueue
from edgecnn.runtime.pipeline.statistics import STAGES, DurationHistogram, Stats
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.steps import Step
from edgecnn.types import Event, Frame, Image, Prediction, Result

Policy = Literal["latest", "all"]
CameraState = Literal["waiting", "live", "lost", "stalled", "frozen", "paused", "ended", "failed"]
InferFunction = Callable[[Image], tuple[Prediction, dict[str, float]]]
InferStrategy = Callable[[InferFunction, Image], tuple[Prediction, dict[str, float]]]
T = TypeVar("T")

SILENCE_GRACE_S = 3.0  # on top of the source's own timeout, so that a source that notices by itself can say what is wrong
POLL_S = 0.2  # the longest that any wait blocks before it checks whether to stop
MAX_FAILURES = 10  # consecutive inferences that may fail on a live camera
_MAX_EVENTS = 100  # pending until the next result
_LATE_REPEAT_S = 5.0  # results that are late again within this time do not raise another event


class PredictorLike(Protocol):
    """What a camera needs of a predictor."""

    def worker(self) -> InferFunction:
        """A function from image to prediction and milliseconds by stage, for use in one thread."""
        ...


@dataclass(frozen=True)
class CameraSetup:
    """A camera, its model and its processing steps. Cameras with the same ``predictor`` object share its workers.

    ``policy`` "latest" drops old frames for the newest one and counts each drop, "all" makes the source wait and drops nothing; None
    means latest for a live source. ``every``, ``max_fps`` and ``gate`` choose the frames that are inferred (see ``FrameSampler``).
    Results older than ``max_age_ms`` milliseconds are counted in ``late``. ``workers`` is the number of frames that the predictor
    infers at once, where this camera is the first to use it; None: as the ``MultiCamera`` says. ``strategy`` replaces the inference
    on the whole frame, for example by one per tile (see ``RegionInference``); it is called by several threads. ``drift`` says whether
    the camera left what its model knows, where that is watched.
    """

    name: str
    source: Source
    predictor: PredictorLike
    policy: Policy | None = None
    steps: Sequence[Step] = ()
    every: int = 1
    max_fps: float | None = None
    max_age_ms: float | None = None
    gate: Callable[[Image], bool] | None = None
    workers: int | None = None
    strategy: InferStrategy | None = None
    drift: Callable[[], DriftStatus] | None = None


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A frame and the milliseconds from its capture to its decoded pixels.

    ``is_live``: its camera survives a failed inference. ``strategy`` is that of its ``CameraSetup``.
    """

    frame: Frame
    ms: float
    is_live: bool
    strategy: InferStrategy | None = None


@dataclass(frozen=True, slots=True)
class InferredFrame:
    """A frame with its prediction, or with the error that the inference raised."""

    frame: Frame
    stage_ms: dict[str, float]
    prediction: Prediction | None
    error: BaseException | None = None


CameraQueue = FrameQueue[CapturedFrame, InferredFrame]


class CameraStream:
    """A running camera: state, statistics and errors, which any thread may read; everything else is for ``MultiCamera``.

    ``ledger`` counts what became of each frame, ``age_ms`` holds the ages of the results when they were handed over, ``late`` is the
    number of results older than ``max_age_ms``, ``error`` what the camera failed with.
    """

    def __init__(
        self, setup: CameraSetup, queue: CameraQueue, *, policy: Policy, workers: int, max_frames: int | None, controls: Controls
    ) -> None:
        self.setup, self.name, self.source, self.policy = setup, setup.name, setup.source, policy
        self.queue, self._workers, self._max_frames, self._controls = queue, workers, max_frames, controls
        self.ledger = Ledger()
        self.age_ms = DurationHistogram()
        self.late = 0
        self.error: BaseException | None = None
        self.done = False
        self._sampler = FrameSampler(setup.source, setup.every, setup.max_fps, setup.gate)
        self._stage_ms = {stage: DurationHistogram() for stage in STAGES}
        self._stopping = threading.Event()
        self._waiting_since: float | None = None
        self._silence: tuple[tuple[float | None, int], float] = ((None, 0), 0.0)
        self._first_at: float | None = None
        self._last_at = 0.0
        self._events: list[Event] = []  # carried by the next result
        self._new_events: list[Event] = []  # for MultiCamera, at once
        self._failed_in_a_row = 0
        self._late_until = 0.0
        self.thread = threading.Thread(target=self._capture, name=_thread_name("edgecnn-capture", setup.name), daemon=True)

    # read by any thread

    @property
    def state(self) -> CameraState:
        """What the camera is doing now."""
        if self.done:
            return "failed" if self.error is not None else "ended"
        if self.paused:
            return "paused"
        if self.source.state:
            return cast(CameraState, self.source.state)
        return "live" if self.ledger.counts().captured else "waiting"

    @property
    def detail(self) -> str:
        """Why it is in this state, in one line; empty where there is nothing to say."""
        if self.error is not None:
            return str(self.error) or type(self.error).__name__
        return self.source.detail

    @property
    def paused(self) -> bool:
        """Whether it is paused by ``Controls``."""
        return self.name in self._controls.setting.paused

    @property
    def drift(self) -> DriftStatus | None:
        """Whether it left what its model knows; None where that is not watched."""
        return None if self.setup.drift is None else self.setup.drift()

    def stats(self) -> Stats:
        """What was measured so far."""
        counts = self.ledger.counts()
        # from asking for the first frame to the last result; the stages are copied, as the caller's thread may add one meanwhile
        wall = self._last_at - self._first_at if self._first_at is not None and counts.processed else 0.0
        return Stats(
            policy=self.policy,
            workers=self._workers,
            duration_s=wall,
            throughput_fps=counts.processed / wall if wall > 0 else 0.0,
            stage_ms={stage: clock.summary() for stage, clock in tuple(self._stage_ms.items())},
            age_ms=self.age_ms.summary(),
            ledger=counts,
            late=self.late,
        )

    # the capture thread

    def _capture(self) -> None:
        error: BaseException | None = None
        try:
            frames = iter(self.source)
            try:
                self._send_all(frames)
            finally:
                frames.close()  # here, so that a device is released by the thread that opened it
        except Closed:
            pass
        except BaseException as problem:
            error = problem
        finally:
            self.queue.end(error)

    def _send_all(self, frames: Generator[Frame, None, None]) -> None:
        while (captured := self._next_frame(frames)) is not None:
            if (self.source.live and self.paused) or not self._sampler.accepts(captured.frame):
                self.ledger.add(skipped=1)
                continue
            self.ledger.add(dropped=poll_until_done(partial(self.queue.put, captured)))
            counts = self.ledger.counts()
            # frames that failed or were skipped do not count towards max_frames
            if self.policy == "all" and counts.captured - counts.failed - counts.skipped == self._max_frames:
                return

    def _next_frame(self, frames: Generator[Frame, None, None]) -> CapturedFrame | None:
        while self.paused and not self.source.live and not self._stopping.wait(POLL_S):
            pass  # a file waits; the frames of a live camera are skipped by the caller
        # The source counts the frames that it could not read or skipped before this one; the differences go to the ledger.
        failed, missed = self.source.failed, self.source.missed
        self._waiting_since = time.perf_counter()
        if self._first_at is None:
            self._first_at = self._waiting_since
        try:
            frame = next(frames, None)
        finally:
            self._waiting_since = None
            failed, missed = self.source.failed - failed, self.source.missed - missed
            if failed or missed:
                self.ledger.add(captured=failed + missed, failed=failed, dropped=missed)
        if frame is None or self._stopping.is_set():
            return None
        self.ledger.add(captured=1)
        return CapturedFrame(frame, (time.perf_counter() - frame.captured_at) * 1e3, self.source.live, self.setup.strategy)

    # called by the thread that iterates MultiCamera

    def finish_frame(self, inferred: InferredFrame) -> Result | None:
        """The result after all steps; None where the frame failed and the camera goes on. Raises the error that ends the camera."""
        try:
            if inferred.error is not None or inferred.prediction is None:
                raise inferred.error or AssertionError("neither prediction nor error")
            result = self._through_steps(inferred, inferred.prediction)
        except BaseException as error:
            self.ledger.add(failed=1)
            self._tolerate(error)
            return None
        self._failed_in_a_row = 0
        self._last_at = time.perf_counter()
        age = (self._last_at - inferred.frame.captured_at) * 1e3
        self.ledger.add(processed=1)
        self.age_ms.add(age)
        self._check_age(age)
        for stage, ms in result.stage_ms.items():
            self.add_time(stage, ms)
        self._new_events += result.events
        events, self._events = (*self._events, *result.events), []
        return replace(result, age_ms=age, events=events)

    def add_time(self, stage: str, ms: float) -> None:
        """Record how long a stage took."""
        clock = self._stage_ms.get(stage)
        if clock is None:
            clock = self._stage_ms[stage] = DurationHistogram()
        clock.add(ms)

    def poll(self) -> None:
        """Collect the source's events. Raises ``SourceError`` for a device that gives no frames."""
        for event in self.source.take_events():
            self._append_event(replace(event, camera=self.name))
        self._check_silence()

    def take_new_events(self) -> list[Event]:
        """Events since the last call; the next result carries them, too."""
        events, self._new_events = self._new_events, []
        return events

    def finish(self, error: BaseException | None = None) -> None:
        """End the camera: nothing more is captured, inferred or counted."""
        self.error = self.error or error
        self.done = True
        self.request_stop()
        self.queue.cancel()
        self.ledger.settle()

    def request_stop(self) -> None:
        """Close the source; the capture thread ends soon after."""
        self._stopping.set()
        self.source.close()

    @property
    def is_full(self) -> bool:
        """Whether ``max_frames`` results were handed over."""
        return self._max_frames is not None and self.ledger.counts().processed >= self._max_frames

    def _through_steps(self, inferred: InferredFrame, prediction: Prediction) -> Result:
        stage_ms = inferred.stage_ms
        result = Result(inferred.frame, prediction, stage_ms, 0.0, self.name)
        for step in self.setup.steps:
            started = time.perf_counter()
            result = step(result)
            stage_ms[step.stage] = stage_ms.get(step.stage, 0.0) + (time.perf_counter() - started) * 1e3
        return replace(result, stage_ms=stage_ms) if self.setup.steps else result

    def _tolerate(self, error: BaseException) -> None:
        """Raise the error, except for the first few consecutive failures of a live camera, which become one event."""
        self._failed_in_a_row += 1
        if not self.source.live or self._failed_in_a_row > MAX_FAILURES or not isinstance(error, Exception):
            raise error
        if self._failed_in_a_row == 1:
            self.add_event("inference-failed", error=str(error) or type(error).__name__)

    def _check_age(self, age: float) -> None:
        budget = self.setup.max_age_ms
        if budget is None or age <= budget:
            return
        self.late += 1
        if self._last_at > self._late_until:
            self.add_event("late", age_ms=round(age, 1), max_age_ms=budget)
        self._late_until = self._last_at + _LATE_REPEAT_S

    def add_event(self, kind: str, **details: Any) -> None:
        """Add an event that happens now."""
        self._append_event(Event(kind, time.perf_counter(), self.name, details))

    def _append_event(self, event: Event) -> None:
        self._new_events.append(event)
        if len(self._events) < _MAX_EVENTS:
            self._events.append(event)

    def _check_silence(self) -> None:
        """For drivers that block without a timeout; a source with a state of its own reports the problem itself."""
        # Time counts from the last change: a frame that was asked for anew, or one more that could not be read.
        seen, now = (self._waiting_since, self.source.failed), time.perf_counter()
        if seen != self._silence[0]:
            self._silence = seen, now
        limit = self.source.timeout + SILENCE_GRACE_S + 1 / (self.source.fps or 1.0)
        if seen[0] is not None and now - self._silence[1] > limit and not self.source.state:
            raise SourceError(f"{self.source.name} gave no frame for {limit:.1f} s", "check the device, then run again")


def poll_until_done(wait: Callable[[float], T]) -> T:
    """Repeat a wait with a short timeout until it succeeds; ``Closed`` ends it."""
    while True:
        try:
            return wait(POLL_S)
        except TimeoutError:
            continue


def _thread_name(role: str, name: str) -> str:
    return f"{role}-{name}" if name else role
