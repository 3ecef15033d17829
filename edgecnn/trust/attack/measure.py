"""Attacks images and measures what models say of them: the core, for `edgecnn attack` and for the gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgecnn.card import ModelCard
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.metrics.classmap import ClassMap, identity
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks.evaluate import score_outcomes
from edgecnn.trust.attack.attackers import METHODS, NOISE, SQUARE, Attacker, NoiseControl
from edgecnn.trust.attack.result import AttackLevel
from edgecnn.trust.attack.square import SquareAttack
from edgecnn.trust.attack.target import AttackTarget, check_task, target_of, to_bgr
from edgecnn.types import Image, Prediction

CHUNK = 32  # images that are attacked at once
STEPS, QUERIES = 10, 200
STRENGTHS: Final = (1, 2, 4, 8, 16)
METRICS: Final = {"classify": "top1", "detect": "ap50"}
TORCH = "torch"


@dataclass(slots=True, eq=False)
class AttackedModel:
    """A model whose answers to attacked images are kept: by method and strength, in the order of the images."""

    name: str
    predict: Callable[[Image], Prediction]
    card: ModelCard
    classes: ClassMap
    answers: dict[tuple[str, int], list[Prediction]] = field(default_factory=dict)

    def see(self, method: str, eps: int, images: Iterable[Image]) -> None:
        """Keep what the model says of attacked pixels."""
        kept = self.answers.setdefault((method, eps), [])
        kept += [self.predict(to_bgr(pixels)) for pixels in images]

    def level(self, method: str, eps: int, dataset: Dataset, targets: Sequence[AttackTarget]) -> AttackLevel:
        """The accuracy of the kept answers; ``targets`` are the images of ``dataset`` that were read."""
        samples = [target.sample for target in targets]
        found = zip(samples, self.answers[method, eps], strict=True)
        score = score_outcomes(found, dataclasses.replace(dataset, samples=samples), classes=self.classes)
        metric = METRICS[self.card.task]
        return AttackLevel(
            method=method,
            eps=eps,
            metric=metric,
            value=score.values[metric],
            low=score.values.get(f"{metric}_low"),
            high=score.values.get(f"{metric}_high"),
            images=len(samples),
        )


def attack_at(
    predictor: Predictor,
    dataset: Dataset,
    eps: int,
    method: str,
    *,
    classes: ClassMap | None = None,
    model: Path | None = None,
    steps: int = STEPS,
    queries: int = QUERIES,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> AttackLevel:
    """The accuracy of ``predictor`` on ``dataset`` under an attack of ``eps`` grey levels of 255.

    ``method``: noise, fgsm, pgd or square. ``predictor`` is opened with the thresholds of an evaluation (``whole_curve``); ``classes``
    maps its classes to the dataset's, None: the ids are the same. ``model`` is the checkpoint whose gradients fgsm and pgd use; not
    needed where the predictor is one. ``progress(done, total)`` counts images. Raises ``InputError`` for a task without attack, for an
    attack with gradients without a checkpoint, and where no image can be read; ``MissingExtraError`` without PyTorch for gradients.
    """
    check_task(predictor.card, predictor.path.name)
    mapping = classes or identity(len(dataset.labels))
    attacked = AttackedModel(predictor.path.name, predictor, predictor.card, mapping)
    attacker = attacker_of(method, predictor, model, steps=steps, queries=queries, seed=seed)
    seen: list[AttackTarget] = []
    for targets, _ in chunks(dataset, predictor.card, mapping):
        seen += targets
        attacked.see(method, eps, attacker(targets, eps))
        if progress is not None:
            progress(len(seen), len(dataset))
    return attacked.level(method, eps, dataset, readable(seen, dataset))


def attacker_of(method: str, predictor: Predictor, model: Path | None, *, steps: int, queries: int, seed: int) -> Attacker:
    """The attack called ``method`` on a file; raises what ``attack_at`` raises."""
    if method == NOISE:
        return NoiseControl(seed)
    if method == SQUARE:
        return SquareAttack(predictor, queries, seed)
    if method not in METHODS:
        raise InputError(f"there is no attack called {method}", f"name one of {', '.join(METHODS)}")
    source = model or (predictor.path if file_format(predictor.path) == TORCH else None)
    if source is None:
        raise needs_checkpoint(method, predictor.path.name)
    return with_gradients(source, method, steps, seed)


def with_gradients(source: Path, method: str, steps: int, seed: int) -> Attacker:
    """FGSM or PGD on a checkpoint; PyTorch is imported here."""
    from edgecnn.trust.gradients.adversary import GradientAttack

    return GradientAttack.open(source, method, steps, seed)


def needs_checkpoint(method: str, name: str) -> InputError:
    """The error of an attack with gradients on a file that has none."""
    return InputError(
        f"--method {method} needs gradients, which {name} does not have",
        "name the checkpoint that it was exported from with --model, or use --method square",
    )


def chunks(
    dataset: Dataset, card: ModelCard, classes: ClassMap, left_out: list[str] | None = None
) -> Iterator[tuple[list[AttackTarget], int]]:
    """The images of ``dataset`` a few at a time, and how many were looked at so far; those that can't be read are noted."""
    ready: list[AttackTarget] = []
    for index, sample in enumerate(dataset.samples):
        try:
            ready.append(target_of(index, sample, card, classes))
        except InputError as error:
            if left_out is not None:
                left_out.append(f"{sample.name} ({error.problem})")
        if len(ready) == CHUNK or (index + 1 == len(dataset) and ready):
            yield ready, index + 1
            ready = []


def readable(targets: Sequence[AttackTarget], dataset: Dataset) -> Sequence[AttackTarget]:
    """``targets``; raises ``InputError`` where there is none."""
    if not targets:
        raise InputError(f"no image of {dataset.name} can be read", "check the dataset")
    return targets
