"""Run-length encoding of masks as COCO defines it; written here, because pycocotools is not in the base install.

The pixels of a mask are taken column by column. ``counts`` are the lengths of its runs of 0 and 1 in turn, the first of 0, perhaps of
length 0. The compressed form writes each count, from the fourth on its difference to the one two before it, in groups of five bits with
the least significant first and a sixth bit where more follow, as characters from "0" on: ``rleToString`` and ``rleFrString`` of
https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Array, Image

_GROUP, _MORE, _SIGN, _ZERO = 5, 0x20, 0x10, 48


def encode(mask: Array) -> dict[str, Any]:
    """A mask (H, W) of bool or 0 and 1 as ``{"size": [H, W], "counts": text}``, which pycocotools reads."""
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": compress(runs(mask))}


def decode(record: Any) -> NDArray[np.bool_]:
    """The mask (H, W) of a record with ``size`` and ``counts``, compressed text or a list of numbers.

    Raises ``ValueError`` where it is no such record, or the counts do not add up to the size.
    """
    try:
        height, width = (int(side) for side in record["size"])
        counts = record["counts"]
        counts = counts.decode("ascii") if isinstance(counts, bytes) else counts
        lengths = decompress(counts) if isinstance(counts, str) else [int(count) for count in counts]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"no run-length encoding with size and counts ({error})") from error
    if min([height, width, *lengths]) < 0 or sum(lengths) != height * width:
        raise ValueError(f"its counts add up to {sum(lengths)}, not to the {height} x {width} pixels of its size")
    values = np.arange(len(lengths)) % 2 == 1
    mask: NDArray[np.bool_] = np.repeat(values, lengths).reshape(width, height).T
    return mask


def runs(mask: Array) -> list[int]:
    """The lengths of the runs of 0 and 1 in turn, column by column."""
    pixels = np.concatenate([[False], np.asarray(mask, np.bool_).T.ravel()])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    lengths: list[int] = np.diff(np.concatenate([[0], changes, [pixels.size - 1]])).tolist()
    return lengths


def compress(counts: Sequence[int]) -> str:
    """Counts as the characters of the compressed form."""
    text = bytearray()
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            group = value & (_MORE - 1)
            value >>= _GROUP
            # the last group's highest bit is the sign: more groups follow until it agrees with the rest
            more = value != (-1 if group & _SIGN else 0)
            text.append((group | _MORE if more else group) + _ZERO)
    return text.decode("ascii")


def decompress(text: str) -> list[int]:
    """The counts of the compressed form; raises ``ValueError`` for text that ends within a count or has another character."""
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text:
        group = ord(letter) - _ZERO
        if not 0 <= group < 2 * _MORE:
            raise ValueError(f"the character {letter!r} is not part of a run-length encoding")
        value |= (group & (_MORE - 1)) << shift
        shift += _GROUP
        if group & _MORE:
            continue
        value -= (1 << shift) if group & _SIGN else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError("it ends within a count")
    return counts


def by_class(mask: Image) -> dict[int, dict[str, Any]]:
    """The encoding of each class id that a mask (H, W) has."""
    return {int(class_id): encode(mask == class_id) for class_id in np.unique(mask)}
