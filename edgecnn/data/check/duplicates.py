"""Finds images that occur twice in a dataset: the same pixels, or nearly the same picture (a copy in other quality or size).

Near copies are found by a difference hash of 256 bits (Krawetz 2013, "Kind of like that": https://www.hackerfactor.com/blog/?/archives/529)
and confirmed by a small gray picture, because images of few details have similar hashes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.data.calibration import fingerprint
from edgecnn.types import Image

SIDE = 16  # the hash compares neighbours in a picture of 17 x 16 pixels
SMALL = 8
MOST_BITS = 10  # of 256 that may differ
MOST_GRAY = 3.0  # mean difference of the small pictures, in gray levels
MOST_PAIRS = 10_000
DIGEST = 16  # bytes of a SHA-256: 128 bits tell any number of images apart
BLOCK = 64
# The set bits of each number of 16 bits; NumPy 2 counts them itself.
_BITS = np.array([bin(number).count("1") for number in range(1 << 16)], np.uint8)


@dataclass
class Fingerprints:
    """Fingerprints of images in the order they are added: 112 bytes for each."""

    _digests: list[bytes] = field(default_factory=list)
    _hashes: bytearray = field(default_factory=bytearray)
    _small: bytearray = field(default_factory=bytearray)

    def add(self, image: Image) -> None:
        """Add an image (H, W, 3) uint8."""
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        tiny = cv2.resize(gray, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
        self._digests.append(bytes.fromhex(fingerprint(image))[:DIGEST])
        self._hashes += np.packbits(tiny[:, 1:] > tiny[:, :-1]).tobytes()
        self._small += cv2.resize(gray, (SMALL, SMALL), interpolation=cv2.INTER_AREA).tobytes()

    def __len__(self) -> int:
        return len(self._digests)

    def like(self, image: Image) -> int | None:
        """The index of an added image that looks the same as ``image``, or has equal pixels; None where there is none."""
        one = Fingerprints()
        one.add(image)
        hashes, small = self._pictures()
        own_hash, own_small = one._pictures()
        near = np.nonzero(_bits(hashes ^ own_hash).sum(1, dtype=np.int64) <= MOST_BITS)[0]
        gap = np.abs(small[near].astype(np.int16) - own_small).mean(1)
        return next(iter(near[gap <= MOST_GRAY].tolist()), None)

    def _pictures(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """The hashes (n, 4) and the small pictures (n, 64)."""
        hashes = np.frombuffer(bytes(self._hashes), np.uint64).reshape(-1, SIDE * SIDE // 64)
        return hashes, np.frombuffer(bytes(self._small), np.uint8).reshape(-1, SMALL * SMALL)

    def copies(self) -> list[list[int]]:
        """The images with equal pixels: lists of two or more indices."""
        found: dict[bytes, list[int]] = defaultdict(list)
        for index, digest in enumerate(self._digests):
            found[digest].append(index)
        return [indices for indices in found.values() if len(indices) > 1]

    def near_copies(self, groups: Sequence[str] = ()) -> list[tuple[int, int]]:
        """Pairs of images that look the same but are not equal, at most ``MOST_PAIRS``, without pairs of one of the ``groups``.

        ``groups`` has a name for each image, "" for none: frames of one clip are expected to look alike.
        """
        first = {digest: index for index, digest in reversed(list(enumerate(self._digests)))}
        indices = np.array(sorted(first.values()), np.int64)
        hashes, small = self._pictures()
        pairs: list[tuple[int, int]] = []
        for one, other in _similar(hashes[indices], small[indices]):
            pair = int(indices[one]), int(indices[other])
            if groups and groups[pair[0]] and groups[pair[0]] == groups[pair[1]]:
                continue
            pairs.append((min(pair), max(pair)))
            if len(pairs) == MOST_PAIRS:
                break
        return sorted(pairs)


def _similar(hashes: NDArray[np.uint64], small: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Index pairs of hashes (n, 4) that differ in few bits and whose small pictures (n, 64) differ little."""
    # two hashes differ in at least as many bits as their numbers of set bits differ: sorted by it, only a window is compared
    total = _bits(hashes).sum(1, dtype=np.int64)
    order = np.argsort(total, kind="stable")
    total, hashes = total[order], np.ascontiguousarray(hashes[order])
    for start in range(0, len(order), BLOCK):
        block = hashes[start : start + BLOCK]
        end = int(np.searchsorted(total, total[start + len(block) - 1] + MOST_BITS, "right"))
        window = hashes[start:end]
        differing = np.zeros((len(block), len(window)), np.uint16)
        for word in range(hashes.shape[1]):
            differing += _bits(block[:, word, None] ^ window[None, :, word])
        rows, columns = np.nonzero(differing <= MOST_BITS)
        kept = columns > rows
        ones, others = order[start + rows[kept]], order[start + columns[kept]]
        gap = np.abs(small[ones].astype(np.int16) - small[others]).mean(1)
        yield from zip(ones[gap <= MOST_GRAY].tolist(), others[gap <= MOST_GRAY].tolist(), strict=True)


def _bits(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The number of set bits of each word."""
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(words), np.uint8)
    halves = np.ascontiguousarray(words).view(np.uint16).reshape(*words.shape, 4)
    return np.asarray(_BITS[halves].sum(-1), np.uint8)
