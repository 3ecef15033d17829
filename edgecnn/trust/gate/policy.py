"""The policy of a gate: a dataset and budgets, each a limit for one figure.

``example.toml`` beside this module has every field.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.errors import InputError
from edgecnn.trust.attribution.methods import AUTO
from edgecnn.trust.attribution.rise import MASKS
from edgecnn.trust.groups.group_key import parse_group_key
from edgecnn.trust.invariance.catalogue import find_transformation

EVALUATED: Final = 150  # images of a change, unless a budget says otherwise
ATTACKED, EXPLAINED = 50, 16  # images of an attack and of maps of evidence, which take longer


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyBudget:
    """``metric``: top1, map, ap50, ...; "": the first one of the task. The worst class is measured by recall or AP."""

    metric: str = ""
    min_percent: float | None = None
    worst_class_min_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBudget:
    """``by`` is a group key as of `edgecnn evaluate --group-by`; the gap is that from the best to the worst group."""

    by: str
    worst_min_percent: float | None = None
    gap_max_points: float | None = None

    def __post_init__(self) -> None:
        parse_group_key(self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBudget:
    """The expected calibration error."""

    ece_max_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropBudget:
    """What a file may lose against the float ``reference``, on the same images; "" where an export gives it."""

    reference: str = ""
    max_points: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBudget:
    """The accuracy at one ``level`` of a ``change`` of `edgecnn robustness`."""

    change: str
    level: float
    images: int = EVALUATED
    min_percent: float | None = None

    def __post_init__(self) -> None:
        own = find_transformation(self.change)
        own.check(self.level)
        if own.group == "scene":
            raise InputError(f"{self.change} is done by the renderer", f"write {self.change}={self.level:g} into data")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackBudget:
    """The accuracy under an attack of `edgecnn attack`; ``checkpoint`` gives gradients."""

    method: Literal["noise", "fgsm", "pgd", "square"]
    eps_grey_levels: int
    images: int = ATTACKED
    queries: int = 100
    steps: int = 10
    checkpoint: str = ""
    min_percent: float | None = None

    def __post_init__(self) -> None:
        if self.checkpoint and self.method not in ("fgsm", "pgd"):
            raise InputError(f"{self.method} needs no checkpoint", "leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceBudget:
    """The share of the evidence that lies on the object, and how far that is beyond chance, as in `edgecnn shortcuts`."""

    method: str = AUTO
    images: int = EXPLAINED
    masks: int = MASKS
    inside_min_percent: float | None = None
    beyond_chance_min_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBudget:
    """Latency by one ``clock``; ``threads`` None: all processors."""

    clock: Clock = "task"
    threads: int | None = None
    protocol: Literal["quick", "full"] = "quick"
    mean_max_ms: float | None = None
    p50_max_ms: float | None = None
    p99_max_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeBudget:
    """The size of the file with its weights, in 10^6 bytes."""

    max_mb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBudget:
    """The peak memory of a process that loads and runs the file."""

    peak_max_mib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Budgets, and the dataset of those that need one: its address ``data``, ``split``, at most ``limit`` images.

    ``seed`` decides all that is random. ``certain``: the whole 95 % interval has to keep to a budget. ``name`` and ``sha256`` are those of
    the file. Raises ``InputError`` without a budget, for a table without one, and where the dataset is missing.
    """

    data: str = ""
    split: str | None = None
    limit: int | None = None
    seed: int = 0
    certain: bool = False
    accuracy: AccuracyBudget | None = None
    groups: GroupBudget | None = None
    calibration: CalibrationBudget | None = None
    drop: DropBudget | None = None
    robustness: tuple[ChangeBudget, ...] = ()
    attack: tuple[AttackBudget, ...] = ()
    evidence: EvidenceBudget | None = None
    latency: LatencyBudget | None = None
    size: SizeBudget | None = None
    memory: MemoryBudget | None = None
    name: str = "policy"
    sha256: str = ""

    def __post_init__(self) -> None:
        tables = [(name, one) for name in TABLES for one in self._tables(name)]
        if not tables:
            raise InputError(
                "the policy has no budget, so any file would pass", "add one, such as [accuracy] with min_percent = 80"
            )
        for name, one in tables:
            limits = [field.name for field in fields(one) if "_max_" in f"_{field.name}" or "_min_" in f"_{field.name}"]
            if all(getattr(one, limit) is None for limit in limits):
                raise InputError(f"[{name}] has no limit", f"give {' or '.join(limits)}")
        needing = [name for name, _ in tables if name in OF_DATA]
        if needing and not self.data:
            raise InputError(f"[{needing[0]}] needs a dataset", 'add data = "ADDRESS" at the top')

    def _tables(self, name: str) -> tuple[Any, ...]:
        found = getattr(self, name)
        if isinstance(found, tuple):
            return found
        return () if found is None else (found,)

    @property
    def shares_the_run(self) -> bool:
        """Whether a budget needs the run over the whole dataset."""
        return any(one is not None for one in (self.accuracy, self.groups, self.calibration, self.drop))

    @property
    def needs_data(self) -> bool:
        """Whether a budget needs the dataset."""
        return self.shares_the_run or bool(self.robustness or self.attack or self.evidence)


OF_DATA: Final = ("accuracy", "groups", "calibration", "drop", "robustness", "attack", "evidence")
TABLES: Final = (*OF_DATA, "latency", "size", "memory")
