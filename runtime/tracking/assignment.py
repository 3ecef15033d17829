"""Linear assignment: the pairs of rows and columns with the highest total similarity (Jonker and Volgenant 1987), by lapx."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.errors import MissingExtraError
from edgecnn.types import Array, Float32, Int64


def assign(similarity: Float32, at_least: float) -> tuple[Int64, Int64]:
    """Row and column indices of pairs with a ``similarity`` (n, m) of ``at_least``; each row and column is used at most once.

    Raises ``MissingExtraError`` where lapx is not installed.
    """
    none = np.empty(0, np.int64)
    if not similarity.size:
        return none, none
    columns = _lapjv(1 - similarity.astype(np.float64), 1 - at_least)
    rows = np.flatnonzero(columns >= 0)
    columns = columns[rows]
    kept = similarity[rows, columns] >= at_least
    return rows[kept], columns[kept]


def load_lap() -> Any:
    """The module lap; raises ``MissingExtraError`` where it is not installed."""
    try:
        import lap
    except ImportError as error:
        raise MissingExtraError("lapx", "live") from error
    return lap


def _lapjv(cost: Array, limit: float) -> Int64:
    """The column of each row, -1 for none; pairs that cost more than ``limit`` are not made."""
    _, columns, _ = load_lap().lapjv(cost, extend_cost=True, cost_limit=limit)
    return np.asarray(columns, np.int64)
