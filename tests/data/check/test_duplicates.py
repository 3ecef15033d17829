"""Near copies are found by hashes; the search compares all pairs that can be alike."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.data.check import duplicates
from edgecnn.data.check.duplicates import MOST_BITS, Fingerprints, _bits, _similar


def test_the_search_finds_what_comparing_all_pairs_finds() -> None:
    random = np.random.default_rng(0)
    base = random.integers(0, 1 << 63, (40, 4), np.uint64)
    flips = np.uint64(1) << random.integers(0, 60, (300, 4)).astype(np.uint64)
    hashes = base[random.integers(0, 40, 300)] ^ np.where(random.random((300, 4)) < 0.7, flips, np.uint64(0))
    small = np.zeros((300, 64), np.uint8)
    distance = sum(_bits(hashes[:, None, word] ^ hashes[None, :, word]).astype(int) for word in range(4))
    wanted = {(one, other) for one, other in zip(*np.nonzero(distance <= MOST_BITS), strict=True) if one < other}
    assert {(min(pair), max(pair)) for pair in _similar(hashes, small)} == wanted
    assert len(wanted) > 100


def test_bits_are_counted_without_numpy_2() -> None:
    words = np.random.default_rng(1).integers(0, 1 << 63, (7, 4), np.uint64)
    wanted = [[bin(int(word)).count("1") for word in row] for row in words]
    assert _bits(words).tolist() == wanted
    halves = np.ascontiguousarray(words).view(np.uint16).reshape(7, 4, 4)
    assert duplicates._BITS[halves].sum(-1).tolist() == wanted


def test_frames_of_one_clip_are_no_near_copies() -> None:
    spots = np.random.default_rng(2).integers(40, 200, (32, 32, 3), np.uint8)
    prints = Fingerprints()
    for change in (0, 1, 2):
        prints.add(np.asarray(spots + change, np.uint8))
    assert prints.copies() == []
    assert prints.near_copies() == [(0, 1), (0, 2), (1, 2)]
    assert prints.near_copies(["a", "a", "b"]) == [(0, 2), (1, 2)]
    assert prints.near_copies(["", "", "b"]) == [(0, 1), (0, 2), (1, 2)]


def test_plain_images_of_other_brightness_are_not_alike() -> None:
    prints = Fingerprints()
    for level in (0, 100, 100, 200):
        prints.add(np.full((20, 20, 3), level, np.uint8))
    assert prints.copies() == [[1, 2]]
    assert prints.near_copies() == []


def test_one_image_is_looked_for_among_many() -> None:
    random = np.random.default_rng(3)
    images = [cv2.resize(random.integers(0, 255, (6, 6, 3), np.uint8), (90, 60)) for _ in range(20)]
    prints = Fingerprints()
    assert prints.like(images[0]) is None
    for image in images:
        prints.add(image)
    assert prints.like(images[7]) == 7
    assert prints.like(cv2.resize(images[11], (45, 30), interpolation=cv2.INTER_AREA)) == 11
    assert prints.like(np.ascontiguousarray(images[7][::-1])) is None
    assert prints.like(np.asarray(images[7] // 2, np.uint8)) is None  # a similar hash, but another brightness
