"""Lists the models that ship with edgecnn as a table, in detail and as JSON, for `edgecnn models`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from edgecnn import shipped
from edgecnn.card import ModelCard
from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.metrics.score import IN_UNITS, TITLES
from edgecnn.shown_scores import shown_scores
from edgecnn.tasks import find

WIDTH = 100


def to_document(name: str) -> dict[str, Any]:
    """Return the JSON document of a shipped model: number of parameters, size of each file in bytes by suffix, card."""
    card, parameters = shipped.read(name)
    return {"parameters": parameters, "size_bytes": _sizes(name), "card": json.loads(card.to_json())}


def _sizes(name: str) -> dict[str, int]:
    files = (shipped.checkpoint(name), shipped.FOLDER / f"{name}{shipped.ARTIFACT}")
    return {path.suffix.lstrip("."): path.stat().st_size for path in files if path.exists()}


def table() -> list[str]:
    """Return a table of all shipped models, one per line, with a heading."""
    head = ("name", "task", "input", "parameters", "weights", "int8 .onnx", "score", "classes")
    rows = [head]
    for name in shipped.names():
        card, parameters = shipped.read(name)
        sizes = _sizes(name)
        height, width = card.preprocess.size
        rows.append(
            (
                name,
                card.task,
                f"{height}x{width} {card.preprocess.color}",
                f"{parameters:,}",
                _megabytes(sizes["safetensors"]),
                _megabytes(sizes["onnx"]) if "onnx" in sizes else "-",
                _headline(card),
                _shortened(", ".join(card.labels), 40),
            )
        )
    return align_columns(rows, len(head)).splitlines()


def details(name: str) -> list[str]:
    """Describe one shipped model in lines: data, licence, score, weaknesses, training."""
    card, parameters = shipped.read(name)
    training, notes = card.training, card.training.get("notes", {})
    scores = training.get("scores", {})
    rows = [
        ("name", name),
        ("what", notes.get("what", "")),
        ("classes", ", ".join(card.labels)),
        ("input", f"{card.preprocess.size[0]} x {card.preprocess.size[1]} {card.preprocess.color}, {card.preprocess.resize}"),
        ("shown from", shown_scores(card).words(card.labels)),
        ("network", f"{card.model.get('name', '')}, {parameters:,} parameters"),
        ("files", ", ".join(f"{_megabytes(size)} .{kind}" for kind, size in _sizes(name).items())),
        ("score", f"{_headline(card)} on {scores.get('n', '?'):,} images of {scores.get('data', '?')}" if scores else ""),
        *(("and", f"{_values(values)} of {source}") for source, values in notes.get("measured", {}).items()),
        ("bad at", notes.get("bad_at", "")),
        ("trained on", notes.get("data") or ", ".join(training.get("data", []))),
        ("licence of the data", notes.get("licence", "")),
        ("attribution", notes.get("attribution", "")),
        ("command", training.get("command", "")),
        ("seed", str(training.get("seed", ""))),
        ("augmentation", ", ".join(f"{key} {value:g}" for key, value in training.get("augmentation", {}).items())),
        ("versions", ", ".join(f"{key} {training[key]}" for key in ("edgecnn", "torch", "python") if key in training)),
        ("source", card.source_commit),
        ("sha256", card.sha256[:16]),
    ]
    return as_lines(rows)


def as_lines(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values in two columns, without those that are empty; long values are wrapped."""
    width = max(len(key) for key, text in rows if text)
    return [line for key, text in rows if text for line in _wrapped(key, text, width)]


def _wrapped(key: str, text: str, width: int) -> list[str]:
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{(key if not index else '').ljust(width)}  {line}" for index, line in enumerate(lines)]


def _headline(card: ModelCard) -> str:
    """Format the main score with its 95 % confidence interval."""
    scores, key = card.training.get("scores", {}), find(card.task).metric
    if key not in scores:
        return "-"
    if key in IN_UNITS:
        return f"{TITLES[key]} {scores[key]:.1f}"
    low, high = (scores.get(f"{key}_{end}") for end in ("low", "high"))
    interval = f" ({100 * low:.1f} to {100 * high:.1f})" if low is not None and high is not None else ""
    return f"{TITLES[key]} {100 * scores[key]:.1f} %{interval}"


def _values(values: dict[str, Any]) -> str:
    shown = [f"{TITLES[key]} {100 * value:.1f} %" for key, value in values.items() if key in ("top1", "map", "ap50")]
    return f"{', '.join(shown)} on {counted(values['n'], 'image')}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
