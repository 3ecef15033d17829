"""A robustness measurement as a JSON document and as CSV rows."""

from __future__ import annotations

import csv
import io
from typing import Any

from edgecnn.metrics.estimate import ends
from edgecnn.trust.invariance.result import CorruptionError, FileRobustness, LevelResult, Robustness

SCHEMA, VERSION = "edgecnn.robustness", 2  # version 1 had no interval of consistency
COLUMNS = ("file", "transformation", "level", "unit", "class", "metric", "value", "low", "high", "consistency", "images")


def to_document(found: Robustness) -> dict[str, Any]:
    """The JSON document of `edgecnn robustness --json`; docs/trust.md documents its fields."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "dataset": {"name": found.dataset, "split": found.split, "image_count": found.images, "available": found.available},
        "overlap": found.overlap.to_document(),
        "labels": list(found.labels),
        "metric": found.files[0].clean.metric,
        "seed": found.seed,
        "complete": found.complete,
        "transformations": [
            {
                "name": own.name,
                "group": own.group,
                "unit": own.unit,
                "levels": list(levels),
                "neutral": own.neutral,
                "parameters": own.parameters,
            }
            for own, levels in found.transformations
        ],
        "files": [_file(own) for own in found.files],
        "notes": list(found.notes),
    }


def to_csv(found: Robustness) -> str:
    """A row for each file, level and class; an empty class is the whole dataset, an empty transformation the images as they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for own in found.files:
        for one in (own.clean, *own.levels):
            for row in _rows(own, one):
                writer.writerow(["" if value is None else value for value in row])
    return out.getvalue()


def _rows(own: FileRobustness, one: LevelResult) -> list[list[Any]]:
    change = one.transformation
    head = [own.name, "", "", ""] if change is None else [own.name, change.name, f"{one.level:g}", change.unit]
    whole = [*head, "", one.metric, one.value, one.low, one.high, one.consistency, one.images]
    return [whole, *(_class_row(head, one, label) for label in one.per_class)]


def _class_row(head: list[Any], one: LevelResult, label: str) -> list[Any]:
    low, high = one.class_intervals.get(label, (None, None))
    return [*head, label, one.metric, one.per_class[label], low, high, None, one.images]


def _file(own: FileRobustness) -> dict[str, Any]:
    return {
        "name": own.name,
        "model": own.model,
        "file": own.file,
        "format": own.format,
        "precision": own.precision,
        "digest": own.digest,
        "clean": _level(own.clean),
        "levels": [_level(one) for one in own.levels],
        "corruption_error": None if own.corruption_error is None else _error(own.corruption_error),
    }


def _level(one: LevelResult) -> dict[str, Any]:
    change = {} if one.transformation is None else {"transformation": one.transformation.name, "level": one.level}
    return {
        **change,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "too_few_images": one.too_few,
        "consistency": one.consistency,
        "consistency_interval": ends(one.consistency_interval),
        "per_class": dict(one.per_class),
        "per_class_interval": {label: list(ends) for label, ends in one.class_intervals.items()},
        "support": dict(one.support),
    }


def _error(error: CorruptionError) -> dict[str, Any]:
    return {
        "baseline": error.baseline or None,
        "mean": error.mean,
        "interval": ends(error.interval),
        "relative": error.relative,
        "relative_interval": ends(error.relative_interval),
        "by_corruption": dict(error.by_corruption),
    }
