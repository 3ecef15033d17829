"""The result of a search for shortcuts in one file: figures, findings, and pictures for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.data.overlap import Overlap
from edgecnn.metrics.estimate import Estimate, ends
from edgecnn.trust.shortcuts.effect import Effect, EvidenceSummary
from edgecnn.types import Float32, Image

SCHEMA, VERSION = "edgecnn.shortcuts", 2  # version 1 had no intervals of before and after


@dataclass(frozen=True, slots=True, eq=False)
class ChangedImage:
    """A changed image with what the model says of it; ``good``: whether a network that looks at the object would say so, None: unknown."""

    title: str
    image: Image
    boxes: Float32
    words: str
    good: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class ShortcutExample:
    """An image with its true class, what the model says, its attribution maps by method, and its variants."""

    name: str
    truth: str
    image: Image
    boxes: Float32
    words: str
    heat: Mapping[str, Float32]
    variants: tuple[ChangedImage, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ShortcutsReport:
    """Effects of all changes and the evidence by method, on ``images`` images; ``accuracy`` is recall for a detector."""

    file: Path
    format: str
    precision: str
    task: str
    dataset: str
    split: str
    seed: int
    images: int
    accuracy: Estimate
    effects: tuple[Effect, ...]
    evidence: tuple[EvidenceSummary, ...]
    notes: tuple[str, ...]
    examples: tuple[ShortcutExample, ...] = ()
    digest: str = ""
    overlap: Overlap = field(default_factory=Overlap)

    @property
    def findings(self) -> tuple[str, ...]:
        """A sentence for each shortcut that was shown. A map of evidence alone shows none: maps are too uncertain for that."""
        return tuple(_sentence(one) for one in self.effects if one.verdict == "uses")

    @property
    def verdict(self) -> str:
        """What was found: "shortcut", "possible shortcut", "no shortcut found", or "not shown" where no change could be judged.

        It is only possible where the dataset has no boxes: the object may be in the corners or at the borders.
        """
        if self.findings:
            return "shortcut" if any(one.change.needs_boxes for one in self.effects) else "possible shortcut"
        return "no shortcut found" if any(one.verdict == "does not use" for one in self.effects) else "not shown"

    def to_document(self) -> dict[str, Any]:
        """What the JSON document says of this file."""
        return {
            "file": self.file.name,
            "format": self.format,
            "precision": self.precision,
            "digest": self.digest,
            "dataset": {"name": self.dataset, "split": self.split},
            "overlap": self.overlap.to_document(),
            "seed": self.seed,
            "images": self.images,
            "accuracy": self.accuracy.to_dict(),
            "verdict": self.verdict,
            "findings": list(self.findings),
            "changes": [_change(one) for one in self.effects],
            "evidence": [one.to_dict() for one in self.evidence],
            "notes": list(self.notes),
        }


def document(reports: Sequence[ShortcutsReport]) -> dict[str, Any]:
    """The JSON document of `edgecnn shortcuts --json`; docs/trust.md explains its fields."""
    return {"schema": SCHEMA, "version": VERSION, "files": [one.to_document() for one in reports]}


def _change(one: Effect) -> dict[str, Any]:
    return {
        "name": one.change.name,
        "truth": one.change.truth,
        "images": one.images,
        "before": one.before.value,
        "before_interval": ends(one.before.interval),
        "after": one.after.value,
        "after_interval": ends(one.after.interval),
        "effect": one.effect.to_dict(),
        "verdict": one.verdict,
    }


def _sentence(one: Effect) -> str:
    if one.change.truth == "gone":
        return f"uses {one.change.where}: with the {one.change.title} the answers still tell {one.effect.shown()} of the classes"
    fall = f"accuracy {one.before.value:.2f} becomes {one.after.value:.2f}"
    return f"uses {one.change.where}: with the {one.change.title}, {fall}, change {one.effect.shown('+')}"
