"""Several cameras at once: one capture thread each, shared inference workers, and one stream of results.

camera 1: Source -> capture thread -> FrameQueue -\\                                                     /-> steps of camera 1 -\\
camera 2: Source -> capture thread -> FrameQueue --> WorkerPool of the shared model, round-robin -------> steps of camera 2 --> caller
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgecnn.runtime.pipeline.camera_stream import (
    POLL_S,
    CameraQueue,
    CameraSetup,
    CameraState,
    CameraStream,
    CapturedFrame,
    InferFunction,
    InferredFrame,
    Policy,
    PredictorLike,
    poll_until_done,
)
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.mailbox import Closed
from edgecnn.runtime.pipeline.scheduler import Scheduler, WorkerPool
from edgecnn.types import Event, Result

__all__ = ["CameraSetup", "CameraState", "CameraStream", "InferFunction", "MultiCamera", "Policy", "PredictorLike"]

STOP_WITHIN_S = 1.5
_MAX_EVENTS = 1000
_MAX_REMOVED = 32


class MultiCamera:
    """Runs all ``cameras``; iterate it inside a ``with`` for their Results, in frame order for each camera, ``result.camera`` set.

    ``workers`` is the number of frames that each predictor infers at once; cameras that share one are served round-robin.
    ``max_frames`` ends each camera after that many results, and with the policy "all" captures no more than that. ``controls`` pause
    cameras: a live camera's frames are skipped meanwhile, a file waits. ``on_event`` is called in the caller's thread for each event
    at once, also while there are no results; ``events`` keeps the last thousand. ``on_poll`` is called there several times per
    second, for example for a watchdog. With ``keep_running`` the iteration continues without cameras until ``stop``.

    A camera that fails ends alone: its state, its ``error`` and an event "camera-failed" tell why. The error is raised, after the
    results before it, where it was the only camera; of several cameras, only once all have failed.
    Leaving the ``with`` stops all threads within 2 seconds; one that is blocked in a device or engine by then is left to end with the
    process and is named in ``stuck``.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSetup],
        *,
        workers: int = 1,
        max_frames: int | None = None,
        controls: Controls | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_poll: Callable[[], None] | None = None,
        keep_running: bool = False,
    ) -> None:
        if workers < 1 or (max_frames is not None and max_frames < 1):
            raise ValueError(f"workers and max_frames must be at least 1, not {workers} and {max_frames}")
        self.controls = controls or Controls()
        self.events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self.removed: deque[CameraStream] = deque(maxlen=_MAX_REMOVED)
        self.stuck: list[str] = []
        self._workers, self._max_frames, self._keep_running = workers, max_frames, keep_running
        self._on_event, self._on_poll = on_event, on_poll
        self._scheduler: Scheduler[CapturedFrame, InferredFrame] = Scheduler()
        self._workers_of: dict[int, _PredictorWorkers] = {}
        self._cameras: dict[str, CameraStream] = {}
        self._by_queue: dict[CameraQueue, CameraStream] = {}
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []
        self._running = self._stopping = False
        self._polled_at = 0.0
        for setup in cameras:
            self.add(setup)

    @property
    def cameras(self) -> Mapping[str, CameraStream]:
        """All cameras by name in the order they were added, including those that ended."""
        return self._cameras

    def add(self, setup: CameraSetup) -> CameraStream:
        """Add a camera, at any time and from any thread. Raises ``ValueError`` for a name that is taken."""
        with self._lock:
            if setup.name in self._cameras:
                raise ValueError(f"two cameras have the name {setup.name!r}")
            workers = self._predictor_workers(setup.predictor, setup.workers)
            camera = self._new_camera(setup, workers)
            # A new dictionary instead of a change: other threads may be iterating over the old one.
            self._cameras = {**self._cameras, setup.name: camera}
            self._by_queue[camera.queue] = camera
            self._scheduler.add(camera.queue)
            if self._running:
                self._start([camera.thread, *workers.unstarted()])
            return camera

    def remove(self, name: str) -> CameraStream:
        """Remove a camera, at any time and from any thread; returns it with its ledger settled. Raises ``KeyError``."""
        with self._lock:
            camera = self._cameras[name]
            self._cameras = {key: value for key, value in self._cameras.items() if key != name}
            camera.finish()
            self._scheduler.remove(camera.queue)
            del self._by_queue[camera.queue]
            self.removed.append(camera)
            if not camera.queue.pool.queues:
                camera.queue.pool.close()
                self._workers_of = {key: workers for key, workers in self._workers_of.items() if not workers.pool.closed}
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._scheduler.wake()
            return camera

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread and from a signal handler, because it takes no lock."""
        self._stopping = True

    def __enter__(self) -> MultiCamera:
        with self._lock:
            self._running = True
            self._start([camera.thread for camera in self._cameras.values()])
            for workers in self._workers_of.values():
                self._start(workers.unstarted())
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()
        with self._lock:
            self._running = False
            for camera in self._cameras.values():
                camera.request_stop()
                camera.queue.cancel()
            for workers in self._workers_of.values():
                workers.pool.close()
        deadline = time.perf_counter() + STOP_WITHIN_S
        for thread in self._threads:
            thread.join(max(deadline - time.perf_counter(), 0.0))
        self.stuck = [thread.name for thread in self._threads if thread.is_alive()]
        for camera in (*self.removed, *self._cameras.values()):
            camera.finish()
            self.stuck += camera.source.stuck

    def __iter__(self) -> Iterator[Result]:
        while (item := self._next()) is not None:
            camera, result = item
            since = time.perf_counter()
            yield result
            camera.add_time("sink", (time.perf_counter() - since) * 1e3)
            if camera.is_full and not camera.done:
                self._end(camera, None)

    # the caller's thread

    def _next(self) -> tuple[CameraStream, Result] | None:
        while not self._stopping and (self._keep_running or not self._all_done()):
            camera, result = self._wait()
            self._poll_cameras()
            if camera is not None and result is not None:
                self._publish(camera)
                return camera, result
        return None

    def _wait(self) -> tuple[CameraStream | None, Result | None]:
        try:
            queue, inferred = self._scheduler.next(POLL_S)
        except TimeoutError:
            return None, None
        camera = self._by_queue.get(queue)
        # Between the hand-over and this line another thread may have removed the camera.
        if camera is None or camera.done:
            return None, None
        if inferred is None:
            self._end(camera, queue.error)
            return None, None
        try:
            return camera, camera.finish_frame(inferred)
        except BaseException as error:
            self._end(camera, error)
            return None, None

    def _poll_cameras(self) -> None:
        """Several times per second: collect the events of the sources, and notice those that give no frames."""
        now = time.perf_counter()
        if now - self._polled_at < POLL_S / 2:
            return
        self._polled_at = now
        if self._on_poll is not None:
            self._on_poll()
        for camera in self._cameras.values():
            if camera.done:
                continue
            try:
                camera.poll()
            except Exception as error:
                self._end(camera, error)
            self._publish(camera)

    def _publish(self, camera: CameraStream) -> None:
        for event in camera.take_new_events():
            self.events.append(event)
            if self._on_event is not None:
                self._on_event(event)

    def _end(self, camera: CameraStream, error: BaseException | None) -> None:
        camera.finish(error)
        if error is not None:
            camera.add_event("camera-failed", error=str(error) or type(error).__name__)
        self._publish(camera)
        errors = [one.error for one in self._cameras.values() if one.error is not None]
        all_failed = len(errors) == len(self._cameras)
        # KeyboardInterrupt and the like are no failure of one camera: they end the iteration at once.
        if error is not None and (all_failed or not isinstance(error, Exception)) and not self._keep_running:
            raise errors[0] from None

    def _all_done(self) -> bool:
        return all(camera.done for camera in self._cameras.values())

    # making and starting

    def _new_camera(self, setup: CameraSetup, workers: _PredictorWorkers) -> CameraStream:
        policy: Policy = setup.policy or ("latest" if setup.source.live else "all")
        latest, count = policy == "latest", len(workers.threads)
        # "latest" holds one waiting frame and as many in flight as there are workers, so that no result waits and ages. "all" lets one
        # frame more wait than there are workers, and twice as many be in flight, so that neither workers nor reader run dry.
        queue: CameraQueue = CameraQueue(
            self._scheduler,
            workers.pool,
            1 if latest else count + 1,
            count if latest else 2 * count,
            newest_wins=latest,
        )
        return CameraStream(setup, queue, policy=policy, workers=count, max_frames=self._max_frames, controls=self.controls)

    def _predictor_workers(self, predictor: PredictorLike, workers: int | None) -> _PredictorWorkers:
        """The workers of this predictor; new ones where there are none, or they failed."""
        known = self._workers_of.get(id(predictor))
        if known is not None and not known.pool.closed:
            return known
        number = sum(len(others.threads) for others in self._workers_of.values())
        made = _PredictorWorkers(predictor, WorkerPool(self._scheduler), workers or self._workers, number)
        self._workers_of[id(predictor)] = made
        return made

    def _start(self, threads: Sequence[threading.Thread]) -> None:
        for thread in threads:
            self._threads.append(thread)
            thread.start()


class _PredictorWorkers:
    """The threads that infer with one predictor."""

    def __init__(
        self, predictor: PredictorLike, pool: WorkerPool[CapturedFrame, InferredFrame], workers: int, first_number: int
    ) -> None:
        self.predictor, self.pool = predictor, pool
        self.threads = [
            threading.Thread(target=self._work, name=f"edgecnn-infer-{first_number + n}", daemon=True) for n in range(workers)
        ]

    def unstarted(self) -> list[threading.Thread]:
        """Threads that were not started yet."""
        return [thread for thread in self.threads if thread.ident is None]

    def _work(self) -> None:
        try:
            infer = self.predictor.worker()
            while True:
                queue, number, captured = poll_until_done(self.pool.take)
                inferred = _infer(infer, captured)
                queue.put_result(number, inferred, last=inferred.error is not None and not captured.is_live)
        except Closed:
            pass
        except BaseException as problem:
            self._fail(problem)

    def _fail(self, problem: BaseException) -> None:
        """Without a worker there are no results: all cameras of this model end with the error."""
        for queue in tuple(self.pool.queues):
            queue.cancel(problem)
        self.pool.close()


def _infer(infer: InferFunction, captured: CapturedFrame) -> InferredFrame:
    stage_ms = {"capture": captured.ms}
    try:
        image = captured.frame.image
        prediction, times = infer(image) if captured.strategy is None else captured.strategy(infer, image)
        return InferredFrame(captured.frame, stage_ms | times, prediction)
    except BaseException as problem:  # raised in the caller's thread, with the results before it
        return InferredFrame(captured.frame, stage_ms, None, problem)
