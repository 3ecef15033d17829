"""The YAML at the top of a model card, by which the hub of Hugging Face finds models.

Its fields: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from edgecnn.metrics.score import TITLES
from edgecnn.task_names import TaskName
from edgecnn.trust.model_card.content import CardSources
from edgecnn.trust.model_card.figures import figures_of
from edgecnn.trust.model_card.results import EVALUATION, MeasuredResult

PIPELINES: Mapping[TaskName, str] = {
    "classify": "image-classification",
    "multilabel": "image-classification",
    "detect": "object-detection",
    "segment": "image-segmentation",
    "pose": "keypoint-detection",
    "embed": "image-feature-extraction",
    "restore": "image-to-image",
}
DIGITS = 6  # of the figures, after the point
METRICS = {"top1": "accuracy", "miou": "mean_iou", "r2": "r_squared"}  # names of the hub; others keep their own


def front_matter(sources: CardSources) -> str:
    """The metadata as YAML between two lines of three dashes; what is not known is left out."""
    text = yaml.safe_dump(metadata(sources), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{text}---\n"


def metadata(sources: CardSources) -> dict[str, Any]:
    """The fields of the metadata."""
    card, about, own = sources.card, sources.statements, sources.description
    precision = [card.precision] if card.precision in ("fp32", "fp16", "int8") else []
    evaluations = [one for one in sources.measured if one.schema == EVALUATION]
    found: dict[str, Any] = {
        "language": list(about.language),
        "license": about.license,
        "license_name": about.license_name,
        "license_link": about.license_link,
        "library_name": "edgecnn",
        "pipeline_tag": PIPELINES.get(card.task, ""),
        "base_model": about.base_model,
        "tags": list(dict.fromkeys(["edgecnn", own.format, *precision, *about.tags])),
        "datasets": list(about.datasets),
        "metrics": list(dict.fromkeys(METRICS.get(name, name) for one in evaluations for name in [*figures_of(one)][:1])),
        "model-index": [{"name": card.name, "results": [_result(card.task, one) for one in evaluations]}] if evaluations else [],
    }
    return {key: value for key, value in found.items() if value}


def _result(task: TaskName, measured: MeasuredResult) -> dict[str, Any]:
    data = measured.document["dataset"]
    dataset = {"type": re.sub(r"[^a-z0-9]+", "-", data["name"].lower()).strip("-") or "dataset", "name": data["name"]}
    if data.get("split"):
        dataset["split"] = data["split"]
    return {
        "task": {"type": PIPELINES.get(task, task), "name": PIPELINES.get(task, task).replace("-", " ").title()},
        "dataset": dataset,
        "metrics": [
            {"type": METRICS.get(name, name), "value": _rounded(value), "name": TITLES[name], "args": _args(ends, measured)}
            for name, (value, ends) in figures_of(measured).items()
            if value is not None
        ],
    }


def _args(ends: tuple[Any, Any], measured: MeasuredResult) -> dict[str, Any]:
    interval = {} if None in ends else {"confidence": 0.95, "low": _rounded(ends[0]), "high": _rounded(ends[1])}
    return {"images": measured.document["score"]["n"], **interval}


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
