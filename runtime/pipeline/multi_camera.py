"""Several cameras at once: captured in a thread each, inferred by workers that they share, handed over in one stream of results.

camera 1: Source -> capture thread -> lane \\                                            / steps of camera 1 \\
camera 2: Source -> capture thread -> lane -> workers of the model they share, in turns -> steps of camera 2 -> results -> the caller
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgecnn.runtime.pipeline.camera_stream import (
    PATIENCE_S,
    CameraSetup,
    CameraState,
    CameraStream,
    CapturedFrame,
    InferFunction,
    InferredFrame,
    Policy,
    PredictorLike,
    patiently,
)
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.mailbox import Closed
from edgecnn.runtime.pipeline.scheduler import FrameQueue, Scheduler, WorkerPool
from edgecnn.types import Event, Result

__all__ = ["CameraSetup", "CameraState", "CameraStream", "InferFunction", "MultiCamera", "Policy", "PredictorLike"]

STOP_WITHIN_S = 1.5
_MOST_EVENTS = 1000
_MOST_REMOVED = 32


class MultiCamera:
    """Runs all ``cameras``; iterate it inside a ``with`` for the Results of all, in frame order for each, ``result.camera`` set.

    ``workers`` is how many frames each predictor infers at once; cameras that share one take turns. ``max_frames`` ends each camera
    after that many results, and with "all" nothing more than that is captured. ``controls`` says who is paused: a live camera's
    frames are skipped meanwhile, a file waits. ``on_event`` is called in the caller's thread with each event at once, also while no
    result comes; ``events`` keeps the last thousand. ``on_turn`` is called there too, several times a
    second, for a watchdog. With ``stay`` the iteration goes on while no camera is left, until ``stop``.

    A camera that breaks ends alone: its state, its ``error`` and an event "camera-failed" say why. The error is raised, after the
    results before it, where it was the only camera; where there were several, only once all of them have broken.
    Leaving the ``with`` for any reason stops all threads within 2 seconds; one that is stuck in a device or engine by then is left to
    end with the process and named in ``stuck``.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSetup],
        *,
        workers: int = 1,
        max_frames: int | None = None,
        controls: Controls | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_turn: Callable[[], None] | None = None,
        stay: bool = False,
    ) -> None:
        if workers < 1 or (max_frames is not None and max_frames < 1):
            raise ValueError(f"workers and max_frames must be at least 1, not {workers} and {max_frames}")
        self.controls = controls or Controls()
        self.events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self.removed: deque[CameraStream] = deque(maxlen=_MOST_REMOVED)
        self.stuck: list[str] = []
        self._workers, self._max_frames, self._stay = workers, max_frames, stay
        self._on_event, self._on_turn = on_event, on_turn
        self._junction: Scheduler[CapturedFrame, InferredFrame] = Scheduler()
        self._teams: dict[int, _Team] = {}
        self._cameras: dict[str, CameraStream] = {}
        self._by_lane: dict[FrameQueue[CapturedFrame, InferredFrame], CameraStream] = {}
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []
        self._running = self._stopping = False
        self._looked = 0.0
        for setup in cameras:
            self.add(setup)

    @property
    def cameras(self) -> Mapping[str, CameraStream]:
        """All cameras by name, in the order they were added, those that ended too."""
        return self._cameras

    def add(self, setup: CameraSetup) -> CameraStream:
        """Let a camera take part, at any time and from any thread. Raises ``ValueError`` for a name that is taken."""
        with self._lock:
            if setup.name in self._cameras:
                raise ValueError(f"two cameras have the name {setup.name!r}")
            team = self._team(setup.predictor, setup.workers)
            camera = self._new_camera(setup, team)
            self._cameras = {**self._cameras, setup.name: camera}
            self._by_lane[camera.lane] = camera
            self._junction.add(camera.lane)
            if self._running:
                self._start([camera.thread, *team.unstarted()])
            return camera

    def remove(self, name: str) -> CameraStream:
        """Let a camera take part no more, at any time and from any thread; gives it with its ledger settled. Raises ``KeyError``."""
        with self._lock:
            camera = self._cameras[name]
            self._cameras = {key: value for key, value in self._cameras.items() if key != name}
            camera.finish()
            self._junction.remove(camera.lane)
            del self._by_lane[camera.lane]
            self.removed.append(camera)
            if not camera.lane.crew.lanes:
                camera.lane.crew.close()
                self._teams = {key: team for key, team in self._teams.items() if not team.crew.closed}
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._junction.wake()
            return camera

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread and from a signal handler, because it takes no lock."""
        self._stopping = True

    def __enter__(self) -> MultiCamera:
        with self._lock:
            self._running = True
            self._start([camera.thread for camera in self._cameras.values()])
            for team in self._teams.values():
                self._start(team.unstarted())
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()
        with self._lock:
            self._running = False
            for camera in self._cameras.values():
                camera.ask_to_stop()
                camera.lane.cut()
            for team in self._teams.values():
                team.crew.close()
        deadline = time.perf_counter() + STOP_WITHIN_S
        for thread in self._threads:
            thread.join(max(deadline - time.perf_counter(), 0.0))
        self.stuck = [thread.name for thread in self._threads if thread.is_alive()]
        for camera in (*self.removed, *self._cameras.values()):
            camera.finish()
            self.stuck += camera.source.stuck

    def __iter__(self) -> Iterator[Result]:
        while (handed := self._next()) is not None:
            camera, result = handed
            since = time.perf_counter()
            yield result
            camera.book("sink", (time.perf_counter() - since) * 1e3)
            if camera.is_full and not camera.done:
                self._end(camera, None)

    # the caller's thread

    def _next(self) -> tuple[CameraStream, Result] | None:
        while not self._stopping and (self._stay or not self._all_done()):
            camera, result = self._wait()
            self._look_around()
            if camera is not None and result is not None:
                self._publish(camera)
                return camera, result
        return None

    def _wait(self) -> tuple[CameraStream | None, Result | None]:
        try:
            lane, answer = self._junction.next(PATIENCE_S)
        except TimeoutError:
            return None, None
        camera = self._by_lane.get(lane)
        if camera is None or camera.done:
            return None, None
        if answer is None:
            self._end(camera, lane.error)
            return None, None
        try:
            return camera, camera.hand_over(answer)
        except BaseException as error:
            self._end(camera, error)
            return None, None

    def _look_around(self) -> None:
        """Several times a second: what sources have to tell, and whether one fell silent."""
        now = time.perf_counter()
        if now - self._looked < PATIENCE_S / 2:
            return
        self._looked = now
        if self._on_turn is not None:
            self._on_turn()
        for camera in self._cameras.values():
            if camera.done:
                continue
            try:
                camera.look()
            except Exception as error:
                self._end(camera, error)
            self._publish(camera)

    def _publish(self, camera: CameraStream) -> None:
        for event in camera.take_news():
            self.events.append(event)
            if self._on_event is not None:
                self._on_event(event)

    def _end(self, camera: CameraStream, error: BaseException | None) -> None:
        camera.finish(error)
        if error is not None:
            camera.tell("camera-failed", error=str(error) or type(error).__name__)
        self._publish(camera)
        errors = [one.error for one in self._cameras.values() if one.error is not None]
        if error is not None and (len(errors) == len(self._cameras) or not isinstance(error, Exception)) and not self._stay:
            raise errors[0] from None

    def _all_done(self) -> bool:
        return all(camera.done for camera in self._cameras.values())

    # making and starting

    def _new_camera(self, setup: CameraSetup, team: _Team) -> CameraStream:
        policy: Policy = setup.policy or ("latest" if setup.source.live else "all")
        latest, workers = policy == "latest", len(team.threads)
        lane: FrameQueue[CapturedFrame, InferredFrame] = FrameQueue(
            self._junction,
            team.crew,
            1 if latest else workers + 1,
            workers if latest else 2 * workers,
            newest_wins=latest,
        )
        return CameraStream(setup, lane, policy=policy, workers=workers, max_frames=self._max_frames, controls=self.controls)

    def _team(self, predictor: PredictorLike, workers: int | None) -> _Team:
        """The workers of this predictor; new ones where there are none, or they gave up."""
        team = self._teams.get(id(predictor))
        if team is not None and not team.crew.closed:
            return team
        number = sum(len(team.threads) for team in self._teams.values())
        team = self._teams[id(predictor)] = _Team(predictor, WorkerPool(self._junction), workers or self._workers, number)
        return team

    def _start(self, threads: Sequence[threading.Thread]) -> None:
        for thread in threads:
            self._threads.append(thread)
            thread.start()


class _Team:
    """The threads that infer with one predictor."""

    def __init__(
        self, predictor: PredictorLike, crew: WorkerPool[CapturedFrame, InferredFrame], workers: int, first_number: int
    ) -> None:
        self.predictor, self.crew = predictor, crew
        self.threads = [
            threading.Thread(target=self._infer, name=f"edgecnn-infer-{first_number + n}", daemon=True) for n in range(workers)
        ]

    def unstarted(self) -> list[threading.Thread]:
        """Threads that never began."""
        return [thread for thread in self.threads if thread.ident is None]

    def _infer(self) -> None:
        try:
            work = self.predictor.worker()
            while True:
                lane, number, captured = patiently(self.crew.take)
                answer = _answer(work, captured)
                lane.answer(number, answer, last=answer.error is not None and not captured.forgiving)
        except Closed:
            pass
        except BaseException as problem:
            self._give_up(problem)

    def _give_up(self, problem: BaseException) -> None:
        """No worker, no answers: all cameras of this model end with the reason."""
        for lane in tuple(self.crew.lanes):
            lane.cut(problem)
        self.crew.close()


def _answer(work: InferFunction, captured: CapturedFrame) -> InferredFrame:
    stage_ms = {"capture": captured.ms}
    try:
        image = captured.frame.image
        prediction, spent = work(image) if captured.strategy is None else captured.strategy(work, image)
        return InferredFrame(captured.frame, stage_ms | spent, prediction)
    except BaseException as problem:
        return InferredFrame(captured.frame, stage_ms, None, problem)
