"""Reads IDX files, the format of MNIST and Fashion-MNIST (28 x 28 gray images): http://yann.lecun.com/exdb/mnist."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.data.sample import Dataset, LazySamples, Problem, Sample
from edgecnn.errors import InputError
from edgecnn.types import Image, Int64

PREFIX = {"train": "train", "test": "t10k"}
# bytes of the magic number: 0, 0, data type (8 is uint8), number of dimensions
MOST_SIDE = 1 << 16  # pixels of an image
DEFLATE_RATIO = 1100  # RFC 1951 allows 258 bytes for 2 bits: 1032 times, and a header
IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801
FASHION_LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)  # fmt: skip
# MNIST and Fashion-MNIST have the same file names; the labels themselves tell which it is.
# sha256 of all training labels and of all test labels, as uint8
FASHION_DIGESTS = {
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
}


def find_files(folder: Path, split: str) -> tuple[Path, Path] | None:
    """Paths of the image file and the label file of a split, plain or .gz; None if both are missing."""
    names = (f"{PREFIX[split]}-images-idx3-ubyte", f"{PREFIX[split]}-labels-idx1-ubyte")
    found = [next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None) for name in names]
    if found[0] is None and found[1] is None:
        return None
    for name, path in zip(names, found, strict=True):
        if path is None:
            raise InputError(f"{folder} lacks {name}.gz, the other file of a pair", "copy or download it")
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


def evidence(path: Path) -> str:
    """The name of a file such as ``*-idx?-ubyte*`` in the folder."""
    return min((file.name for file in path.glob("*-idx?-ubyte*")), default="") if path.is_dir() else ""


def splits(folder: Path) -> tuple[str, ...]:
    """The splits whose files are in the folder: "train", "test" or both."""
    return tuple(split for split in PREFIX if find_files(folder, split))


def read_arrays(folder: Path | str, split: str) -> tuple[NDArray[np.uint8], Int64]:
    """All images (N, H, W) uint8 and labels (N,) int64 of the split "train" or "test".

    Raises ``InputError`` for files that are missing, truncated, not IDX, or that do not belong together.
    """
    folder = Path(folder)
    if split not in PREFIX:
        raise InputError(f"IDX files have no split {split!r}", "use train or test")
    found = find_files(folder, split)
    if found is None:
        problem = f"has no {PREFIX[split]}-images-idx3-ubyte.gz" if folder.is_dir() else "does not exist"
        raise InputError(
            f"{folder} {problem}", "name the folder with the IDX files, or download them with: edgecnn train ... --download"
        )
    images, labels = _read(found[0], IMAGES_MAGIC), _read(found[1], LABELS_MAGIC)
    if len(images) != len(labels):
        raise InputError(f"{folder} has {len(images)} images, but {len(labels)} labels", "copy both files again")
    return images, labels.astype(np.int64)


def _read(path: Path, magic: int) -> NDArray[np.uint8]:
    """One IDX file: magic, sizes as big-endian uint32, then the bytes."""
    rank = magic & 0xFF  # the last byte of the magic number
    begin = _unpacked(path, 4 + 4 * rank)
    header = [int(value) for value in np.frombuffer(begin[: len(begin) // 4 * 4], ">u4")]
    if len(header) < 1 + rank or header[0] != magic:
        shown = f"begins with {begin[:4].hex()} instead of {magic:08x}" if begin else "is empty"
        if begin and header[:1] == [magic]:
            shown = "ends in its header"
        raise InputError(f"{path} is not an IDX file of this kind: it {shown}", "copy it again")
    shape = header[1:]
    if not all(1 <= side <= MOST_SIDE for side in shape[1:]):
        sides = " x ".join(map(str, shape[1:]))
        raise InputError(f"{path} says that its images have {sides} pixels", "copy it again, it is damaged")
    expected = math.prod(shape)
    # deflate can't expand further, so nothing is allocated for a size that is wrong
    if expected > path.stat().st_size * (DEFLATE_RATIO if path.suffix == ".gz" else 1):
        raise InputError(f"{path} is too small for the {expected:,} bytes of data that it announces", "copy it again")
    data = _unpacked(path, len(begin) + expected + 1)
    there = len(data) - len(begin)
    if expected != there:
        how_many = f"{there} of {expected}" if there < expected else f"more than {expected}"
        raise InputError(f"{path} has {how_many} bytes of data", "copy it again, it is cut or damaged")
    # a view of the file's bytes: no copy
    return np.frombuffer(data, np.uint8, offset=len(begin)).reshape(shape)


def _unpacked(path: Path, most: int) -> bytes:
    """The first ``most`` bytes of the content."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return stream.read(most)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"can't unpack {path} ({error})", "copy it again, it is cut or damaged") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}", "check the path and its permissions") from error


def label_names(folder: Path, labels: Int64) -> tuple[str, ...]:
    """Fashion-MNIST's class names if the digest of the labels or the folder's name identifies it, else digits."""
    digest = hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest()
    if digest in FASHION_DIGESTS or "fashion" in folder.resolve().name.lower():
        return FASHION_LABELS
    return tuple(str(index) for index in range(max(10, int(labels.max(initial=0)) + 1)))


def load(folder: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """The dataset of one split, or of all splits; images are read as (H, W, 3) uint8 BGR."""
    # both splits without one: names begin with the split, so that they stay unique
    parts = [(name, *read_arrays(folder, name)) for name in ([split] if split else splits(folder))]
    sizes = {part[1].shape[1:] for part in parts}
    if len(sizes) > 1:
        shown = " and ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise InputError(f"the splits of {folder} have images of {shown} pixels", "name one split")
    images = np.concatenate([part[1] for part in parts])
    truth = np.concatenate([part[2] for part in parts])
    names = [f"{part[0]}/{index:05d}" for part in parts for index in range(len(part[1]))]
    labels = labels or label_names(folder, parts[0][2])
    known = np.flatnonzero(truth < len(labels))

    def make(place: int) -> Sample:
        index = int(known[place])
        return Sample(names[index], lambda: _bgr(images[index]), label=int(truth[index]), image_id=index)

    problems = [_unknown(names[index], int(truth[index]), len(labels)) for index in np.flatnonzero(truth >= len(labels))]
    samples = LazySamples(len(known), make)
    read = ", ".join(found[0].name for part in parts if (found := find_files(folder, part[0])))
    return Dataset(folder.resolve().name, "classify", labels, samples, tuple(problems), split or "", evidence=read)


def _unknown(name: str, label: int, classes: int) -> Problem:
    return Problem(name, f"the class {label} where there are {classes} (0 to {classes - 1}); left out")


def _bgr(gray: NDArray[np.uint8]) -> Image:
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
