"""Measures a candidate: the file written, run by its engine, and compared with PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.export.budget.noise import MOST_DB, signal_to_noise
from edgecnn.export.config import SUFFIXES
from edgecnn.export.nms.attach import save_program
from edgecnn.export.quiet import quiet
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.parity import comparable, verify
from edgecnn.export.verify.probes import REAL_KINDS
from edgecnn.export.verify.reference import Evidence
from edgecnn.integrity.digest import sealed
from edgecnn.tasks import find


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a file loses against PyTorch: ``drop`` in points of ``measure``, signal to noise of its outputs in decibels.

    ``violations`` are what the verification finds out of tolerance, ``size`` the bytes of the file, 0 where none could be made.
    ``drop`` is None for a file out of tolerance that was not measured on the dataset, because it will not be kept anyway.
    """

    drop: float | None
    measure: str
    decibels: float
    size: int
    violations: tuple[str, ...] = ()

    def within(self, budget: float) -> bool:
        """Whether the file is verified and loses at most ``budget`` points."""
        return not self.violations and self.drop is not None and self.drop <= budget

    @property
    def points(self) -> str:
        """The drop as text."""
        return "-" if self.drop is None else f"{self.drop:.2f}"


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Writes programs of one ``format`` into ``folder`` and measures them against ``evidence`` and, with labels, ``accuracy``."""

    format: str
    card: ModelCard
    evidence: Evidence
    accuracy: Accuracy | None
    folder: Path

    @property
    def measure(self) -> str:
        """What the budget is counted in."""
        if self.accuracy is not None:
            return self.accuracy.pytorch.primary_title
        return "agreement" if find(self.card.task).by_parts else "mean error"

    def failed(self, reason: str) -> TrialResult:
        """The outcome of a program that could not be made or run."""
        return TrialResult(100.0, self.measure, -MOST_DB, 0, (reason,))

    def write(self, program: Any, name: str, precision: str = "int8") -> Path:
        """The program as a file with a card."""
        path = self.folder / f"{name}{SUFFIXES[self.format]}"
        with quiet():
            save_program(program, path, self.format, self.card)
        _, content = sealed(path, self.card.replace(precision=precision), {})
        path.write_bytes(content)
        return path

    def __call__(self, program: Any, name: str = "candidate", precision: str = "int8") -> TrialResult:
        """The outcome of ``program``."""
        path = self.write(program, name, precision)
        parity, outputs = verify(path, self.evidence)
        real = [
            (want.outputs, comparable(self.evidence, want, have))
            for probe, want, have in zip(self.evidence.probes, self.evidence.outputs, outputs, strict=True)
            if probe.kind in REAL_KINDS
        ]
        names = self.evidence.reference.names
        expected, got = ([np.concatenate([pair[side][name] for pair in real]) for name in names] for side in (0, 1))
        rows = [row for row in parity.rows if row.kind in REAL_KINDS]
        drop: float | None
        if self.accuracy is not None:
            drop = None if parity.violations else self.accuracy_drop(path)
        elif not find(self.card.task).by_parts:
            drop = max(row.worst.mean for row in rows) * 100
        else:
            drop = max(1 - row.agree if row.agree is not None else 0.0 for row in rows) * 100
        return TrialResult(drop, self.measure, signal_to_noise(expected, got), size_of(path), tuple(parity.violations))

    def accuracy_drop(self, path: Path) -> float | None:
        """Points that the file at ``path`` loses on the dataset, None without one."""
        if self.accuracy is None:
            return None
        found = self.accuracy.measure(path)
        return (found.pytorch - found.artifact) * 100


def size_of(path: Path) -> int:
    """Bytes of a model file, with the .bin of an OpenVINO model."""
    return sum(part.stat().st_size for part in {path, path.with_suffix(".bin")} if part.exists())
