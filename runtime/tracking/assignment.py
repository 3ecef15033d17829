"""Solves linear assignment problems by the algorithm of Jonker and Volgenant (1987), with lapx."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.system_errors import missing_extra
from edgecnn.types import Array, Int64

LEAST_BENEFIT = 1e-3  # of an allowed pair: forming it is better than leaving both alone
NEVER = 10.0  # cost of a pair that is not allowed, above the limit of 1


def assign(similarity: Array, at_least: float, bonus: Array | None = None) -> tuple[Int64, Int64]:
    """Return row and column indices of the pairs with the highest total ``similarity`` + ``bonus`` (n, m), similarity in 0..1.

    Each row and column is used at most once; pairs with a ``similarity`` below ``at_least`` are left out. Raises
    ``MissingExtraError`` if lapx is not installed.
    """
    lap, allowed = load_lap() if similarity.size else None, similarity >= at_least
    if not allowed.any():
        none = np.empty(0, np.int64)
        return none, none
    if (allowed.sum(0) <= 1).all() and (allowed.sum(1) <= 1).all():
        rows, columns = np.nonzero(allowed)  # nothing to choose, as in most frames
        return rows, columns
    found = _lapjv(lap, _cost(similarity if bonus is None else similarity + bonus, allowed))
    rows = np.flatnonzero(found >= 0)
    kept = allowed[rows, found[rows]]
    return rows[kept], found[rows[kept]]


def load_lap() -> Any:
    """Return the module lap. Raises ``MissingExtraError`` if it is not installed."""
    try:
        import lap
    except ImportError as error:
        raise missing_extra(error, "lapx", "live") from error
    return lap


def _cost(benefit: Array, allowed: NDArray[np.bool_]) -> Array:
    return np.where(allowed, 1 - np.maximum(benefit, LEAST_BENEFIT), NEVER).astype(np.float64)


def _lapjv(lap: Any, cost: Array) -> Int64:
    """Return the column of each row, -1 for none; pairs that cost more than 1 are not formed."""
    # extend_cost pads the matrix to a square, which the algorithm needs when there are more boxes than tracks or fewer.
    _, columns, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0)
    return np.asarray(columns, np.int64)
