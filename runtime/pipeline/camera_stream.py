"""One camera of a station: what it should do, and its way from the capture thread to results with numbers for each frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypeVar, cast

from edgecnn.errors import SourceError
from edgecnn.runtime.pipeline.controls import Controls
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

GRACE_S = 3.0  # a source may take its own timeout and this much longer, to find out and say what is wrong
PATIENCE_S = 0.2  # how long any wait lasts before it looks up
FORGIVEN = 10  # inferences in a row that may fail on a live camera
_MOST_EVENTS = 100  # that wait for a result to carry them
_LATE_APART_S = 5.0  # results late again within this time belong to the same stretch


class PredictorLike(Protocol):
    """What a camera needs of a predictor: a worker for each thread."""

    def worker(self) -> InferFunction:
        """A function from image to prediction and milliseconds by stage, for one thread."""
        ...


@dataclass(frozen=True)
class CameraSetup:
    """A camera, the model that looks at it, and what happens to its results. Cameras with the same ``predictor`` object share its workers.

    ``policy`` "latest" lets the newest frame win and counts every drop, "all" makes the source wait and drops nothing; None means
    latest for a live source. ``every``, ``max_fps`` and ``gate`` choose which frames are looked at (see ``FrameSampler``). Results older
    than ``max_age_ms`` milliseconds are counted in ``late``. ``workers`` is how many frames the predictor infers at once, where this camera
    is the first to use it; None: as the station says. ``strategy`` looks at a frame with such a worker in its own way, such as tile by tile
    (see ``RegionInference``); any thread may call it. Raises ``ValueError`` for numbers that make no sense.
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


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A frame and how many milliseconds it took from being there to its pixels.

    ``forgiving``: its camera goes on where the inference fails. ``strategy`` is that of its setup.
    """

    frame: Frame
    ms: float
    forgiving: bool
    strategy: InferStrategy | None = None


@dataclass(frozen=True, slots=True)
class InferredFrame:
    """What a worker made of a frame: a prediction, or the error that it failed with."""

    frame: Frame
    stage_ms: dict[str, float]
    prediction: Prediction | None
    error: BaseException | None = None


CameraQueue = FrameQueue[CapturedFrame, InferredFrame]


class CameraStream:
    """One camera at work. Numbers and states may be read from any thread; a ``MultiCamera`` alone does the rest.

    ``ledger`` says where every frame went, ``age_ms`` how old results were when they were handed over, ``late`` how many were older
    than the setup allows, ``error`` what the camera failed with.
    """

    def __init__(
        self, setup: CameraSetup, lane: CameraQueue, *, policy: Policy, workers: int, max_frames: int | None, controls: Controls
    ) -> None:
        self.setup, self.name, self.source, self.policy = setup, setup.name, setup.source, policy
        self.lane, self._workers, self._max_frames, self._controls = lane, workers, max_frames, controls
        self.ledger = Ledger()
        self.age_ms = DurationHistogram()
        self.late = 0
        self.error: BaseException | None = None
        self.done = False
        self._picker = FrameSampler(setup.source, setup.every, setup.max_fps, setup.gate)
        self._stage_ms = {stage: DurationHistogram() for stage in STAGES}
        self._over = threading.Event()
        self._asking_since: float | None = None
        self._silence: tuple[tuple[float | None, int], float] = ((None, 0), 0.0)
        self._first_at: float | None = None
        self._last_at = 0.0
        self._events: list[Event] = []  # for the next result
        self._news: list[Event] = []  # for the station
        self._failed_in_a_row = 0
        self._late_until = 0.0
        self.thread = threading.Thread(target=self._capture, name=_thread_name("edgecnn-capture", setup.name), daemon=True)

    # read by anybody

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
        """Whether somebody paused it."""
        return self.name in self._controls.setting.paused

    def stats(self) -> Stats:
        """What was measured so far."""
        counts = self.ledger.counts()
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
                frames.close()
        except Closed:
            pass
        except BaseException as problem:
            error = problem
        finally:
            self.lane.end(error)

    def _send_all(self, frames: Generator[Frame, None, None]) -> None:
        while (captured := self._ask(frames)) is not None:
            if (self.source.live and self.paused) or not self._picker.wants(captured.frame):
                self.ledger.add(skipped=1)
                continue
            self.ledger.add(dropped=patiently(partial(self.lane.put, captured)))
            counts = self.ledger.counts()
            if self.policy == "all" and counts.captured - counts.failed - counts.skipped == self._max_frames:
                return

    def _ask(self, frames: Generator[Frame, None, None]) -> CapturedFrame | None:
        while self.paused and not self.source.live and not self._over.wait(PATIENCE_S):
            pass  # a file waits, a camera's frames are skipped
        failed, missed = self.source.failed, self.source.missed
        self._asking_since = time.perf_counter()
        if self._first_at is None:
            self._first_at = self._asking_since
        try:
            frame = next(frames, None)
        finally:
            self._asking_since = None
            failed, missed = self.source.failed - failed, self.source.missed - missed
            if failed or missed:
                self.ledger.add(captured=failed + missed, failed=failed, dropped=missed)
        if frame is None or self._over.is_set():
            return None
        self.ledger.add(captured=1)
        return CapturedFrame(frame, (time.perf_counter() - frame.captured_at) * 1e3, self.source.live, self.setup.strategy)

    # the thread of the station's caller

    def hand_over(self, answer: InferredFrame) -> Result | None:
        """Make the result, with the steps of the setup; None where the frame failed and the camera goes on. Raises what ends the camera."""
        try:
            if answer.error is not None or answer.prediction is None:
                raise answer.error or AssertionError("an answer without prediction")
            result = self._through_steps(answer, answer.prediction)
        except BaseException as error:
            self.ledger.add(failed=1)
            self._forgive(error)
            return None
        self._failed_in_a_row = 0
        self._last_at = time.perf_counter()
        age = (self._last_at - answer.frame.captured_at) * 1e3
        self.ledger.add(processed=1)
        self.age_ms.add(age)
        self._check_age(age)
        for stage, ms in result.stage_ms.items():
            self.book(stage, ms)
        self._news += result.events
        events, self._events = (*self._events, *result.events), []
        return replace(result, age_ms=age, events=events)

    def book(self, stage: str, ms: float) -> None:
        """Record how long a stage took."""
        clock = self._stage_ms.get(stage)
        if clock is None:
            clock = self._stage_ms[stage] = DurationHistogram()
        clock.add(ms)

    def look(self) -> None:
        """Ask the source what happened. Raises ``SourceError`` for a device that fell silent."""
        for event in self.source.take_events():
            self._keep(replace(event, camera=self.name))
        self._check_silence()

    def take_news(self) -> list[Event]:
        """What happened since the last call; a result carries it too as soon as there is one."""
        news, self._news = self._news, []
        return news

    def finish(self, error: BaseException | None = None) -> None:
        """End for good: nothing more is captured, inferred or booked."""
        self.error = self.error or error
        self.done = True
        self.ask_to_stop()
        self.lane.cut()
        self.ledger.settle()

    def ask_to_stop(self) -> None:
        """Tell the source that no more is wanted."""
        self._over.set()
        self.source.close()

    @property
    def is_full(self) -> bool:
        """Whether it gave as many results as were asked for."""
        return self._max_frames is not None and self.ledger.counts().processed >= self._max_frames

    def _through_steps(self, answer: InferredFrame, prediction: Prediction) -> Result:
        stage_ms = answer.stage_ms
        result = Result(answer.frame, prediction, stage_ms, 0.0, self.name)
        for step in self.setup.steps:
            started = time.perf_counter()
            result = step(result)
            stage_ms[step.stage] = stage_ms.get(step.stage, 0.0) + (time.perf_counter() - started) * 1e3
        return replace(result, stage_ms=stage_ms) if self.setup.steps else result

    def _forgive(self, error: BaseException) -> None:
        """A live camera outlives a few failures in a row, and says so; raises the error where that is over, or it is a file."""
        self._failed_in_a_row += 1
        if not self.source.live or self._failed_in_a_row > FORGIVEN or not isinstance(error, Exception):
            raise error
        if self._failed_in_a_row == 1:
            self.tell("inference-failed", error=str(error) or type(error).__name__)

    def _check_age(self, age: float) -> None:
        budget = self.setup.max_age_ms
        if budget is None or age <= budget:
            return
        self.late += 1
        if self._last_at > self._late_until:
            self.tell("late", age_ms=round(age, 1), max_age_ms=budget)
        self._late_until = self._last_at + _LATE_APART_S

    def tell(self, kind: str, **details: Any) -> None:
        """Add an event of this moment to the next result."""
        self._keep(Event(kind, time.perf_counter(), self.name, details))

    def _keep(self, event: Event) -> None:
        self._news.append(event)
        if len(self._events) < _MOST_EVENTS:
            self._events.append(event)

    def _check_silence(self) -> None:
        """A device whose driver knows no timeout is noticed here; a source that has states of its own says itself what is wrong."""
        seen, now = (self._asking_since, self.source.failed), time.perf_counter()
        if seen != self._silence[0]:
            self._silence = seen, now
        limit = self.source.timeout + GRACE_S + 1 / (self.source.fps or 1.0)
        if seen[0] is not None and now - self._silence[1] > limit and not self.source.state:
            raise SourceError(f"{self.source.name} gave no frame for {limit:.1f} s", "check the device, then run again")


def patiently(wait: Callable[[float], T]) -> T:
    """Wait in short turns until it is done or the lane is closed."""
    while True:
        try:
            return wait(PATIENCE_S)
        except TimeoutError:
            continue


def _thread_name(role: str, name: str) -> str:
    return f"{role}-{name}" if name else role
