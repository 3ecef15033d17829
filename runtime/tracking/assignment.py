"""Solves linear assignment problems by the algorithm of Jonker and Volgenant (1987), with lapx."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.system_errors import missing_extra
from edgecnn.types import Array, Float32, Int64


def assign(similarity: Float32, at_least: float) -> tuple[Int64, Int64]:
    """Return row and column indices of the pairs with the highest total ``similarity`` (n, m) in 0..1.

    Each row and column is used at most once; pairs below ``at_least`` are left out. Raises ``MissingExtraError`` if lapx is not
    installed.
    """
    none = np.empty(0, np.int64)
    if not similarity.size:
        return none, none
    columns = _lapjv(1 - similarity.astype(np.float64), 1 - at_least)
    rows = np.flatnonzero(columns >= 0)
    columns = columns[rows]
    # Compared again in float32: 1 - similarity is rounded, and a pair exactly at the limit may pass or not.
    kept = similarity[rows, columns] >= at_least
    return rows[kept], columns[kept]


def load_lap() -> Any:
    """Return the module lap. Raises ``MissingExtraError`` if it is not installed."""
    try:
        import lap
    except ImportError as error:
        raise missing_extra(error, "lapx", "live") from error
    return lap


def _lapjv(cost: Array, limit: float) -> Int64:
    """Return the column of each row, -1 for none; pairs that cost more than ``limit`` are not formed."""
    # extend_cost pads the matrix to a square, which the algorithm needs when there are more boxes than tracks or fewer.
    _, columns, _ = load_lap().lapjv(cost, extend_cost=True, cost_limit=limit)
    return np.asarray(columns, np.int64)
