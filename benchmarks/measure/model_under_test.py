"""Measurements of one loaded file: clocks, throughput, accuracy. Runs in the child process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import whole_curve
from edgecnn.benchmarks.measure.frame_age import FrameAgeRound, live_round
from edgecnn.benchmarks.measure.inputs import MAX_INPUT_BYTES, load_stored
from edgecnn.benchmarks.measure.load import LoadSamples, Step, closed_loop, multi_stream, offline, paced
from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.timing import WarmUp, measure_round, measure_with_processor, warm_up
from edgecnn.card import Decode, ModelCard
from edgecnn.data.overlap import OverlapWatch
from edgecnn.metrics import Score
from edgecnn.preprocess import preparer
from edgecnn.runtime.backends.io_binding import bind_device
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor, PredictorWorker
from edgecnn.runtime.model.stored_precision import stored_precision
from edgecnn.runtime.profile import profile_file
from edgecnn.runtime.profile.operators import OperatorProfile
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Array, Image, Prediction

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.tools.report import ToolReport


@dataclass(slots=True)
class RoundSamples:
    """Raw samples of one round in milliseconds; the stages of each sample for the task clock and on a GPU, the ledger for the age clock."""

    samples_ms: list[float]
    stages_ms: dict[str, list[float]] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)


class ModelUnderTest:
    """One loaded file and its inputs; each public method serves one request of the parent."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.images: list[Image] = []
        self.feeds: list[dict[str, Array]] = []
        self._cycle = cycle(self.feeds)
        self._turn = 0

    def use(self, folder: str) -> int:
        """Load the stored images and preprocess the feeds of the model clock; returns the number of feeds."""
        self.images = load_stored(Path(folder))
        prepare = preparer(self.predictor.card.preprocess, self.predictor.backend.inputs)
        self.feeds = []
        for image in self.images:
            # the preprocessor reuses its output buffer
            feed = {name: array.copy() for name, array in prepare(image)[0].items()}
            self.feeds.append(feed)
            if len(self.feeds) * sum(array.nbytes for array in feed.values()) > MAX_INPUT_BYTES:
                break
        self._cycle = cycle(self.feeds)
        return len(self.feeds)

    def warm_up(self, clock: Clock, protocol: Protocol) -> WarmUp:
        """Warm up one clock; the pipeline of the age clock warms itself at the start of each round."""
        if clock == "age":
            return WarmUp(0, 0.0, True)
        return warm_up(self._step(clock, {}), protocol)

    def measure(self, clock: Clock, protocol: Protocol) -> RoundSamples:
        """One round of one clock."""
        runs, seconds = protocol.runs_per_round, protocol.seconds_per_round
        if clock == "age":
            live: FrameAgeRound = live_round(self.predictor, self.images, protocol.camera_fps, runs)
            return RoundSamples(live.ages_ms, live.stages_ms, live.ledger)
        stages: dict[str, list[float]] = {}
        samples = measure_round(self._step(clock, stages), runs, seconds)
        return RoundSamples(samples, {name: values[-len(samples) :] for name, values in stages.items()})

    def measure_with_processor(self, clock: Clock, protocol: Protocol) -> tuple[list[float], list[float]]:
        """One round of the model or task clock: milliseconds of each call, and of processor time."""
        return measure_with_processor(self._step(clock, {}), protocol.runs_per_round, protocol.seconds_per_round)

    def throughput(self, clock: Clock, seconds: float) -> float:
        """Frames per second with as many threads as the backend supports, for ``seconds`` seconds and at least one frame per thread."""
        done = self.offline(clock, seconds)
        return done.inferences / done.seconds

    def offline(self, clock: Clock, seconds: float) -> LoadSamples:
        """As many frames as possible for ``seconds`` seconds."""
        done = offline(self._steps(clock), seconds)
        images = _images(self.predictor.card) if clock == "model" else 1  # in one run of the file
        return LoadSamples([], done.inferences * images, done.seconds)

    def closed_loop(self, clock: Clock, seconds: float) -> LoadSamples:
        """One frame after the other."""
        return closed_loop(self._step(clock, {}), seconds)

    def multi_stream(self, clock: Clock, streams: int, queries: int, seconds: float) -> LoadSamples:
        """Queries of one frame from each stream."""
        return multi_stream(self._steps(clock), streams, queries, seconds)

    def paced(self, clock: Clock, interval_s: float, frames: int) -> LoadSamples:
        """Frames at a fixed rate."""
        return paced(self._steps(clock), interval_s, frames)

    def profile(self, engine: str | None) -> OperatorProfile:
        """Time by operator."""
        own = self.predictor
        return profile_file(own.path, own.device, engine, own.threads, self.feeds[0])

    def as_tool(self, tool: str, variant: str, scale: float, engine: str | None) -> ToolReport:
        """The measurement by another tool's definition."""
        from edgecnn.benchmarks.measure.tools.engine import LoadedFile
        from edgecnn.benchmarks.measure.tools.registry import TOOLS

        return TOOLS[tool][variant].measure(LoadedFile(self.predictor, self.feeds, self.images, engine, scale))

    def _steps(self, clock: Clock) -> list[Step]:
        """A step for each thread that may call the backend: workers and their input buffers are not thread-safe."""
        return [self._step(clock, {}) for _ in range(self.predictor.backend.concurrency)]

    def precision(self) -> str:
        """The precision of the file: that of its card, else what its graph stores."""
        known = self.predictor.card.precision
        return stored_precision(self.predictor.backend, self.predictor.path) if known == "unknown" else known

    def predictions(self) -> list[Prediction]:
        """The predictions for the stored images, in their order."""
        worker = self.predictor.worker()
        return [worker(image)[0] for image in self.images]

    def warnings(self) -> tuple[str, ...]:
        """Why the results of the file can't be right."""
        return self.predictor.warnings(probe=True)

    def accuracy(self, data: DatasetSelection, options: CardOptions) -> Score | None:
        """Accuracy of the file that was timed; None on a dataset without labels. Thresholds are those of ``whole_curve``."""
        card = self.predictor.card
        dataset = data.open(task=card.task)
        if not dataset.labels:
            return None
        dataset, classes = data.match_classes(dataset, card)
        if find(card.task).has_threshold:
            chosen = whole_curve(options)
            limits = {"score_threshold": chosen.score_threshold, "max_detections": chosen.max_detections}
            card = card.replace(decode=Decode(card.decode.name, {**card.decode.options, **limits}))
        worker = PredictorWorker(self.predictor.backend, card)
        # a benchmark measures time: images of the training are told, not refused
        watch = OverlapWatch({self.predictor.path.name: card}, dataset, allowed=True)
        score = evaluate(lambda image: worker(image)[0], watch.dataset, classes=classes, strict=data.strict)
        return dataclasses.replace(score, notes=(*score.notes, *watch.finish().notes))

    def _step(self, clock: Clock, stages: dict[str, list[float]]) -> Step:
        """The call that one sample of ``clock`` times; stage times, where it has any, are added to ``stages``."""
        if clock == "model":
            return self._model_step(stages)
        worker = self.predictor.worker()

        def task() -> None:
            _, spent = worker(self.images[self._next(len(self.images))])
            _add(stages, spent)

        return task

    def _model_step(self, stages: dict[str, list[float]]) -> Step:
        """One run from and to arrays in the host's memory; on a GPU with its transfers and computation as stages."""
        # the cycle goes on from round to round; it is as little as can be, because its time counts as the model's
        run, feeds = self.predictor.backend.run, self._cycle
        on_device = bind_device(self.predictor.backend, {name: array.shape for name, array in self.feeds[0].items()})

        def model() -> None:
            run(next(feeds))

        def model_on_device() -> None:
            assert on_device is not None
            on_device.run(next(feeds))
            _add(stages, on_device.spent_ms)

        return model if on_device is None else model_on_device

    def _next(self, count: int) -> int:
        # not synchronised between threads: it does not matter if two of them take the same image
        self._turn += 1
        return self._turn % count


def _add(stages: dict[str, list[float]], spent: Mapping[str, float]) -> None:
    for name, value in spent.items():
        stages.setdefault(name, []).append(value)


def _images(card: ModelCard) -> int:
    """The images in one input of a file."""
    return 1 if card.preprocess.tensors else max(card.inputs[0].shape[0], 1)
