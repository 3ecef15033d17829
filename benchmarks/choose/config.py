"""The typed configuration of a choice: the options of `edgecnn benchmark --choose`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.candidates import thread_counts
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.cpus import usable_cpus
from edgecnn.engine_device import CPU, Device
from edgecnn.runtime.model.card_inference import CardOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseConfig:
    """Model files of one model, or folders of them, and what the choice has to keep to.

    ``engine``, ``threads``: try only these; None: all. ``data``: gives inputs and accuracy. ``max_minutes``: what is not measured then is
    left out, and said to be. ``not_exported``: files that could not be made, and why. ``again``: measure even where a choice is kept.
    ``require_signature``: public key that must have signed all files. Raises ``ValueError`` without files, for fewer than one thread and
    without time.
    """

    files: tuple[Path, ...]
    budget: Budget = field(default_factory=Budget)
    data: DatasetSelection | None = None
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    max_minutes: float = 3.0
    not_exported: tuple[str, ...] = ()
    again: bool = False
    json_path: Path | None = None
    require_signature: Path | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("a choice needs at least one model file; name one in files")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; give 1 or more, or None to try several numbers")

        if not self.max_minutes > 0:
            raise ValueError(f"max_minutes is {self.max_minutes}; give more than 0")

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """Numbers of threads to try, the highest first."""
        return thread_counts(usable_cpus()) if self.threads is None else (self.threads,)
