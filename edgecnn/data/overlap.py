"""Notices that images on which a model is measured are among those that it was trained or calibrated on, by their content.

Images are compared while a measurement reads them, so that nothing is read twice. The same pixels under another name or in another file
format without loss are the same image; a copy that was compressed with loss or resized is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.data.sample import Dataset, LazySamples, Sample
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.reference_profile.collect import evenly
from edgecnn.reference_profile.content_hash import content_hash, is_blank
from edgecnn.reference_profile.seen_images import SeenImages, seen_images
from edgecnn.types import Image

REFUSED_SHARE = 0.01  # of the images: published datasets repeat a few of their training images in the test split
COUNTED = 1000  # images that are read to say how many are shared, once it is clear that the dataset is refused
SHOWN = 3
_SAYS = {True: "the figures say little of other images", False: "too few to change the figures much"}
FIX = "measure on images that the model has not seen, such as {}; --allow-overlap measures all the same and says so"
HELD_OUT_SPLIT = "a held-out split"  # where no address is known


class OverlapError(EdgeCnnError):
    """A model would be measured on images that it was trained or calibrated on. No ``InputError``: those of images are left out."""


@dataclass(slots=True)
class SharedImages:
    """How many images of a dataset were ``compared`` with one part of the data of a model ``file``, and how many are ``shared``.

    ``first`` are names of shared images.
    """

    file: str
    seen: SeenImages
    compared: int = 0
    shared: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, content: int, name: str, image: Image) -> None:
        """Compare an image; a blank one is not counted as shared."""
        if not self.seen.compares(content):
            return
        self.compared += 1
        if self.seen.holds(content) and not is_blank(image):
            self.shared += 1
            if len(self.first) < SHOWN:
                self.first.append(name)

    @property
    def is_too_many(self) -> bool:
        """Whether so many images are shared that the result says little of other images."""
        return self.shared > 0 and self.shared >= REFUSED_SHARE * self.compared

    def __str__(self) -> str:
        more = ", ..." if self.shared > len(self.first) else ""
        are = "is" if self.shared == 1 else "are"
        return (
            f"{self.shared:,} of {counted(self.compared, 'image')} compared {are} in the {self.seen.part} data of {self.file} "
            f"({', '.join(self.first)}{more})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "file": self.file,
            "part": self.seen.part,
            "dataset": self.seen.data,
            "compared": self.compared,
            "shared": self.shared,
            "first": list(self.first),
        }


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a measurement shares with the data of the models, () where no card says what those were; ``allowed`` by --allow-overlap."""

    parts: tuple[SharedImages, ...] = ()
    allowed: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each part with shared images, for the text and the page of a result."""
        return tuple(f"{part}: {_SAYS[part.is_too_many]}" for part in self.parts if part.shared)

    def to_document(self) -> dict[str, Any] | None:
        """For the JSON of a result; None where no card says what the model was trained or calibrated on."""
        if not self.parts:
            return None
        return {"allowed": self.allowed, "parts": [part.to_dict() for part in self.parts]}


class OverlapWatch:
    """Compares the images of ``dataset`` as they are read with those in the ``cards`` (by the name of their file).

    ``dataset`` is the one to read from. ``finish`` gives what was found. Unless ``allowed``, both raise ``OverlapError`` as soon as one
    percent of the images is shared; ``unseen`` then looks for the address of images to name instead, "" for none.
    Without a record in the cards the dataset is the given one, and nothing is compared.
    Raises ``ArtifactError`` for a broken record.
    """

    def __init__(
        self,
        cards: Mapping[str, ModelCard],
        dataset: Dataset,
        *,
        allowed: bool = False,
        unseen: Callable[[], str] = lambda: "",
    ) -> None:
        self._parts, self._unseen = _parts(cards), unseen
        self._source, self._allowed = dataset, allowed
        self._read: set[int] = set()
        self._is_refused = False
        self.dataset = dataset
        if self._parts:
            self.dataset = dataclasses.replace(dataset, samples=LazySamples(len(dataset), self._sample))

    def compare(self, most: int | None = COUNTED) -> None:
        """Read and compare up to ``most`` images, evenly spread (None: all), that were not read yet."""
        if self._parts:
            self._read_all(range(len(self._source)) if most is None else evenly(len(self._source), most))

    def finish(self) -> Overlap:
        """What was found in the images that were read. Raises ``OverlapError``."""
        if not self._allowed and any(part.is_too_many for part in self._parts):
            raise self._error()
        return Overlap(self._parts, self._allowed)

    def _sample(self, index: int) -> Sample:
        sample = self._source.samples[index]
        if sample.original is not None:  # restoration: the model is trained on images that are degraded anew
            return dataclasses.replace(sample, original=self._compared(index, sample.name, sample.original))
        return sample.with_read(self._compared(index, sample.name, sample.read))

    def _compared(self, index: int, name: str, read: Callable[[], Image]) -> Callable[[], Image]:
        def compared() -> Image:
            is_new = index not in self._read
            self._read.add(index)
            image = read()
            if is_new:
                self._add(image, name)
            return image

        return compared

    def _add(self, image: Image, name: str) -> None:
        content = content_hash(image)
        for part in self._parts:
            part.add(content, name, image)
        enough = REFUSED_SHARE * len(self._source)
        if not self._allowed and not self._is_refused and any(part.shared > enough for part in self._parts):
            self._is_refused = True
            self._read_all(evenly(len(self._source), COUNTED))
            raise self._error()

    def _read_all(self, places: Iterable[int]) -> None:
        for place in places:
            if place not in self._read:
                sample = self._sample(place)
                with suppress(InputError):
                    (sample.original or sample.read)()

    def _error(self) -> OverlapError:
        shared = sorted((part for part in self._parts if part.shared), key=lambda part: part.shared, reverse=True)
        return OverlapError(f"{self._source.name}: {'; '.join(map(str, shared))}", FIX.format(self._unseen() or HELD_OUT_SPLIT))


def check_overlap(dataset: Dataset, cards: Mapping[str, ModelCard], *, allowed: bool = False, most: int | None = None) -> Overlap:
    """Compare up to ``most`` images of ``dataset`` (None: all) with those that the models of ``cards`` were made from, reading them.

    Raises ``OverlapError`` where one percent or more are shared, unless ``allowed``, and ``ArtifactError`` for a broken record.
    """
    watch = OverlapWatch(cards, dataset, allowed=allowed)
    watch.compare(most)
    return watch.finish()


def _parts(cards: Mapping[str, ModelCard]) -> tuple[SharedImages, ...]:
    """The parts of all cards; data that several files share count for the first of them."""
    found: dict[tuple[str, frozenset[int]], SharedImages] = {}
    for file, card in cards.items():
        for seen in seen_images(card, file):
            found.setdefault((seen.part, seen.codes), SharedImages(file, seen))
    return tuple(found.values())
