"""Run-length encoding of masks by COCO's definition."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.rle import by_class, compress, decode, decompress, encode, runs

SHAPES = ((1, 1), (3, 5), (64, 48), (200, 300))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_a_mask_comes_back(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(1).random(shape) < share
    assert (decode(encode(mask)) == mask).all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
@pytest.mark.parametrize("shape", SHAPES)
def test_pycocotools_writes_and_reads_the_same(shape: tuple[int, int]) -> None:
    tool = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(2)
    blob = np.zeros(shape, bool)
    blob[: shape[0] // 2 + 1, shape[1] // 3 :] = True
    for mask in (blob, rng.random(shape) < 0.3, np.zeros(shape, bool), np.ones(shape, bool)):
        theirs = tool.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert encode(mask) == {"size": list(theirs["size"]), "counts": theirs["counts"].decode()}
        assert (tool.decode(encode(mask)) == mask).all()


def test_runs_go_down_the_columns_and_begin_with_zeros() -> None:
    mask = np.array([[1, 0], [1, 1]])
    assert runs(mask) == [0, 2, 1, 1]
    assert runs(1 - mask) == [2, 1, 1]


def test_counts_of_any_size_come_back() -> None:
    counts = [0, 1, 15, 16, 31, 32, 1000, 5, 1 << 24, 0, 3]
    assert decompress(compress(counts)) == counts


def test_lists_of_numbers_are_read_too() -> None:
    assert decode({"size": [2, 2], "counts": [1, 2, 1]}).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    "record",
    [None, {}, {"size": [2, 2]}, {"size": [2, 2], "counts": [1]}, {"size": [2, 2], "counts": "\x01"}, {"size": [2, 2], "counts": "P"},
     {"size": [2, 2], "counts": [5, -1]}],
)  # fmt: skip
def test_what_is_no_encoding_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match=r"encoding|counts|pixels"):
        decode(record)


def test_each_class_gets_its_own() -> None:
    found = by_class(np.array([[0, 3], [3, 255]], np.uint8))
    assert set(found) == {0, 3, 255}
    assert decode(found[3]).tolist() == [[False, True], [True, False]]
