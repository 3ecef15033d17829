"""`edgecnn robustness`: opens the files and the dataset, measures all levels, and keeps what is complete after an interrupt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import whole_curve
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import display_names, measured_digest
from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.data import Dataset
from edgecnn.data.recognition import report_lines
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.metrics.classmap import ClassMap
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.scene.options import PREFIX
from edgecnn.shipped import artifact
from edgecnn.tasks import find
from edgecnn.trust.invariance.catalogue import Levels, parse_transformations
from edgecnn.trust.invariance.corruption_error import corruption_error
from edgecnn.trust.invariance.dataset import check_task, kept_in_memory, transformed
from edgecnn.trust.invariance.measure import MeasuredModel, measure_level
from edgecnn.trust.invariance.result import FileRobustness, LevelResult, Robustness
from edgecnn.trust.invariance.transformation import Transformation

USUAL_IMAGES = (
    150  # evenly spread over the dataset: intervals of some points, and a few minutes for all levels of a small detector
)
Fitted = tuple[Dataset, ClassMap | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessConfig:
    """Model files, a dataset and what its images go through.

    ``transformations``: words for ``parse_transformations``. ``baseline``: the file that the mean corruption error is relative to; it
    is measured, too. ``data.limit`` images are spread evenly over the dataset, None: USUAL_IMAGES. The others as in ``EvaluationConfig``.
    """

    files: tuple[Path, ...]
    data: DatasetSelection
    transformations: tuple[str, ...] = ("all",)
    baseline: Path | None = None
    seed: int = 0
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", parse_device(self.device))

    @property
    def is_scene(self) -> bool:
        """Whether the renderer can turn the objects."""
        return self.data.uri.startswith(PREFIX)

    @property
    def all_files(self) -> tuple[Path, ...]:
        """The files with the baseline, each once."""
        paths = [artifact(path) for path in self.files]
        base = None if self.baseline is None else artifact(self.baseline)
        return tuple(dict.fromkeys([*paths, *([] if base is None else [base])]))


def measure_robustness(
    config: RobustnessConfig, *, report: Progress = no_progress, progress: Progress = no_progress
) -> tuple[Robustness, Dataset]:
    """Measure all files on the same changed images; the second value is the dataset as it was opened, for example images.

    ``report`` gets lines about the files and the dataset, ``progress`` short texts with the time left. After an interrupt
    (``KeyboardInterrupt``) the levels that are complete are returned, if there are any. Raises what loading the files and opening the
    dataset raise, and ``InputError`` where they, or a transformation, do not fit.
    """
    asked = parse_transformations(config.transformations, scene=config.is_scene)
    with ExitStack() as stack:
        predictors = [stack.enter_context(_open(path, config)) for path in config.all_files]
        cards = [predictor.card for predictor in predictors]
        _check_tasks(config.all_files, cards)
        opened = _open_data(config.data, cards[0])
        for line in report_lines(opened):
            report(line)
        dataset, available = _spread(opened, config.data)
        overlap = config.data.watch(dataset, dict(zip(display_names(config.all_files), cards, strict=True)))
        dataset = overlap.dataset
        chosen, notes = _fitting(asked, dataset, cards, config)
        for warning in _warnings(config.all_files, predictors):
            report(f"warning: {warning}")
            notes += (warning,)
        models = [MeasuredModel(predictor, _fit(config.data, predictor.card)) for predictor in predictors]
        run = _LevelRun(config, models, dataset, cards[0], _LevelClock(progress, 1 + sum(len(levels) for _, levels in chosen)))
        complete = run.measure(chosen)
        shared = overlap.finish()
        notes += tuple(_not_finite_notes(config.all_files, predictors, dataset))
    progress("intervals of the corruption error")
    if run.found[0][0].low is None:
        notes += (f"{run.found[0][0].title} has no interval: {counted(run.found[0][0].images, 'image')} may be too few to tell",)
    named = zip(config.all_files, file_names(config.all_files), cards, run.found, strict=True)
    files = [_file(path, name, card, found) for path, name, card, found in named]
    result = Robustness(
        dataset=opened.name,
        split=opened.split,
        images=files[0].clean.images,
        available=available,
        labels=dataset.labels,
        seed=config.seed,
        transformations=chosen,
        files=tuple(_with_numbers(files, config) if complete else files),
        notes=tuple(dict.fromkeys([*(note for file in files for note in file.clean.notes), *notes, *shared.notes])),
        complete=complete,
        overlap=shared,
    )
    return result, dataset


class _LevelRun:
    """Measures level after level; ``found`` has the results by model, in the same order."""

    def __init__(
        self, config: RobustnessConfig, models: Sequence[MeasuredModel], dataset: Dataset, card: ModelCard, clock: _LevelClock
    ) -> None:
        self._config, self._models, self._card, self._clock = config, models, card, clock
        self._kept = kept_in_memory(dataset)
        self.found: list[list[LevelResult]] = [[] for _ in models]

    def measure(self, chosen: Levels) -> bool:
        """Whether all was measured; an interrupt before the first level is complete is raised."""
        try:
            for own, level in [(None, 0.0), *((own, level) for own, levels in chosen for level in levels)]:
                self._level(own, level)
        except KeyboardInterrupt:
            if len(self.found[-1]) < 2:
                raise
            return False
        return True

    def _level(self, own: Transformation | None, level: float) -> None:
        config = self._config
        if own is None:
            images = self._kept
        elif own.group == "scene":
            images = _spread(_open_data(_rendered(config.data, own, level), self._card), config.data)[0]
        else:
            images = transformed(self._kept, own, level, seed=config.seed)
        shown = "as they are" if own is None else f"{own.title} {own.level_text(level)}"
        results = measure_level(
            self._models,
            images,
            own,
            level,
            seed=config.seed,
            strict=config.data.strict,
            progress=lambda done, total: self._clock.step(shown, done, total),
        )
        self._clock.level_done()
        for one, rows in zip(results, self.found, strict=True):
            rows.append(one)


class _LevelClock:
    """Shows how far the measurement is, and the time left at the pace so far."""

    def __init__(self, progress: Progress, levels: int) -> None:
        self._progress, self._levels, self._done, self._start = progress, levels, 0, monotonic()

    def step(self, words: str, done: int, total: int) -> None:
        """``done`` of ``total`` images of a level."""
        share = (self._done + done / max(total, 1)) / self._levels
        seconds = (monotonic() - self._start) * (1 - share) / max(share, 1e-9)
        left = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
        self._progress(f"{words}: image {done} of {total}, level {self._done + 1} of {self._levels}, {left} left")

    def level_done(self) -> None:
        """One level is complete."""
        self._done += 1


def _open(path: Path, config: RobustnessConfig) -> Predictor:
    require_signature(path, config.require_signature)
    file_format(path)  # a wrong path is reported before a large dataset is read
    predictor = Predictor(path, config.device, threads=config.threads, options=whole_curve(config.options), engine=config.engine)
    find(predictor.card.task).check_measure()
    return predictor


def _warnings(files: Sequence[Path], predictors: Sequence[Predictor]) -> Iterator[str]:
    """Why the results of a file can't be right."""
    for path, predictor in zip(files, predictors, strict=True):
        for warning in predictor.warnings(probe=True):
            yield f"{path.name}: {warning}"


