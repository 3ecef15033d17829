"""Numbers, names and shapes in records and lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgecnn.labels import label_of


def value_text(value: float) -> str:
    """Format a value with four significant digits."""
    # "#" keeps trailing zeros, so that the width of the text does not change from frame to frame.
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def rounded(value: float) -> float | None:
    """Round to seven digits, the precision of float32; NaN and infinity, which JSON does not have, become None."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def named_score(labels: Sequence[str], class_id: int, score: float) -> dict[str, Any]:
    """The record of a class: label, id and score with four digits (None where it is not finite)."""
    kept = round(float(score), 4) if math.isfinite(score) else None
    return {"label": label_of(labels, class_id), "class_id": class_id, "score": kept}


def shape_text(shape: Sequence[int]) -> str:
    """``1x4x64x64``."""
    return "x".join(map(str, shape))
