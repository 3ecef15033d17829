"""The report of a compression: every variant with its accuracy, cost and measured latency, as JSON, Markdown and a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.compress.cost import Cost, cost_of
from edgecnn.compress.pareto import Point, draw
from edgecnn.files import write_file

JSON, MARKDOWN, PICTURE = "report.json", "report.md", "pareto.png"


@dataclass(frozen=True, slots=True)
class Measured:
    """One exported file of a variant: its size, and what was measured on this device, None where it was not.

    ``model_ms`` and ``task_ms`` are medians of the two clocks; ``doubts`` say why they are not to be trusted.
    """

    format: str
    precision: str
    bytes: int
    accuracy: float | None = None
    model_ms: float | None = None
    task_ms: float | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One checkpoint: the name of its step, what it costs, its accuracy (0..1) as its own training measured it, and its files."""

    name: str
    cost: Cost
    metric: str
    accuracy: float | None
    data: str
    files: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Variants in the order of the steps, and for the reader: the command, the device, how it was measured."""

    variants: tuple[Variant, ...]
    command: str = ""
    device: str = ""
    protocol: str = ""

    def write(self, folder: Path) -> list[Path]:
        """Write report.json, report.md and pareto.png; gives their paths."""
        write_file(folder / JSON, json.dumps(asdict(self), indent=1))
        write_file(folder / MARKDOWN, self.to_markdown())
        title = "Accuracy against cost: up and to the left is better"
        draw(title, self.panels(), folder / PICTURE)
        return [folder / name for name in (JSON, MARKDOWN, PICTURE)]

    def to_markdown(self) -> str:
        """Tables of checkpoints and of files."""
        parts = ["# Compression", *(f"`{text}`" for text in (self.command,) if text), "## Networks", _table(self._networks())]
        files = self._files()
        if len(files) > 1:
            how = f"{self.device}, {self.protocol} protocol; median latency of one image, all files measured in turns in one run."
            parts += ["## Files", how, _table(files)]
            parts += self._doubts()
        return "\n\n".join([*parts, f"![Accuracy against cost]({PICTURE})"]) + "\n"

    def _networks(self) -> list[list[str]]:
        rows = [["network", self.variants[0].metric if self.variants else "", "parameters", "MACs", "of the first", "file"]]
        for own in self.variants:
            part = own.cost.macs / max(self.variants[0].cost.macs, 1)
            accuracy = percent(own.accuracy)
            rows.append(
                [own.name, accuracy, f"{own.cost.parameters:,}", f"{own.cost.macs:,}", f"{part:.0%}", size(own.cost.bytes)]
            )
        return rows

    def _files(self) -> list[list[str]]:
        rows = [["network", "format", "precision", "accuracy", "size", "model ms", "task ms", "verdict"]]
        for own, file in self._pairs():
            verdict = "-" if file.task_ms is None else "NOISY" if file.doubts else "STABLE"
            times = [milliseconds(file.model_ms), milliseconds(file.task_ms), verdict]
            rows.append([own.name, file.format, file.precision, percent(file.accuracy), size(file.bytes), *times])
        return rows

    def _pairs(self) -> Iterable[tuple[Variant, Measured]]:
        return ((own, file) for own in self.variants for file in own.files)

    def _doubts(self) -> list[str]:
        """Why all files are noisy; what is so of single ones is in the JSON."""
        told = [set(file.doubts) for _, file in self._pairs()]
        shared = sorted(set.intersection(*told)) if told else []
        return [f"NOISY, all files: {'; '.join(shared)}."] if shared else []

    def panels(self) -> Mapping[str, Sequence[Point]]:
        """Points by the title of the axis they are drawn against: MACs, then latency by format."""
        found: dict[str, list[Point]] = {"MACs": []}
        for own in self.variants:
            if own.accuracy is not None:
                found["MACs"].append(Point(own.name, own.cost.macs, own.accuracy, "fp32"))
        for own, file in self._pairs():
            if file.task_ms is not None and file.accuracy is not None:
                title = f"{file.format}, task latency in ms"
                found.setdefault(title, []).append(Point(own.name, file.task_ms, file.accuracy, file.precision))
        return {title: points for title, points in found.items() if points}


def variant(checkpoint: Path, name: str = "", files: Sequence[Measured] = ()) -> Variant:
    """A row of a report; raises what ``load_checkpoint`` raises."""
    cost, card = cost_of(checkpoint)
    metric, accuracy, data = _score(card)
    return Variant(name or checkpoint.stem, cost, metric, accuracy, data, tuple(files))


def _score(card: ModelCard) -> tuple[str, float | None, str]:
    """The main number that a training wrote into its card, and on what."""
    scores: Mapping[str, Any] = card.training.get("scores", {})
    key = {"classify": "top1", "detect": "map"}.get(card.task, "r2")
    title = {"top1": "top-1", "map": "mAP@50-95", "r2": "R²"}[key]
    where = f"{scores.get('data', '')} {scores.get('part', '')}".strip()
    return title, scores.get(key), where


def percent(value: float | None) -> str:
    """Two digits behind the point, or a dash."""
    return "-" if value is None else f"{value:.2%}"


def milliseconds(value: float | None) -> str:
    """Three digits that count, or a dash."""
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.2f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown: the first column to the left, the others to the right."""
    head, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" + "|--:" * (len(rows[0]) - 1) + "|", *rest])