def _not_finite_notes(files: Sequence[Path], predictors: Sequence[Predictor], dataset: Dataset) -> Iterator[str]:
    for path, predictor in zip(files, predictors, strict=True):
        if predictor.monitor.not_finite:
            yield f"{path.name}: outputs held NaN or infinity {predictor.monitor.not_finite} times on the {len(dataset)} images"


def _check_tasks(files: Sequence[Path], cards: Sequence[ModelCard]) -> None:
    for path, card in zip(files, cards, strict=True):
        if card.task != cards[0].task:
            raise InputError(
                f"{files[0].name} is {find(cards[0].task).model}, but {path.name} is {find(card.task).model}",
                "compare files for one task",
            )


def _open_data(data: DatasetSelection, card: ModelCard) -> Dataset:
    """All images, so that the limit can be spread; of an endless scene only those of the limit."""
    endless = data.uri.startswith(PREFIX) and "count=" not in data.uri
    limit = (data.limit or USUAL_IMAGES) if endless else None
    return dataclasses.replace(data, limit=limit).open(task=card.task)


def _spread(dataset: Dataset, data: DatasetSelection) -> tuple[Dataset, int]:
    """The images that are used, evenly over the dataset, and how many there are."""
    limit = data.limit or USUAL_IMAGES
    total = len(dataset)
    if total <= limit:
        return dataset, total
    return dataset.pick([index * total // limit for index in range(limit)]), total


def _rendered(data: DatasetSelection, own: Transformation, level: float) -> DatasetSelection:
    """The address of the scene, rendered with a transformation of the renderer."""
    place, _, query = data.uri.partition("?")
    others = [part for part in query.split("&") if part and not part.startswith(f"{own.name}=")]
    return dataclasses.replace(data, uri=f"{place}?{'&'.join([*others, f'{own.name}={level:g}'])}")


def _fitting(
    asked: Levels, dataset: Dataset, cards: Sequence[ModelCard], config: RobustnessConfig
) -> tuple[Levels, tuple[str, ...]]:
    """The transformations that fit the task and the models, and what was left out; raises where one does not fit that was named."""
    kept, notes = [], []
    for own, levels in asked:
        try:
            _check_fit(own, dataset, cards, config)
        except InputError as error:
            if any(own.name in word for word in config.transformations):
                raise
            notes.append(f"left out: {error.problem}")
        else:
            kept.append((own, levels))
    if not kept:
        _check_fit(asked[0][0], dataset, cards, config)
    return tuple(kept), tuple(notes)


def _check_fit(own: Transformation, dataset: Dataset, cards: Sequence[ModelCard], config: RobustnessConfig) -> None:
    check_task(_fit(config.data, cards[0])(dataset)[0], own)
    if own.group == "scene" and not config.is_scene:
        raise InputError(f"{own.name} is done by the renderer of a scene", "name --data scene:cups?...")
    if own.needs_colour and all(card.preprocess.color == "gray" for card in cards):
        raise InputError(f"{own.name} changes nothing for a model that sees grey images", f"leave {own.name} out")


def _fit(data: DatasetSelection, card: ModelCard) -> Callable[[Dataset], Fitted]:
    return lambda dataset: data.match_classes(dataset, card)


def file_names(paths: Sequence[Path]) -> list[str]:
    """The names of files, with their folders where two have the same name."""
    names = [path.name for path in paths]
    return [name if names.count(name) == 1 else f"{path.parent.name}/{name}" for path, name in zip(paths, names, strict=True)]


def _file(path: Path, name: str, card: ModelCard, found: Sequence[LevelResult]) -> FileRobustness:
    return FileRobustness(
        name=name,
        model=card.name,
        file=str(path),
        format=file_format(path),
        precision=card.precision,
        digest=measured_digest(path, card),
        clean=found[0],
        levels=tuple(found[1:]),
    )


def _with_numbers(files: Sequence[FileRobustness], config: RobustnessConfig) -> Iterator[FileRobustness]:
    base = None if config.baseline is None else files[config.all_files.index(artifact(config.baseline))]
    for own in files:
        yield dataclasses.replace(own, corruption_error=corruption_error(own, base, seed=config.seed))
