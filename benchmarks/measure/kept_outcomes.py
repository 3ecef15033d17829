"""What a model says of a dataset, kept on disk part by part, so that an evaluation that was ended goes on from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel
from edgecnn.errors import InputError
from edgecnn.kept_parts import KeptParts, model_digest, part_name, tree_digest
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.packed_values import pack_values, unpack_values
from edgecnn.shipped import artifact
from edgecnn.tasks.evaluate import Outcome, outcomes

IMAGES: Final = 128  # of a part
FIX: Final = "name another folder with --parts"


class KeptOutcomes:
    """Outcomes of a model; those of finished parts are read, the others predicted and kept.

    A part belongs to the content of the model file, the options, the state of the dataset's files and the names of its images.
    """

    def __init__(self, config: EvaluationConfig, model: OpenedModel, folder: Path) -> None:
        self.not_finite = 0
        self._model, self._kept = model, KeptParts(folder, FIX)
        place = Path(config.data.uri.partition("?")[0])
        stamp = tree_digest(place if place.is_dir() else place.parent) if place.exists() else ""
        self._work: list[Any] = [model_digest(artifact(config.file)), stamp, dataclasses.asdict(config)]
        self._names: list[str] = []

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]:
        samples, monitor = self._model.dataset.samples, self._model.predictor.monitor
        for first in range(0, len(samples), IMAGES):
            part = [samples[index] for index in range(first, min(first + IMAGES, len(samples)))]
            name = part_name([self._work, first, [sample.name for sample in part]])
            self._names.append(name)
            content = self._kept.find(name)
            if content is not None:
                not_finite, *said = unpack_values(content)
                self.not_finite += not_finite
                yield from zip(part, said, strict=True)
                continue
            before, said = monitor.not_finite, []
            for sample, outcome in outcomes(self._model.predictor, part):
                said.append(InputError(outcome.problem, outcome.fix) if isinstance(outcome, InputError) else outcome)
                yield sample, outcome
            self._kept.put(name, pack_values([monitor.not_finite - before, *said]))

    def done(self) -> None:
        """Remove the parts: the evaluation is complete."""
        self._kept.remove(self._names)
