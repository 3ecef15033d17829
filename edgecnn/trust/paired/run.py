"""Runs two files on the same images and compares them: each image is read once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgecnn.benchmarks.measure.evaluation import whole_curve
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import display_names, measured_digest
from edgecnn.counts import counted
from edgecnn.data.recognition import report_lines
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.labels import normalize
from edgecnn.metrics.classmap import ClassMap, shown
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shown_scores import ShownScores, shown_scores
from edgecnn.tasks import find
from edgecnn.trust.collapse.causes import ImageComparison, find_causes
from edgecnn.trust.collapse.watch import MOST_IMAGES, OutputWatch
from edgecnn.trust.groups.columns import column_values
from edgecnn.trust.groups.grouping import Grouping
from edgecnn.trust.judgement import JUDGED, Judgement, judge
from edgecnn.trust.paired.comparison import PairedEvaluation, PairedFile
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.group_changes import GroupChangeCollector
from edgecnn.trust.paired.image_pair import ImagePair, pair_predictions
from edgecnn.trust.paired.measure import MeanChange, PairedMeasure
from edgecnn.trust.paired.part_changes import class_changes
from edgecnn.trust.paired.score_drift import score_drift
from edgecnn.trust.significance import FEW, ratio_interval
from edgecnn.types import Classes, Detections, Image, Prediction


def evaluate_pair(
    config: PairConfig, *, report: Progress = no_progress, progress: Callable[[int, int], None] | None = None
) -> PairedEvaluation:
    """Compare two files of one model on a dataset, with its labels or, where it has none, with each other.

    ``report`` gets lines about the dataset and the files, ``progress`` (done, total) after each image.
    Raises what loading the files and opening the dataset raise, and ``InputError`` where the files or the dataset do not fit together.
    """
    columns = {} if config.group_by is None else column_values(config.group_by, config.data.uri)
    with ExitStack() as stack:
        before, after = (stack.enter_context(_open(config, file)) for file in (config.before, config.after))
        check_same_model(before, after)
        opened = config.data.open(task=before.card.task)
        for line in report_lines(opened):
            report(line)
        run = _PairRun(config, before, after, opened)
        if config.group_by is not None:
            run.grouped = GroupChangeCollector(Grouping(config.group_by, run.dataset, columns))
        run.images(progress)
        return run.result()


def _open(config: PairConfig, file: Path) -> Predictor:
    own = config.of(file)
    require_signature(own.file, own.require_signature)
    file_format(own.file)
    return Predictor(own.file, own.device, threads=own.threads, options=whole_curve(own.options), engine=own.engine)


def check_same_model(before: Predictor, after: Predictor) -> None:
    """Raise ``InputError`` where two files are not of one model: other tasks, or other classes."""
    first, second = before.card, after.card
    if first.task != second.task:
        raise InputError(
            f"{before.path.name} is {find(first.task).model}, but {after.path.name} is {find(second.task).model}",
            "name two files of one model",
        )
    if [normalize(name) for name in first.labels] != [normalize(name) for name in second.labels]:
        raise InputError(
            f"the two files have other classes: {before.path.name} has {shown(first.labels)}; {after.path.name} has {shown(second.labels)}",
            "name two files of one model, or give the names for both with --labels",
        )


@dataclass(slots=True)
class _LookedAt:
    """What the collapse looks at for the images that are watched."""

    classes: list[int] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)


class _PairRun:
    def __init__(self, config: PairConfig, before: Predictor, after: Predictor, opened: Dataset) -> None:
        self.config, self.before, self.after, self.opened = config, before, after, opened
        self.pairs: list[ImagePair] = []
        self.unreadable: list[str] = []
        self.notes: list[str] = []
        self.watch, self.watched = OutputWatch(after), _LookedAt()
        self.dataset: Dataset = opened
        self.classes: ClassMap | None = None
        self.shown = shown_scores(before.card), shown_scores(after.card)
        self.measure: PairedMeasure | None = None
        self.grouped: GroupChangeCollector | None = None
        if not opened.samples:
            raise InputError("the dataset holds no images", "name another dataset")
        if opened.labels or find(opened.task).truth == "read":
            self._with_truth()
        else:
            self.notes.append(
                "the dataset has no labels: the two files are compared with each other, so what both get wrong is not seen"
            )
        names = display_names([before.path, after.path])
        self.overlap = config.data.watch(self.dataset, dict(zip(names, (before.card, after.card), strict=True)))
        self.dataset = self.overlap.dataset

    def _with_truth(self) -> None:
        card = self.before.card
        find(card.task).check_measure()
        self.dataset, self.classes = self.config.data.match_classes(self.opened, card)
        if self.dataset.task != card.task:
            raise InputError(
                f"{self.opened.name} is a dataset to {self.opened.task}, but the files are {find(card.task).model}",
                "name another dataset",
            )
        self.measure = PairedMeasure(self.dataset, self.classes)

    def images(self, progress: Callable[[int, int], None] | None) -> None:
        """Run both files on each image."""
        total = len(self.dataset.samples)
        looked_at = set(np.linspace(0, total - 1, min(total, MOST_IMAGES)).round().astype(int).tolist())
        for index, (sample, image) in enumerate(self._read()):
            if image is not None:
                self._image(index, sample, image, watched=index in looked_at)
            if progress is not None:
                progress(index + 1, total)
        if not self.pairs:
            raise InputError(f"no image of the dataset can be read: {self.unreadable[0]}", "check the dataset")

    def _read(self) -> Iterator[tuple[Sample, Image | None]]:
        for sample in self.dataset.samples:
            try:
                yield sample, sample.read()
            except InputError as error:
                if self.config.data.strict:
                    raise
                self.unreadable.append(f"{sample.name} ({error.problem})")
                yield sample, None

    def _image(self, index: int, sample: Sample, image: Image, *, watched: bool) -> None:
        before, after = self.before(image), self.after(image)
        if self.measure is not None:
            self.measure.add(sample, (before, after))
        judged = self._judge(sample, before, after)
        pair = pair_predictions(index, sample.name, before, after, judged, self.shown)
        self.pairs.append(pair)
        if self.grouped is not None and judged is not None:
            self.grouped.add(image, judged[0])
        if watched:
            self.watch.add(image)
            self.watched.classes.append(_main_class(before, self.shown[0]))
            self.watched.agreement.append(pair.same / pair.total if pair.total else float("nan"))

    def _judge(self, sample: Sample, before: Prediction, after: Prediction) -> tuple[Judgement, Judgement] | None:
        if self.classes is None or self.before.card.task not in JUDGED:
            return None
        own = [dataclasses.replace(self.classes, shown=shown) for shown in self.shown]
        return judge(before, sample, own[0]), judge(after, sample, own[1])

    def result(self) -> PairedEvaluation:
        """The comparison of all images."""
        config, card = self.config, self.before.card
        overlap = self.overlap.finish()
        same, total = (np.array([getattr(pair, name) for pair in self.pairs]) for name in ("same", "total"))
        interval = ratio_interval(same, total, config.seed)
        mean = None if self.measure is None else self.measure.result()
        labels = card.labels if self.classes is None else self.dataset.labels
        share = float(same.sum() / total.sum()) if total.sum() else 1.0
        moved = np.concatenate([np.abs(pair.moved) for pair in self.pairs])
        drift = float(np.nanmean(moved)) if moved.size else 0.0
        compared = ImageComparison(self.watched.classes, self.watched.agreement, share, interval, drift, card.labels)
        return PairedEvaluation(
            before=_file(self.before),
            after=_file(self.after),
            dataset=self.opened.name,
            split=self.opened.split,
            task=card.task,
            labels=tuple(labels),
            images=self.pairs,
            unreadable=tuple(self.unreadable),
            agreement=share,
            agreement_interval=interval,
            mean=mean,
            classes=class_changes(self.pairs, labels, config.seed) if card.task in JUDGED else (),
            groups=None if self.grouped is None else self.grouped.result(self.pairs, config.seed),
            drift=score_drift(self.pairs, config.seed),
            causes=find_causes(self.watch, compared),
            notes=(*self.notes, *_notes(self, mean), *overlap.notes),
            config=config.of(config.before),
            overlap=overlap,
            seed=config.seed,
        )


def _notes(run: _PairRun, mean: MeanChange | None) -> Iterator[str]:
    if len(run.pairs) < FEW:
        yield f"{counted(len(run.pairs), 'image')}: too few to say anything of a class"
    if run.unreadable:
        more = ", ..." if len(run.unreadable) > 3 else ""
        yield f"images that could not be read are left out ({len(run.unreadable)}): {', '.join(run.unreadable[:3])}{more}"
    if mean is not None:
        yield from mean.before.notes


def _file(predictor: Predictor) -> PairedFile:
    path, card = predictor.path, predictor.card
    return PairedFile(path, file_format(path), card.precision, measured_digest(path, card))


def _main_class(prediction: Prediction, shown: ShownScores) -> int:
    """The class that a prediction names first: the best one; -1 where it names none."""
    if isinstance(prediction, Classes):
        return prediction.top1
    if isinstance(prediction, Detections) and len(kept := shown.keep(prediction)):
        return int(kept.class_id[kept.score.argmax()])
    return -1
