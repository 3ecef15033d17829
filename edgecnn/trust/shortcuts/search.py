"""Searches a model file for shortcuts: changes each image, asks the model again, and compares its attribution with the boxes."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import measured_digest
from edgecnn.data import Dataset
from edgecnn.data.overlap import Overlap
from edgecnn.data.recognition import report_lines
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import artifact
from edgecnn.trust.attribution.evidence import MapEvidence
from edgecnn.trust.attribution.many import ManyImages
from edgecnn.trust.attribution.methods import Explain, explainers
from edgecnn.trust.shortcuts.answers import Answer, Answers
from edgecnn.trust.shortcuts.changes import CENTRE_MASKED, CHANGES, Donors, ImageChange
from edgecnn.trust.shortcuts.config import ShortcutsConfig
from edgecnn.trust.shortcuts.effect import ChangeTrial, effect_of, summary_of
from edgecnn.trust.shortcuts.estimate import bootstrap
from edgecnn.trust.shortcuts.maps import object_maps
from edgecnn.trust.shortcuts.report import ChangedImage, ShortcutExample, ShortcutsReport
from edgecnn.trust.shortcuts.subject import Subject, check_task, subjects
from edgecnn.types import Array, Float32

DONORS, DONORS_OF_CLASS = 48, 8  # images in memory whose backgrounds others get
EXPLAINED_SCORE = 0.05  # a detection that is partly covered is followed down to this score


def find_shortcuts(
    config: ShortcutsConfig, *, report: Progress = no_progress, progress: Callable[[int, int], None] | None = None
) -> ShortcutsReport:
    """Search one model file for shortcuts.

    ``report`` gets lines about the dataset, ``progress`` (done, total) after each image. Raises what loading the file and opening the
    dataset raise, and ``InputError`` where they do not fit together or no image says anything.
    """
    require_signature(artifact(config.file), config.require_signature)
    file_format(config.file)
    options = config.options
    if options.score_threshold is None:
        options = dataclasses.replace(options, score_threshold=EXPLAINED_SCORE)
    with Predictor(config.file, config.device, threads=config.threads, options=options, engine=config.engine) as predictor:
        explain = explainers(predictor, config.methods, config.seed, config.masks) if config.explained else {}
        opened = config.data.open(task=predictor.card.task)
        for line in report_lines(opened):
            report(line)
        check_task(opened, predictor.card)
        dataset, classes = config.data.match_classes(opened, predictor.card)
        answers = Answers(ManyImages(predictor), classes, dataset.labels, predictor.card.labels)
        search = _Search(config, dataset, predictor, answers, explain, list(classes.notes))
        return search.run(progress)


@dataclass(slots=True)
class _Search:
    config: ShortcutsConfig
    dataset: Dataset
    predictor: Predictor
    answers: Answers
    explain: dict[str, Explain]
    notes: list[str]
    trials: dict[str, list[ChangeTrial]] = field(default_factory=lambda: defaultdict(list))
    evidence: dict[str, list[MapEvidence]] = field(default_factory=lambda: defaultdict(list))
    right: list[tuple[int, int]] = field(default_factory=list)
    examples: list[ShortcutExample] = field(default_factory=list)
    silent: int = 0  # maps without any positive value

    def run(self, progress: Callable[[int, int], None] | None) -> ShortcutsReport:
        overlap = self.config.data.watch(self._chosen(), {self.predictor.path.name: self.predictor.card})
        chosen = overlap.dataset
        skipped: list[str] = []
        donors = self._donors(chosen)
        changes = _fitting(chosen)
        random = np.random.default_rng((self.config.seed, 1))
        for done, subject in enumerate(subjects(chosen, self.predictor.card, skipped), 1):
            self._subject(subject, changes, donors, random)
            if progress is not None:
                progress(done + len(skipped), len(chosen))
        if not self.right:
            raise InputError(
                f"none of {len(chosen)} images of {self.dataset.name} can be used: a classifier needs a class, or boxes of one class",
                "name another dataset",
            )
        self._note(skipped, changes)
        return self._report(changes, overlap.finish())

    def _chosen(self) -> Dataset:
        """Some of the images, at random, in the order of the dataset."""
        count = min(self.config.count, len(self.dataset))
        picked = np.random.default_rng(self.config.seed).permutation(len(self.dataset))[:count]
        return self.dataset.pick(picked.tolist())

    def _donors(self, dataset: Dataset) -> Donors:
        """A few images of each class; reading ends when there are enough."""
        donors, count = Donors(), 0
        for subject in subjects(dataset, self.predictor.card, []):
            if len(donors.images.get(min(subject.sample.classes, default=-1), ())) < DONORS_OF_CLASS:
                donors.add(subject)
                count += 1
            if count >= DONORS:
                break
        return donors

    def _subject(self, subject: Subject, changes: Sequence[ImageChange], donors: Donors, random: np.random.Generator) -> None:
        pairs = [(change, changed) for change in changes if (changed := change.apply(subject, donors, random)) is not None]
        first, *others = self.answers([subject, *(changed for _, changed in pairs)])
        self.right.append((int(first.judgement.right.sum()), len(first.judgement)))
        for (change, _), answer in zip(pairs, others, strict=True):
            trial = Answers.trial(change, first.judgement, answer.judgement)
            if trial is not None:
                self.trials[change.name].append(trial)
        heat = self._explained(subject, first) if len(self.right) <= self.config.explained else {}
        if len(self.examples) < self.config.examples:
            variants = tuple(_variant(*pair, answer) for pair, answer in zip(pairs, others, strict=True))
            truth = self.answers.truth(subject)
            name = subject.sample.name
            self.examples.append(ShortcutExample(name, truth, subject.image, subject.boxes, first.words, heat, variants))

    def _explained(self, subject: Subject, answer: Answer) -> dict[str, Float32]:
        maps = object_maps(subject, self.answers.target(answer), self.explain)
        for name, found in maps.evidence.items():
            self.evidence[name].append(found)
        self.silent += maps.silent
        return maps.heat

    def _note(self, skipped: list[str], changes: Sequence[ImageChange]) -> None:
        if skipped:
            self.notes.append(
                f"{len(skipped)} images were left out: unreadable, without a class, or with boxes of several classes"
            )
        if not any(change.needs_boxes for change in changes):
            self.notes.append(
                "the dataset has no boxes: only corners, borders and centre were changed, and evidence has no place to be"
            )
        if self.silent:
            self.notes.append(f"{self.silent} attribution maps had no positive value and were left out")

    def _report(self, changes: Sequence[ImageChange], overlap: Overlap) -> ShortcutsReport:
        right, instances = np.array(self.right, np.int64).T
        seed, card = self.config.seed, self.predictor.card

        def accuracy(index: Array) -> float:
            return float(right[index].sum() / instances[index].sum()) if instances[index].sum() else float("nan")

        return ShortcutsReport(
            file=self.predictor.path,
            format=file_format(self.predictor.path),
            precision=card.precision,
            task=card.task,
            dataset=str(self.config.data),
            split=self.dataset.split,
            seed=seed,
            images=len(self.right),
            accuracy=bootstrap(accuracy, len(right), seed),
            effects=tuple(effect_of(one, self.trials[one.name], seed) for one in changes if self.trials[one.name]),
            evidence=tuple(one for name, found in self.evidence.items() if (one := summary_of(name, found, seed)) is not None),
            notes=(*self.notes, *overlap.notes),
            examples=tuple(self.examples),
            digest=measured_digest(self.predictor.path, card),
            overlap=overlap,
        )


def _fitting(dataset: Dataset) -> list[ImageChange]:
    """The changes that fit a dataset: those of boxes where it has boxes, else those without."""
    has_boxes = any(sample.boxes is not None and len(sample.boxes) for sample in dataset.samples)
    return [one for one in CHANGES if (one.name != CENTRE_MASKED if has_boxes else not one.needs_boxes)]


def _variant(change: ImageChange, subject: Subject, answer: Answer) -> ChangedImage:
    """``good`` where the object is kept and right, or gone and not found; of a class without its object nothing is expected."""
    right = bool(answer.judgement.right.any())
    whole = np.isnan(answer.judgement.xyxy).any()
    good = right if change.truth == "kept" else None if whole else not right
    boxes = subject.boxes if change.truth == "kept" else np.empty((0, 4), np.float32)
    return ChangedImage(change.title, subject.image, boxes, answer.words, good)
