"""The result of a check: verdicts with their evidence, and where and when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.report.contact_sheet import SheetTile
from edgecnn.data import Dataset
from edgecnn.trust.attack.result import AttackLevel
from edgecnn.trust.gate.data_part import DataPart
from edgecnn.trust.gate.policy import Policy
from edgecnn.trust.gate.verdict import BudgetVerdict
from edgecnn.trust.invariance.result import LevelResult
from edgecnn.trust.shortcuts.effect import EvidenceSummary

SCHEMA, VERSION = "edgecnn.check", 1


@dataclass(frozen=True, slots=True)
class WrongPicture:
    """An image that the model gets wrong, as it is true and as the model sees it."""

    name: str
    words: str
    tiles: tuple[SheetTile, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CheckReport:
    """What a check found. ``dataset`` is "" where no budget needs one; ``seconds`` are by part; ``date`` is UTC in ISO 8601.

    ``benchmark`` is the document of `edgecnn benchmark`, with ``host`` where it was measured on a board.
    """

    file: Path
    format: str
    precision: str
    policy: Policy
    verdicts: tuple[BudgetVerdict, ...]
    seconds: Mapping[str, float]
    date: str
    version: str
    device: str
    dataset: str = ""
    split: str = ""
    images: int = 0
    data: DataPart | None = None
    changes: tuple[LevelResult, ...] = ()
    attacks: tuple[AttackLevel, ...] = ()
    evidence: EvidenceSummary | None = None
    benchmark: Mapping[str, Any] | None = None
    pictures: tuple[WrongPicture, ...] = ()
    samples: Dataset | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the file keeps to all budgets."""
        return not self.broken

    @property
    def broken(self) -> list[BudgetVerdict]:
        """The budgets that the file does not keep to."""
        return [one for one in self.verdicts if not one.keeps(certain=self.policy.certain)]

    def verdict_words(self, one: BudgetVerdict) -> str:
        """The verdict on one budget for a reader; where the policy asks for certainty, one that is not certain is none that passed."""
        return "not certain" if one.verdict == "not certain" and self.policy.certain else one.words

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn check --json`; docs/trust.md describes its fields."""
        own = self.data
        return {
            "schema": SCHEMA,
            "version": VERSION,
            **self.head(),
            "file": str(self.file),
            "format": self.format,
            "precision": self.precision,
            "budgets": [one.to_dict() for one in self.verdicts],
            "seconds": dict(self.seconds),
            "evaluation": None if own is None else own.accuracy.to_document(),
            "groups": None if own is None or own.groups is None else own.groups.to_document(),
            "benchmark": self.benchmark,
            "notes": list(self.notes),
        }

    def head(self) -> dict[str, Any]:
        """What identifies the check: result, policy, data, date, program and device."""
        data = {"name": self.dataset, "split": self.split, "images": self.images, "sha256": self.fingerprint}
        return {
            "passed": self.passed,
            "date": self.date,
            "edgecnn": self.version,
            "device": self.device,
            "policy": {"name": self.policy.name, "sha256": self.policy.sha256, "certain": self.policy.certain},
            "data": data if self.dataset else None,
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the images and what is true of them; "" where the whole dataset was not run."""
        return "" if self.data is None else self.data.fingerprint
