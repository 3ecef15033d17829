"""`edgecnn check`: measures what a policy limits, the cheap parts first, and gives the verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter
from typing import Any

import edgecnn
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel, opened_model
from edgecnn.benchmarks.measure.progress import Progress, no_progress, time_left
from edgecnn.devices import probe
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.remote.benchmark import RemotePlace
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import artifact
from edgecnn.trust.gate.data_part import check_data_budgets, measure_data
from edgecnn.trust.gate.device_part import benchmark_document, device_verdicts, size_verdicts
from edgecnn.trust.gate.image_parts import check_image_budgets, measure_attack, measure_change, measure_evidence
from edgecnn.trust.gate.pictures import wrong_pictures
from edgecnn.trust.gate.policy import Policy
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.verdict import BudgetVerdict
from edgecnn.trust.invariance.dataset import kept_in_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfig:
    """A model file and the policy that it has to keep to.

    ``reference`` takes the place of that of the policy; ``place`` is the board where latency and memory are measured. ``pictures``:
    images that are wrong are kept for a page. ``allow_overlap``: images that the model was trained or calibrated on are measured, too.
    The others as in ``EvaluationConfig``.
    """

    file: Path
    policy: Policy
    reference: Path | None = None
    place: RemotePlace | None = None
    pictures: bool = False
    allow_overlap: bool = False
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None

    @property
    def evaluation(self) -> EvaluationConfig:
        """How the file is run on the dataset."""
        shared = ("device", "engine", "threads", "options", "require_signature")
        data = DatasetSelection(self.policy.data, self.policy.split, self.policy.limit, allow_overlap=self.allow_overlap)
        return EvaluationConfig(file=artifact(self.file), data=data, **{name: getattr(self, name) for name in shared})

    @property
    def float_reference(self) -> Path | None:
        """The file that nothing may be lost against; None where there is none, and where it is the checked file itself."""
        if self.policy.drop is None:
            return None
        named = self.reference or (Path(self.policy.drop.reference) if self.policy.drop.reference else None)
        if named is None:
            return None
        same = named.exists() and artifact(self.file).exists() and named.samefile(artifact(self.file))
        return None if same else named


def check_file(config: CheckConfig, *, report: Progress = no_progress, progress: Progress = no_progress) -> CheckReport:
    """Check one model file against a policy.

    ``report`` gets lines about the file and the dataset, ``progress`` short texts. Raises ``InputError`` for budgets that do not fit the
    model or the dataset, where possible before the long parts, ``OverlapError`` for images that the model was trained or calibrated on, and
    what loading the file and opening the dataset raise.
    """
    policy, own = config.policy, config.evaluation
    if policy.drop is not None and not policy.drop.reference and config.reference is None:
        raise InputError("[drop] names no reference", 'add reference = "FILE", the float file of the same model')
    require_signature(own.file, own.require_signature)
    kind = file_format(own.file)
    run = _Run(config, progress)
    if policy.needs_data:
        with opened_model(own, report) as opened:
            model = dataclasses.replace(opened, dataset=kept_in_memory(opened.dataset))
            check_data_budgets(policy, model)
            check_image_budgets(model, policy)
            run.device(report)
            run.images(model)
            model.overlap.compare()  # where no budget has read the images
            run.notes += model.overlap.finish().notes
            found: dict[str, Any] = {
                "dataset": str(own.data),
                "split": model.opened.split,
                "images": len(model.dataset),
                "samples": model.dataset,
            }
            precision = model.card.precision
    else:
        with Predictor(own.file, own.device, threads=own.threads, options=own.options, engine=own.engine) as predictor:
            precision = predictor.card.precision
        run.device(report)
        found = {}
    return CheckReport(
        file=own.file,
        format=kind,
        precision=precision,
        policy=policy,
        verdicts=tuple(run.verdicts),
        seconds=run.seconds,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        version=edgecnn.__version__,
        device=probe().name,
        notes=tuple(dict.fromkeys(run.notes)),
        **found,
        **run.found,
    )


class _Run:
    """Measures part after part; ``found`` has the measurements by the names of ``CheckReport``."""

    def __init__(self, config: CheckConfig, progress: Progress) -> None:
        self._config, self._policy, self._progress = config, config.policy, progress
        self.verdicts: list[BudgetVerdict] = []
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []
        self.found: dict[str, Any] = {}

    @contextmanager
    def _part(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Counts the seconds of a part, and shows its progress."""
        start = perf_counter()
        yield time_left(self._progress, f"{name}: image")
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start

    def device(self, report: Progress) -> None:
        """Size, then latency and memory: first, so that the machine has nothing else to do."""
        own = self._config.evaluation
        self.verdicts += size_verdicts(own, self._policy)
        if self._policy.latency is None and self._policy.memory is None:
            return

        def show(text: str) -> None:
            self._progress(f"latency: {text}")

        with self._part("latency"):
            document = benchmark_document(own, self._policy, self._config.place, show, report)
        assert document is not None
        self.verdicts += device_verdicts(self._policy, document)
        self.found["benchmark"] = document

    def images(self, model: OpenedModel) -> None:
        """One run over the dataset, then changed images, attacks and maps of evidence."""
        policy, seed = self._policy, self._policy.seed
        if policy.shares_the_run:
            self._data(model)
        changes, attacks = [], []
        for change in policy.robustness:
            with self._part("robustness") as steps:
                measured = measure_change(model, change, seed, steps)
            self.verdicts += measured.verdicts
            changes.append(measured.found)
        for attack in policy.attack:
            with self._part("attack") as steps:
                measured = measure_attack(model, attack, seed, steps)
            self.verdicts += measured.verdicts
            attacks.append(measured.found)
        if policy.evidence is not None:
            with self._part("evidence") as steps:
                measured = measure_evidence(model, policy.evidence, seed, steps)
            self.verdicts += measured.verdicts
            self.found["evidence"] = measured.found
        self.found |= {"changes": tuple(changes), "attacks": tuple(attacks)}

    def _data(self, model: OpenedModel) -> None:
        config = self._config
        with self._part("accuracy") as steps:
            data = measure_data(config.evaluation, model, self._policy, config.float_reference, steps)
        self.verdicts += data.verdicts(self._policy)
        if self._policy.drop is not None and data.drop is None:
            self.notes.append("[drop]: this file is the reference itself, so there is nothing to lose")
        self.notes += data.accuracy.evaluation.score.notes
        self.found["data"] = data
        if config.pictures:
            with self._part("pictures"):
                self.found["pictures"] = wrong_pictures(model.dataset, data.worst, model.card)
