"""How far the outputs of one file on two processors differ: values, bits and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.parity import TOLERANCES, tensor_error, value_range
from edgecnn.postprocess import decode
from edgecnn.tasks import compare
from edgecnn.types import Array


@dataclass(frozen=True)
class Difference:
    """``largest`` and ``mean`` are shares of the range of an output, the worst output counts; ``equal`` is the share of values that
    are the same bit for bit, ``agreement`` that of labels or boxes, None where there are none.
    """

    images: int
    largest: float
    mean: float
    equal: float
    agreement: float | None


def difference(names: Sequence[str], first: Sequence[Array], second: Sequence[Array], card: ModelCard | None) -> Difference:
    """Compare outputs of shape (images, *output), given by ``names``; predictions with ``card``. Shapes must be equal."""
    errors = [tensor_error(a, b, value_range([a])) for a, b in zip(first, second, strict=True)]
    size = sum(array.size for array in first)
    same = sum(int(np.count_nonzero(a == b)) for a, b in zip(first, second, strict=True))
    return Difference(
        images=len(first[0]),
        largest=max(error.largest for error in errors),
        mean=max(error.mean for error in errors),
        equal=same / size,
        agreement=None if card is None else _agreement(names, first, second, card),
    )


def _agreement(names: Sequence[str], first: Sequence[Array], second: Sequence[Array], card: ModelCard) -> float | None:
    pairs = []
    for index in range(len(first[0])):
        one, other = (
            decode({name: array[index] for name, array in zip(names, side, strict=True)}, card) for side in (first, second)
        )
        pairs.append(compare(one, other, TOLERANCES[card.precision]))
    total = sum(pair.total for pair in pairs)
    return sum(pair.same for pair in pairs) / total if total else None
