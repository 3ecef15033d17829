"""`edgecnn evaluate --ray`: workers predict ranges of the images; what they say is counted here, in the order of the dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, Outcomes, whole_curve
from edgecnn.cluster.connection import ClusterOptions, connected, load_ray
from edgecnn.cluster.paths import absolute, absolute_file, absolute_options
from edgecnn.cluster.pool import NodeWorkers
from edgecnn.cluster.versions import Node, this_node
from edgecnn.data import Dataset
from edgecnn.errors import ArtifactError, InputError
from edgecnn.kept_parts import KeptParts, model_digest, part_name, tree_digest
from edgecnn.packed_values import pack_values, unpack_values
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import artifact
from edgecnn.tasks.evaluate import Outcome, outcomes
from edgecnn.trust.accuracy.measure import DetailedEvaluation, evaluate_in_detail

IMAGES: Final = 32  # of a part
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Range:
    """Images ``first`` to ``end`` of the dataset, and the names that they have where the evaluation was started."""

    first: int
    end: int
    names: tuple[str, ...]


class EvaluationWorker:
    """Predicts images of the dataset of ``config`` with its model, whose SHA-256 is ``digest``."""

    def __init__(self, config: EvaluationConfig, digest: str) -> None:
        self._config, self._digest = config, digest
        self._opened: tuple[Predictor, Dataset] | None = None

    def hello(self) -> tuple[Node, None]:
        """Load the model and open the dataset. Raises what these raise, and ``ArtifactError`` for another model file."""
        node, file = this_node(), artifact(self._config.file)
        if not file.is_file() or model_digest(file) != self._digest:
            problem = f"has another {file.name}" if file.is_file() else f"has no {file}"
            raise ArtifactError(f"node {node.host} {problem}", "put the same file at the same path on all nodes")
        self._open()
        return node, None

    def work(self, task: Range, place: int) -> tuple[int, bytes]:
        """What the model says of the images, and how many outputs were not finite. Raises ``InputError`` for other images."""
        predictor, dataset = self._open()
        before = predictor.monitor.not_finite
        samples = [dataset.samples[index] for index in range(task.first, min(task.end, len(dataset)))]
        if tuple(sample.name for sample in samples) != task.names:
            raise InputError(
                f"the dataset of node {this_node().host} has other images", "put the same dataset at the same path on all nodes"
            )
        found = [
            InputError(outcome.problem, outcome.fix) if isinstance(outcome, InputError) else outcome
            for _, outcome in outcomes(predictor, samples)
        ]
        return place, pack_values([predictor.monitor.not_finite - before, *found])

    def _open(self) -> tuple[Predictor, Dataset]:
        if self._opened is None:
            config = self._config
            predictor = Predictor(
                config.file, config.device, threads=config.threads, options=whole_curve(config.options), engine=config.engine
            )
            dataset, _ = config.data.match_classes(config.data.open(task=predictor.card.task), predictor.card)
            self._opened = predictor, dataset
        return self._opened


class _ClusterOutcomes:
    """Predictions from the workers of ``pool``, kept until all are there."""

    def __init__(self, dataset: Dataset, pool: NodeWorkers[None, Range], kept: KeptParts, work: Any, progress: Told) -> None:
        self.not_finite = 0
        self._samples, self._pool, self._kept, self._progress = dataset.samples, pool, kept, progress
        names = [sample.name for sample in dataset.samples]
        starts = range(0, len(names), IMAGES)
        self._parts = [Range(first, first + IMAGES, tuple(names[first : first + IMAGES])) for first in starts]
        self.names = [part_name([work, dataclasses.asdict(part)]) for part in self._parts]

    def __iter__(self) -> Iterator[tuple[Any, Outcome]]:
        keys = dict(zip(self._parts, self.names, strict=True))
        missing = [part for part in self._parts if not self._kept.has(keys[part])]
        done = len(self._parts) - len(missing)
        arriving = self._pool.outcomes(missing, lambda: False)
        for part in self._parts:
            while (content := self._kept.find(keys[part])) is None:
                other, found = next(arriving)
                self._kept.put(keys[other], found)
                done += 1
                self._progress(f"part {done} of {len(self._parts)} done")
            not_finite, *said = unpack_values(content)
            self.not_finite += not_finite
            yield from zip(self._samples[part.first : part.end], said, strict=True)


def evaluate_on_cluster(
    config: EvaluationConfig,
    options: ClusterOptions,
    *,
    seed: int = 0,
    report: Told = lambda _: None,
    progress: Told = lambda _: None,
) -> DetailedEvaluation:
    """Measure the accuracy as ``evaluate_in_detail`` does, with the same result, on the workers of a cluster.

    Model and dataset have to be at the same paths on all nodes. Raises what ``evaluate_in_detail`` raises, and ``InputError`` for a cluster
    that can't be used.
    """
    load_ray()
    config = dataclasses.replace(config, threads=config.threads or 1)
    digest = model_digest(artifact(config.file))
    place = Path(config.data.uri.partition("?")[0])
    stamp = tree_digest(place if place.is_dir() else place.parent) if place.exists() else ""
    theirs = dataclasses.replace(
        config,
        file=absolute_file(config.file),
        data=dataclasses.replace(config.data, uri=absolute(config.data.uri)),
        options=absolute_options(config.options),
    )
    work = [digest, stamp, dataclasses.asdict(theirs), dict(this_node().versions)]
    kept = KeptParts(options.parts)
    names: list[str] = []

    def predicted(dataset: Dataset) -> Outcomes:
        found = _ClusterOutcomes(dataset, pool, kept, work, progress)
        names.extend(found.names)
        return found

    progress("starting workers")
    with connected(options.address) as ray:
        pool: NodeWorkers[None, Range] = NodeWorkers(
            ray, EvaluationWorker, (theirs, digest), count=options.workers, cpus=config.threads or 1, told=report
        )
        evaluation = evaluate_in_detail(config, report=report, predicted=predicted, seed=seed)
    kept.remove(names)
    return evaluation
