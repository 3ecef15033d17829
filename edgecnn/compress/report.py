"""Writes the report of a compression run: accuracy, cost and latency of every variant as JSON, Markdown and a plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.compress.cost import NetworkCost, cost_of
from edgecnn.compress.pareto import ParetoPoint, draw
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.metrics.score import TITLES
from edgecnn.tasks import find

JSON, MARKDOWN, PLOT = "report.json", "report.md", "pareto.png"
SCHEMA_VERSION = 2  # of report.json; 1 had no version, and fields without units


@dataclass(frozen=True, slots=True)
class MeasuredVariant:
    """One exported file of a variant, with what was measured on this device, None where it was not.

    The latencies are medians: of the inference alone, and from image to result. ``noisy_because`` are the reasons for which the
    measurement is noisy, none where it is stable.
    """

    format: str
    precision: str
    size_bytes: int
    accuracy: float | None = None
    model_latency_ms: float | None = None
    task_latency_ms: float | None = None
    noisy_because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One checkpoint: the name of its step, its cost, its accuracy (0..1) as evaluated by its own training, and its files."""

    name: str
    cost: NetworkCost
    metric: str
    accuracy: float | None
    data: str
    files: tuple[MeasuredVariant, ...] = ()


@dataclass(frozen=True, slots=True)
class CompressionReport:
    """Variants in the order of the steps, with the command, the device and the protocol of the measurement."""

    variants: tuple[Variant, ...]
    command: str = ""
    device: str = ""
    protocol: str = ""

    def write(self, folder: Path) -> list[Path]:
        """Write report.json, report.md and pareto.png; gives their paths."""
        write_file(folder / JSON, dump_json({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=1))
        write_file(folder / MARKDOWN, self.to_markdown())
        draw("Accuracy against cost: up and to the left is better", self.panels(), folder / PLOT)
        return [folder / name for name in (JSON, MARKDOWN, PLOT)]

    def to_markdown(self) -> str:
        """Tables of checkpoints and of files."""
        parts = ["# Compression", *(f"`{text}`" for text in (self.command,) if text), "## Networks", _table(self._networks())]
        files = self._files()
        if len(files) > 1:
            how = f"{self.device}, {self.protocol} protocol; median latency of one image, all files measured in turns in one run."
            parts += ["## Files", how, _table(files)]
            parts += self._noise()
        return "\n\n".join([*parts, f"![Accuracy against cost]({PLOT})"]) + "\n"

    def _networks(self) -> list[list[str]]:
        rows = [["network", self.variants[0].metric if self.variants else "", "parameters", "MACs", "of the first", "file"]]
        for own in self.variants:
            part = own.cost.macs / max(self.variants[0].cost.macs, 1)
            accuracy = percent(own.accuracy)
            rows.append(
                [own.name, accuracy, f"{own.cost.parameters:,}", f"{own.cost.macs:,}", f"{part:.0%}", size(own.cost.size_bytes)]
            )
        return rows

    def _files(self) -> list[list[str]]:
        rows = [["network", "format", "precision", "accuracy", "size", "model ms", "task ms", "verdict"]]
        for own, file in self._pairs():
            verdict = "-" if file.task_latency_ms is None else "NOISY" if file.noisy_because else "STABLE"
            times = [milliseconds(file.model_latency_ms), milliseconds(file.task_latency_ms), verdict]
            rows.append([own.name, file.format, file.precision, percent(file.accuracy), size(file.size_bytes), *times])
        return rows

    def _pairs(self) -> Iterable[tuple[Variant, MeasuredVariant]]:
        return ((own, file) for own in self.variants for file in own.files)

    def _noise(self) -> list[str]:
        """The reasons for noise that all files share; those of single files are in the JSON."""
        reasons = [set(file.noisy_because) for _, file in self._pairs()]
        shared = sorted(set.intersection(*reasons)) if reasons else []
        return [f"NOISY, all files: {'; '.join(shared)}."] if shared else []

    def panels(self) -> Mapping[str, Sequence[ParetoPoint]]:
        """Points by the title of their horizontal axis: MACs, then the latency in each format."""
        found: dict[str, list[ParetoPoint]] = {"MACs": []}
        for own in self.variants:
            if own.accuracy is not None:
                found["MACs"].append(ParetoPoint(own.name, own.cost.macs, own.accuracy, "fp32"))
        for own, file in self._pairs():
            if file.task_latency_ms is not None and file.accuracy is not None:
                # one panel per format: networks are compared within one engine
                title = f"{file.format}, task latency in ms"
                found.setdefault(title, []).append(ParetoPoint(own.name, file.task_latency_ms, file.accuracy, file.precision))
        return {title: points for title, points in found.items() if points}


def variant(checkpoint: Path, name: str = "", files: Sequence[MeasuredVariant] = ()) -> Variant:
    """A row of a report; raises what ``load_checkpoint`` raises."""
    cost, card = cost_of(checkpoint)
    metric, accuracy, data = _score(card)
    return Variant(name or checkpoint.stem, cost, metric, accuracy, data, tuple(files))


def _score(card: ModelCard) -> tuple[str, float | None, str]:
    """Title and value of the primary metric in a card, and the dataset that it was computed on."""
    scores: Mapping[str, Any] = card.training.get("scores", {})
    key = find(card.task).metric
    where = f"{scores.get('data', '')} {scores.get('part', '')}".strip()
    return TITLES[key], scores.get(key), where


def percent(value: float | None) -> str:
    """A percentage with two decimals, or a dash for None."""
    return "-" if value is None else f"{value:.2%}"


def milliseconds(value: float | None) -> str:
    """Milliseconds with three significant digits, or a dash for None."""
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def size(count: int) -> str:
    """Bytes as MB or kB."""
    return f"{count / 1e6:.2f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column aligned left, the others right."""
    head, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" + "|--:" * (len(rows[0]) - 1) + "|", *rest])
