"""The live pipeline of one camera: a ``Station`` that has just this one, with its numbers at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgecnn.runtime.pipeline.camera import Camera, CameraPlan, Policy, Predicts, Worker
from edgecnn.runtime.pipeline.ledger import Ledger
from edgecnn.runtime.pipeline.multi_camera import Station
from edgecnn.runtime.pipeline.statistics import Durations, Stats
from edgecnn.runtime.sources.base import Source
from edgecnn.types import Result

__all__ = ["Pipeline", "Policy", "Predicts", "Worker"]


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
        self.source, self.predictor, self.workers = source, predictor, workers
        self.station = Station([CameraPlan("", source, predictor, policy)], workers=workers, max_frames=max_frames)
        self.camera: Camera = self.station.cameras[""]

    def __enter__(self) -> Pipeline:
        self.station.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.station.__exit__(*exc)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.station)

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread and from a signal handler, because it takes no lock."""
        self.station.stop()

    def stats(self) -> Stats:
        """What was measured so far."""
        return self.camera.stats()

    @property
    def policy(self) -> Policy:
        """What happens to frames that come faster than results."""
        return self.camera.policy

    @property
    def ledger(self) -> Ledger:
        """Where every frame went."""
        return self.camera.ledger

    @property
    def age_ms(self) -> Durations:
        """How old results were when they were handed over."""
        return self.camera.age_ms

    @property
    def stuck(self) -> list[str]:
        """Threads that did not end."""
        return self.station.stuck
