"""The age clock: the live pipeline on a simulated camera that plays stored frames at a fixed rate."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.sources.base import Pacer, Source
from edgecnn.types import Frame, Image

SETTLE_FRAMES = 5  # the first frames run with cold caches


class PacedImageSource(Source):
    """A live source that repeats ``images`` at ``fps`` frames per second until it is closed.

    The frames are in memory, so that rendering or decoding uses no processor time during the measurement.
    """

    def __init__(self, images: Sequence[Image], fps: float) -> None:
        super().__init__("stored frames", live=True, fps=fps)
        self._images, self._rate = images, fps

    def _frames(self) -> Generator[Frame, None, None]:
        """Frames until the source is closed; an overdue frame is skipped, as by a camera, not sent late."""
        pacer = Pacer(self._rate, self._closed)
        tick = 0
        while not self._closed.is_set():
            tick = pacer.wait(tick)
            yield Frame(tick, perf_counter(), self._images[tick % len(self._images)])
            tick += 1


@dataclass(slots=True)
class FrameAgeRound:
    """Frame ages in milliseconds, stage times of the same frames, and the ledger of all frames."""

    ages_ms: list[float] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)


def live_round(predictor: Predictor, images: Sequence[Image], fps: float, frames: int) -> FrameAgeRound:
    """Run the pipeline until ``frames`` results have come after the first five."""
    done = FrameAgeRound()
    with Pipeline(PacedImageSource(images, fps), predictor, policy="latest", workers=1) as pipeline:
        for count, result in enumerate(pipeline):
            if count < SETTLE_FRAMES:
                continue
            done.ages_ms.append(result.age_ms)
            for name, value in result.stage_ms.items():
                done.stages_ms.setdefault(name, []).append(value)
            if len(done.ages_ms) >= frames:
                break
    # read after the pipeline has ended: only then every captured frame is processed, dropped or failed
    counts = pipeline.ledger.counts()
    done.ledger = {name: getattr(counts, name) for name in ("captured", "processed", "dropped", "failed")}
    return done
