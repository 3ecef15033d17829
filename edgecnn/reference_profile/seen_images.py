"""Which images a model was trained or calibrated on: numbers in its card by which others can be compared, no image.

Of each image the card keeps the first bits of its content hash, so many that a foreign image is taken for it once in a million times.
Of more than ``MOST`` images it keeps every second, third, ... chosen by the hash: of another dataset the same ones are looked at.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError
from edgecnn.schema import SchemaError, integer, record, text
from edgecnn.types import Array

SEEN_KEY = "seen_images"  # in the records ``training`` and ``calibration`` of a card, which older versions read as notes
VERSION = 1
TRAINING, CALIBRATION = "training", "calibration"
MOST = 24_000  # images: less than 100 kB of text
GAP_BITS = 20  # a foreign image is taken for one of the set with a chance of 2**-20
MOST_RECORDS = 4  # a network trained further keeps the data of the networks that it comes from
_HASH_BITS = 64
_READ = 2 * MOST  # codes of a record: how many are kept depends on chance a little


@dataclass(frozen=True, slots=True, eq=False)
class SeenImages:
    """The images of one part: ``part`` is "training" or "calibration", ``data`` names the dataset, ``images`` is their number.

    ``codes`` are the first ``bits`` of the content hashes that ``every`` divides.
    """

    part: str
    data: str
    images: int
    every: int
    bits: int
    codes: frozenset[int]

    @classmethod
    def of(cls, part: str, data: str, hashes: Iterable[int]) -> SeenImages:
        """The images with these content hashes (``content_hash``), repeated ones included."""
        found = list(hashes)
        distinct = set(found)
        every = max(-(-len(distinct) // MOST), 1)
        kept = [one for one in distinct if one % every == 0]
        bits = min(GAP_BITS + max(len(kept) - 1, 0).bit_length(), _HASH_BITS)
        return cls(part, data, len(found), every, bits, frozenset(one >> (_HASH_BITS - bits) for one in kept))

    def compares(self, content: int) -> bool:
        """Whether an image with this hash would be kept if it were one of the set."""
        return content % self.every == 0

    def holds(self, content: int) -> bool:
        """Whether an image with this hash is one of the set; wrong once in a million times."""
        return self.compares(content) and content >> (_HASH_BITS - self.bits) in self.codes

    def to_record(self) -> dict[str, Any]:
        """Plain values for the card: ``codes`` are the gaps between the sorted codes, by bytes, compressed, in base64."""
        codes = np.array(sorted(self.codes), np.uint64)
        gaps = np.diff(codes, prepend=np.uint64(0)).astype("<u8")
        planes = gaps.view(np.uint8).reshape(-1, 8).T.tobytes()
        shown = base64.b64encode(zlib.compress(planes, 9)).decode()
        return {
            "version": VERSION,
            "dataset": self.data,
            "images": self.images,
            "every": self.every,
            "bits": self.bits,
            "codes": shown,
        }

    @classmethod
    def from_record(cls, part: str, found: Any, where: str) -> SeenImages:
        """Read plain values; raises ``ArtifactError`` that names ``where`` for values that are no record of this kind."""
        try:
            values = _RECORD(found, "")
            codes = _codes(values["codes"])
        except (ValueError, zlib.error) as error:  # SchemaError is a ValueError
            problem = f"the record of the {part} images in {where} can't be used ({error})"
            raise ArtifactError(problem, "train or export the model again") from error
        return cls(part, values["dataset"], values["images"], values["every"], values["bits"], frozenset(codes.tolist()))


def seen_record(part: str, data: str, hashes: Iterable[int], earlier: Sequence[Any] = ()) -> dict[str, Any]:
    """The entry for the record of a training or a calibration, {} without images; ``earlier`` records are kept beside the new one."""
    own = SeenImages.of(part, data, hashes)
    records = [own.to_record()] if own.images else []
    records += [one for one in earlier if one not in records]
    return {SEEN_KEY: records[:MOST_RECORDS]} if records else {}


def earlier_records(cards: Iterable[ModelCard]) -> list[Any]:
    """The records of the training images of other cards, for a network whose weights come from theirs."""
    return [one for card in cards for one in _records(card.training.get(SEEN_KEY, ()))]


def seen_images(card: ModelCard, where: str) -> tuple[SeenImages, ...]:
    """What the card says of the images of training and calibration; () for earlier files. Raises ``ArtifactError``."""
    notes: Mapping[str, Mapping[str, Any]] = {TRAINING: card.training, CALIBRATION: card.calibration}
    found = [(part, one) for part, own in notes.items() for one in _records(own.get(SEEN_KEY, ()))]
    return tuple(SeenImages.from_record(part, one, where) for part, one in found)


def _records(found: Any) -> list[Any]:
    """Those of this version; others are of a later edgecnn."""
    one_by_one = found if isinstance(found, list | tuple) else [found]
    return [one for one in one_by_one if not (isinstance(one, dict) and one.get("version", VERSION) != VERSION)]


def _codes(shown: str) -> Array:
    content = zlib.decompressobj().decompress(base64.b64decode(shown, validate=True), 8 * _READ + 1)
    if len(content) % 8 or len(content) > 8 * _READ:
        raise SchemaError("codes have another length")
    gaps = np.frombuffer(content, np.uint8).reshape(8, -1).T.copy().view("<u8").reshape(-1)
    return np.cumsum(gaps, dtype=np.uint64)


_RECORD = record(
    {
        "version": integer(VERSION, VERSION),
        "dataset": text(),
        "images": integer(1, 2**53),
        "every": integer(1, 2**53),
        "bits": integer(1, _HASH_BITS),
        "codes": text(most=1 << 18),
    }
)
