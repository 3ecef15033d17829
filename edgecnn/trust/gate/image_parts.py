"""The budgets that need further runs: changed images, attacks, evidence on the object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgecnn.benchmarks.measure.evaluation import OpenedModel
from edgecnn.counts import counted
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.runtime.backends import file_format
from edgecnn.trust.attack.measure import TORCH, attack_at
from edgecnn.trust.attack.result import AttackLevel
from edgecnn.trust.attack.target import check_task as check_attack
from edgecnn.trust.attribution.evidence import MapEvidence
from edgecnn.trust.attribution.many import ManyImages
from edgecnn.trust.attribution.methods import explainers
from edgecnn.trust.gate.policy import AttackBudget, ChangeBudget, EvidenceBudget, Policy
from edgecnn.trust.gate.verdict import BudgetVerdict, share_verdict
from edgecnn.trust.invariance.catalogue import find_transformation
from edgecnn.trust.invariance.dataset import check_task as check_change
from edgecnn.trust.invariance.dataset import transformed
from edgecnn.trust.invariance.measure import MeasuredModel, measure_level
from edgecnn.trust.invariance.result import LevelResult
from edgecnn.trust.shortcuts.answers import Answers
from edgecnn.trust.shortcuts.effect import EvidenceSummary, summary_of
from edgecnn.trust.shortcuts.maps import object_maps
from edgecnn.trust.shortcuts.subject import check_task as check_evidence
from edgecnn.trust.shortcuts.subject import subjects

Steps = Callable[[int, int], None]  # images done, images in all


class MeasuredBudgets(NamedTuple):
    """What a part measured, and the verdicts on it."""

    verdicts: tuple[BudgetVerdict, ...]
    found: LevelResult | AttackLevel | EvidenceSummary


def spread(dataset: Dataset, count: int) -> Dataset:
    """At most ``count`` images, evenly over the dataset."""
    total = len(dataset)
    return dataset if total <= count else dataset.pick([place * total // count for place in range(count)])


def check_image_budgets(model: OpenedModel, policy: Policy) -> None:
    """Raise ``InputError`` for budgets that do not fit the model or its dataset, before anything runs."""
    for budget in policy.robustness:
        own = find_transformation(budget.change)
        check_change(model.dataset, own)
        if own.needs_colour and model.card.preprocess.color == "gray":
            raise InputError(f"{own.name} changes nothing for a model that sees grey images", f"leave {own.name} out")
    for attack in policy.attack:
        check_attack(model.card, model.predictor.path.name)
        needs_gradients = attack.method in ("fgsm", "pgd") and file_format(model.predictor.path) != TORCH
        if needs_gradients and not Path(attack.checkpoint).is_file():
            found = f"{attack.checkpoint} does not exist" if attack.checkpoint else f"{model.predictor.path.name} has none"
            raise InputError(f"[[attack]] {attack.method} needs gradients, and {found}", 'name checkpoint = "FILE.safetensors"')
    evidence = policy.evidence
    if evidence is not None:
        check_evidence(model.opened, model.card)
        explainers(model.predictor, (evidence.method,), 0, evidence.masks)


def measure_change(model: OpenedModel, budget: ChangeBudget, seed: int, progress: Steps) -> MeasuredBudgets:
    """The accuracy where the images are changed as ``budget`` says."""
    own = find_transformation(budget.change)
    images = transformed(spread(model.dataset, budget.images), own, budget.level, seed=seed)
    measured = MeasuredModel(model.predictor, lambda changed: (changed, model.classes))
    found = measure_level([measured], images, own, budget.level, seed=seed, progress=progress)[0]
    assert budget.min_percent is not None
    verdict = share_verdict(
        f"robustness.{budget.change}={budget.level:g}",
        f"{found.title}, {own.title} {own.level_text(budget.level)}",
        budget.min_percent,
        found.value,
        found.low,
        found.high,
        count=found.images,
        detail=counted(found.images, "image"),
    )
    return MeasuredBudgets((verdict,), found)


def measure_attack(model: OpenedModel, budget: AttackBudget, seed: int, progress: Steps) -> MeasuredBudgets:
    """The accuracy under the attack of ``budget``."""
    found = attack_at(
        model.predictor,
        spread(model.dataset, budget.images),
        budget.eps_grey_levels,
        budget.method,
        classes=model.classes,
        model=Path(budget.checkpoint) if budget.checkpoint else None,
        steps=budget.steps,
        queries=budget.queries,
        seed=seed,
        progress=progress,
    )
    assert budget.min_percent is not None
    levels = "grey level" if budget.eps_grey_levels == 1 else "grey levels"
    verdict = share_verdict(
        f"attack.{budget.method}={budget.eps_grey_levels}",
        f"{'top-1' if found.metric == 'top1' else 'AP50'}, attack {budget.method}, {budget.eps_grey_levels} {levels}",
        budget.min_percent,
        found.value,
        found.low,
        found.high,
        count=found.images,
        detail=counted(found.images, "image"),
    )
    return MeasuredBudgets((verdict,), found)


def measure_evidence(model: OpenedModel, budget: EvidenceBudget, seed: int, progress: Steps) -> MeasuredBudgets:
    """How much of the evidence lies on the object, in images whose boxes cover at most half of them.

    Raises ``InputError`` where no image has a map and boxes.
    """
    dataset = spread(model.dataset, budget.images)
    explain = explainers(model.predictor, (budget.method,), seed, budget.masks)
    answers = Answers(ManyImages(model.predictor), model.classes, dataset.labels, model.card.labels)
    maps: dict[str, list[MapEvidence]] = defaultdict(list)
    skipped: list[str] = []
    for done, subject in enumerate(subjects(dataset, model.card, skipped), 1):
        for name, one in object_maps(subject, answers.target(answers([subject])[0]), explain).evidence.items():
            maps[name].append(one)
        progress(done + len(skipped), len(dataset))
    found = next((summary for name, own in maps.items() if (summary := summary_of(name, own, seed)) is not None), None)
    if found is None:
        raise InputError(
            f"[evidence] has no place to be: of {counted(len(dataset), 'image')} of {dataset.name} none has a found object whose "
            "box covers at most half of it",
            "name a dataset with boxes, or leave [evidence] out",
        )
    return MeasuredBudgets(tuple(_evidence(budget, found)), found)


def _evidence(budget: EvidenceBudget, found: EvidenceSummary) -> list[BudgetVerdict]:
    wanted = (
        ("inside_min_percent", "evidence in the boxes", budget.inside_min_percent, found.inside),
        ("beyond_chance_min_percent", "evidence beyond chance", budget.beyond_chance_min_percent, found.gain),
    )
    return [
        share_verdict(
            f"evidence.{name}",
            f"{title} ({found.method})",
            limit,
            one.value,
            one.low,
            one.high,
            count=found.images,
            detail=f"{counted(found.images, 'image')}, boxes cover {found.area:.0%}",
        )
        for name, title, limit, one in wanted
        if limit is not None
    ]
