"""The pipeline of one camera: a ``MultiCamera`` with this camera, and its statistics as attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgecnn.runtime.pipeline.camera_stream import CameraSetup, CameraStream, InferFunction, Policy, PredictorLike
from edgecnn.runtime.pipeline.ledger import Ledger
from edgecnn.runtime.pipeline.multi_camera import MultiCamera
from edgecnn.runtime.pipeline.statistics import DurationHistogram, Stats
from edgecnn.runtime.sources.base import Source
from edgecnn.types import Result

__all__ = ["InferFunction", "Pipeline", "Policy", "PredictorLike"]


class Pipeline:
    """Runs ``predictor`` on the frames of ``source`` in threads; iterate it inside a ``with`` for Results in frame order.

    ``policy`` "latest" drops old frames for the newest one and counts each drop, "all" makes the source wait and drops nothing; None
    means latest for a live source. ``workers`` is the number of frames inferred at once. ``max_frames`` ends the iteration after that
    many results, and with "all" captures no more than that. An error in a thread is raised to the caller after the results before it.
    Leaving the ``with`` stops all threads within 2 seconds; one that is blocked in a device or engine by then is left to end with the
    process and is named in ``stuck``.
    """

    def __init__(
        self,
        source: Source,
        predictor: PredictorLike,
        *,
        policy: Policy | None = None,
        workers: int = 1,
        max_frames: int | None = None,
    ) -> None:
        self.source, self.predictor, self.workers = source, predictor, workers
        self.multi_camera = MultiCamera([CameraSetup("", source, predictor, policy)], workers=workers, max_frames=max_frames)
        self.camera: CameraStream = self.multi_camera.cameras[""]

    def __enter__(self) -> Pipeline:
        self.multi_camera.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.multi_camera.__exit__(*exc)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.multi_camera)

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread and from a signal handler, because it takes no lock."""
        self.multi_camera.stop()

    def stats(self) -> Stats:
        """What was measured so far."""
        return self.camera.stats()

    @property
    def policy(self) -> Policy:
        """Whether frames that arrive faster than they are processed are dropped ("latest") or wait ("all")."""
        return self.camera.policy

    @property
    def ledger(self) -> Ledger:
        """What became of each frame."""
        return self.camera.ledger

    @property
    def age_ms(self) -> DurationHistogram:
        """Ages of the results when they were handed over, in milliseconds."""
        return self.camera.age_ms

    @property
    def stuck(self) -> list[str]:
        """Names of threads that did not end in time."""
        return self.multi_camera.stuck
