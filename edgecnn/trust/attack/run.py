"""`edgecnn attack`: opens files and dataset, attacks the images, measures every file on them."""

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
from edgecnn.benchmarks.measure.record import display_names, measured_digest, other_weights
from edgecnn.data import Dataset
from edgecnn.data.recognition import report_lines
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shown_scores import shown_scores
from edgecnn.tasks import find
from edgecnn.trust.attack.attackers import METHODS, NOISE, SQUARE, WITH_GRADIENTS, Attacker, NoiseControl
from edgecnn.trust.attack.certified import certified_curve
from edgecnn.trust.attack.findings import findings
from edgecnn.trust.attack.measure import (
    METRICS,
    QUERIES,
    STEPS,
    STRENGTHS,
    TORCH,
    AttackedModel,
    chunks,
    needs_checkpoint,
    readable,
    with_gradients,
)
from edgecnn.trust.attack.pictures import PictureBook
from edgecnn.trust.attack.result import NONE, AttackedFile, AttackReport
from edgecnn.trust.attack.same_network import agreement, check_agreement, check_cards
from edgecnn.trust.attack.square import SquareAttack
from edgecnn.trust.attack.target import AttackTarget, check_task

USUAL_IMAGES = 200  # evenly spread over the dataset
SMOOTHED_IMAGES, SAMPLES = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackConfig:
    """Model files, a dataset, and how it is attacked.

    ``files``: artifacts or checkpoints of one network. ``model``: the checkpoint that gives gradients, measured, too; None: that among
    the files. ``methods``: of METHODS, () for noise with FGSM and PGD where there is a checkpoint, else with the Square attack.
    ``strengths``: whole grey levels of 255. ``steps`` of PGD, ``queries`` of the Square attack for each image and strength.
    ``smooth``: standard deviation of the noise of randomised smoothing, in fractions of the pixel range, None for none; ``samples``:
    its noisy copies of each of the first ``smoothed_images``. ``pictures``: images that are kept for the page. ``data.limit`` images are
    spread evenly over the dataset, None: USUAL_IMAGES. The others as in ``EvaluationConfig``. Raises ``InputError`` for values out of
    range.
    """

    files: tuple[Path, ...]
    data: DatasetSelection
    model: Path | None = None
    methods: tuple[str, ...] = ()
    strengths: tuple[int, ...] = STRENGTHS
    steps: int = STEPS
    queries: int = QUERIES
    smooth: float | None = None
    samples: int = SAMPLES
    smoothed_images: int = SMOOTHED_IMAGES
    pictures: int = 6
    seed: int = 0
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", parse_device(self.device))
        unknown = [method for method in self.methods if method not in METHODS]
        if unknown:
            raise InputError(f"--method: there is no attack called {unknown[0]}", f"name some of {', '.join(METHODS)}")
        if not self.strengths or not all(0 < eps <= 255 for eps in self.strengths):
            raise InputError("--eps: a strength is a whole number of grey levels from 1 to 255", "give some, such as 1,2,4,8,16")
        if self.model is not None and file_format(self.model) != TORCH:
            raise InputError(f"--model: {self.model.name} is no checkpoint, which gradients need", "name the .safetensors file")

    @property
    def source(self) -> Path | None:
        """The checkpoint that gives gradients."""
        return self.model or next((path for path in self.files if file_format(path) == TORCH), None)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The methods to measure, noise first; raises ``InputError`` where one needs gradients and there is no checkpoint."""
        usual = (NOISE, *WITH_GRADIENTS) if self.source else (NOISE, SQUARE)
        wanted = {NOISE, *self.methods} if self.methods else set(usual)
        missing = [method for method in WITH_GRADIENTS if method in wanted]
        if missing and self.source is None:
            raise needs_checkpoint(missing[-1], self.files[0].name)
        return tuple(method for method in METHODS if method in wanted)


def run_attack(
    config: AttackConfig, *, report: Progress = no_progress, progress: Callable[[str], None] = no_progress
) -> AttackReport:
    """Measure all files; ``report`` gets lines about problems, ``progress`` a text with the time left.

    Raises what loading the files and opening the dataset raise, and ``InputError`` where they can't be attacked together.
    """
    methods = config.chosen
    paths = list(dict.fromkeys([*([config.model] if config.model else []), *config.files]))
    with ExitStack() as stack:
        predictors = [stack.enter_context(_opened(path, config)) for path in paths]
        names = display_names(paths)
        card = predictors[0].card
        for name, predictor in zip(names, predictors, strict=True):
            check_task(predictor.card, name)
        check_cards([(name, predictor.card) for name, predictor in zip(names, predictors, strict=True)])
        find(card.task).check_measure()
        opened, models = _with_data(config, names, predictors, report)
        overlap = config.data.watch(opened, {name: own.card for name, own in zip(names, predictors, strict=True)})
        dataset = overlap.dataset
        source = names[paths.index(config.source)] if config.source else ""
        _tell_other_weights(source, names, predictors, report)
        shared: dict[str, Attacker] = {NOISE: NoiseControl(config.seed)}
        for method in methods:
            if method in WITH_GRADIENTS and config.source:
                shared[method] = with_gradients(config.source, method, config.steps, config.seed)
        own = {
            name: SquareAttack(predictor, config.queries, config.seed) for name, predictor in zip(names, predictors, strict=True)
        }
        work = _Work(config, methods, source, models, shared, own, PictureBook(config.pictures, card, config.strengths))
        left_out: list[str] = []
        targets = work.attack(dataset, left_out, progress)
        shared_images = overlap.finish()
        measured = tuple(
            work.measured(model, path, dataset, targets, progress) for model, path in zip(models, paths, strict=True)
        )
    return AttackReport(
        dataset=dataset.name,
        split=dataset.split,
        images=len(targets),
        metric=METRICS[card.task],
        methods=methods,
        strengths=config.strengths,
        source=source,
        steps=config.steps,
        queries=config.queries,
        seed=config.seed,
        files=measured,
        warnings=findings(measured, source),
        left_out=tuple(left_out),
        pictures=work.book.pages(),
        overlap=shared_images,
        notes=(*models[0].classes.notes, *shared_images.notes),
    )


def _opened(path: Path, config: AttackConfig) -> Predictor:
    require_signature(path, config.require_signature)
    engine = None if file_format(path) == TORCH else config.engine
    return Predictor(path, config.device, threads=config.threads, options=whole_curve(config.options), engine=engine)


def _with_data(
    config: AttackConfig, names: Sequence[str], predictors: Sequence[Predictor], report: Progress
) -> tuple[Dataset, list[AttackedModel]]:
    """The images, and the models with their classes as those of the dataset."""
    card = predictors[0].card
    wanted = config.data.limit or USUAL_IMAGES
    opened = _all_of(config.data).open(task=card.task)
    for line in report_lines(opened):
        report(line)
    dataset, classes = config.data.match_classes(opened, card)
    if dataset.task != card.task or not dataset.labels:
        raise InputError(
            f"{dataset.name} is a dataset to {dataset.task}, but {names[0]} is a model to {card.task}", "name another dataset"
        )
    spread = range(0, len(dataset), max(len(dataset) // wanted, 1))[:wanted]
    models = [AttackedModel(name, own, own.card, classes) for name, own in zip(names, predictors, strict=True)]
    return dataset.pick(spread), models


def _all_of(data: DatasetSelection) -> DatasetSelection:
    """The selection without its limit: folders are sorted by class, so the first images would be of one class."""
    if data.uri.startswith("scene:"):
        return data
    return dataclasses.replace(data, limit=None)


def _tell_other_weights(source: str, names: Sequence[str], predictors: Sequence[Predictor], report: Progress) -> None:
    for name, predictor in zip(names, predictors, strict=True):
        if source and other_weights(predictors[names.index(source)].card, predictor.card):
            report(f"warning: {name} was exported from other weights than {source}; its attacks may not carry over")


@dataclass(slots=True)
class _Work:
    """The attacks in the order of the images: each image is attacked once for each method and strength, then all files see it."""

    config: AttackConfig
    methods: Sequence[str]
    source: str
    models: Sequence[AttackedModel]
    shared: dict[str, Attacker]
    own: dict[str, SquareAttack]
    book: PictureBook

    def attack(self, dataset: Dataset, left_out: list[str], progress: Callable[[str], None]) -> list[AttackTarget]:
        """All images that can be read; the models keep their answers."""
        targets: list[AttackTarget] = []
        began, steps, done = monotonic(), len(self.methods) * len(self.config.strengths), 0
        for part, looked_at in chunks(dataset, self.models[0].card, self.models[0].classes, left_out):
            for model in self.models:
                model.see(NONE, 0, [target.pixels for target in part])
            if not targets:
                self._compare(len(part))
            self.book.choose(part, self.models)
            for title in self._attack_part(part):
                done += 1
                share = (looked_at - len(part) + len(part) * (done % steps or steps) / steps) / len(dataset)
                progress(f"{title}, image {looked_at} of {len(dataset)}{_left(monotonic() - began, share)}")
            targets += part
        return list(readable(targets, dataset))

    def _attack_part(self, part: Sequence[AttackTarget]) -> Iterator[str]:
        for method in self.methods:
            for eps in sorted(self.config.strengths):
                if method == SQUARE:
                    for model in self.models:
                        attacked = self.own[model.name](part, eps)
                        model.see(method, eps, attacked)
                        self.book.add(method, eps, part, attacked, [model])
                else:
                    attacked = self.shared[method](part, eps)
                    for model in self.models:
                        model.see(method, eps, attacked)
                    self.book.add(method, eps, part, attacked, self.models)
                yield f"{method} {eps}/255"

    def _compare(self, count: int) -> None:
        """Raise ``InputError`` where a file is not the network that gives the gradients."""
        for model in self.models:
            check_agreement(self.source, model.name, self._agreement(model), count)

    def _agreement(self, model: AttackedModel) -> float | None:
        first = next((one for one in self.models if one.name == self.source), None)
        return (
            None
            if first is None or first is model
            else agreement(first.answers[NONE, 0], model.answers[NONE, 0], shown_scores(first.card))
        )

    def measured(
        self,
        model: AttackedModel,
        path: Path,
        dataset: Dataset,
        targets: Sequence[AttackTarget],
        progress: Callable[[str], None],
    ) -> AttackedFile:
        """The levels of one file from its answers, and what smoothing it certifies."""
        smoothed = None
        if self.config.smooth is not None:
            smoothed = certified_curve(
                model,
                targets[: self.config.smoothed_images],
                self.config.smooth,
                self.config.samples,
                self.config.seed,
                lambda done, count: progress(f"smoothing {model.name}, image {done} of {count}"),
            )
        return AttackedFile(
            name=model.name,
            format=file_format(path),
            precision=model.card.precision,
            digest=measured_digest(path, model.card),
            levels=tuple(model.level(method, eps, dataset, targets) for method, eps in model.answers),
            certified=smoothed,
            agreement=self._agreement(model),
        )


def _left(seconds: float, share: float) -> str:
    if share < 0.02 or seconds < 2:
        return ""
    rest = seconds / share - seconds
    return f", about {rest / 60:.0f} min left" if rest >= 90 else f", about {rest:.0f} s left"
