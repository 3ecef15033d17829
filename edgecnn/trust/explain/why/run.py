"""Looks for the reasons of one answer: evidence, the smallest part to cover, the smallest changes, the most similar other image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.scene.pixel_concepts import OBJECT, PART, PixelConcepts
from edgecnn.shown_scores import shown_scores
from edgecnn.tasks import find
from edgecnn.trust.attribution.evidence import evidence_in
from edgecnn.trust.attribution.many import ManyImages
from edgecnn.trust.attribution.methods import explainers
from edgecnn.trust.attribution.rise import MASKS
from edgecnn.trust.explain.dissection.concept_maps import source_cells
from edgecnn.trust.explain.inner import InnerReader
from edgecnn.trust.explain.why.answer import Asked, Said
from edgecnn.trust.explain.why.covering import Area, covered, smallest_cover
from edgecnn.trust.explain.why.places import around, nearest_place, place_of
from edgecnn.trust.explain.why.result import ChangedPart, EvidenceMap, Reasons
from edgecnn.trust.explain.why.similar import SimilarImage, most_similar
from edgecnn.trust.explain.why.smallest_change import smallest_changes
from edgecnn.trust.shortcuts.subject import Subject, subject
from edgecnn.types import Image

LOWEST_SCORE = 0.01  # a predictor that shows weaker boxes than are reported can name the second class of a box
MOSTLY = 0.5  # of a part of the image belongs to one part of an object: then it is named
DoneOf = Callable[[str, int, int], None]


def find_reasons(
    predictor: Predictor,
    sample: Sample,
    *,
    reader: InnerReader | None = None,
    dataset: Dataset | None = None,
    limit: int = 500,
    masks: int = MASKS,
    seed: int = 0,
    progress: DoneOf | None = None,
) -> Reasons:
    """Why ``predictor`` gives its answer for the image of ``sample``, and what would change it.

    The predictor should report boxes from ``LOWEST_SCORE`` on. With ``reader`` and ``dataset``, for a classifier, ``limit`` images are
    searched for the most similar one with another class. Raises ``InputError`` for a model that is neither classifier nor detector, and
    where the image can't be read.
    """
    card = predictor.card
    if card.task not in ("classify", "detect") or card.preprocess.tensors:
        raise InputError(
            f"what changes an answer is searched for classifiers and detectors of images, not for {find(card.task).model}",
            "name another model",
        )
    image = sample.read()
    shown = subject(sample, image, card.preprocess)
    asked = Asked(ManyImages(predictor), card.labels, shown_scores(card))
    return _ReasonSearch(predictor, asked, shown, _concepts_at_input(sample, predictor, image), masks, seed, progress).run(
        sample.name, reader if card.task == "classify" else None, dataset, limit
    )


@dataclass(slots=True)
class _ReasonSearch:
    predictor: Predictor
    asked: Asked
    shown: Subject
    concepts: PixelConcepts | None
    masks: int
    seed: int
    progress: DoneOf | None

    def run(self, name: str, reader: InnerReader | None, dataset: Dataset | None, limit: int) -> Reasons:
        image, content, least = self.shown.image, self.shown.content, shown_scores(self.predictor.card).highest
        said = self.asked.first(image)
        if said is None:
            return Reasons(name, image, content, None, least, asked=self.asked.images)
        notes: list[str] = []
        if self.predictor.card.task == "classify" and said.second < 0:
            return Reasons(name, image, content, said, least, notes=("there is only one class",))
        self._tell("evidence")
        evidence = self._evidence(said)
        self._tell("the smallest part to cover")
        area = content if said.box is None else around(said.box, content)
        color = image[content[1] : content[3], content[0] : content[2]].reshape(-1, 3).mean(0).round()
        covering = self._changed_part(said, area, np.full_like(image, color.astype(np.uint8)))
        self._tell("the smallest changes")
        changes = smallest_changes(self.asked, image, said, content)
        similar = self._similar(said, reader, dataset, limit)
        exchanged = None
        if similar is not None:
            self._tell("the parts of a similar image")
            exchanged = self._changed_part(said, content, _fitted(similar, image, content), named=False)
        return Reasons(
            name,
            image,
            content,
            said,
            least,
            evidence,
            covering,
            tuple(changes),
            similar,
            exchanged,
            self.asked.images,
            tuple(notes),
        )

    def _evidence(self, said: Said) -> tuple[EvidenceMap, ...]:
        names = ["occlusion", "rise"]
        if file_format(self.predictor.path) == "torch":
            names += ["integrated-gradients", *(["grad-cam"] if said.box is None else [])]
        found = []
        for name, explain in explainers(self.predictor, tuple(names), self.seed, self.masks).items():
            try:
                heat = explain(self.shown.image, said.target)
            except InputError:  # a network without the layers that a method needs
                continue
            left, top, right, bottom = self.shown.content
            y, x = np.unravel_index(int(heat[top:bottom, left:right].argmax()), (bottom - top, right - left))
            whole = self.shown.content if said.box is None else _whole_pixels(said)
            inside = None if said.box is None else evidence_in(heat, said.box[None], self.shown.content)
            found.append(EvidenceMap(name, heat, nearest_place(left + x + 0.5, top + y + 0.5, whole), inside))
        return tuple(found)

    def _changed_part(self, said: Said, area: Area, cover: Image, *, named: bool = True) -> ChangedPart | None:
        def support(images: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            return self.asked.support(images, said)

        image, content = self.shown.image, self.shown.content
        mask = smallest_cover(support, image, area, cover)
        if mask is None:
            return None
        changed = covered(image, cover, mask)
        left, top, right, bottom = content
        box_share = None
        if said.box is not None:
            x1, y1, x2, y2 = _whole_pixels(said)
            box_share = float(mask[y1:y2, x1:x2].mean()) if x2 > x1 and y2 > y1 else None
        return ChangedPart(
            changed,
            mask,
            float(mask[top:bottom, left:right].mean()),
            box_share,
            place_of(mask, content if said.box is None else _whole_pixels(said)),
            self._part_name(mask) if named else "",
            self.asked.again(changed[None], said)[0],
        )

    def _part_name(self, mask: NDArray[np.bool_]) -> str:
        """The part of an object, else the object, that more than half of the pixels show; "" where none does or it is not known."""
        if self.concepts is None:
            return ""
        for kind in (PART, OBJECT):
            names = self.concepts.names.get(kind, ())
            if kind in self.concepts.maps and mask.any():
                counts = np.bincount(self.concepts.maps[kind][mask].ravel(), minlength=len(names) + 1)
                best = int(counts[1:].argmax())
                if counts[best + 1] > MOSTLY * mask.sum():
                    return names[best]
        return ""

    def _similar(self, said: Said, reader: InnerReader | None, dataset: Dataset | None, limit: int) -> SimilarImage | None:
        if reader is None or dataset is None:
            return None
        preprocess = self.predictor.card.preprocess
        return most_similar(reader, self.asked, self.shown.image, said, dataset, preprocess, limit=limit, progress=self.progress)

    def _tell(self, what: str) -> None:
        if self.progress is not None:
            self.progress(what, 0, 0)


def _whole_pixels(said: Said) -> Area:
    assert said.box is not None
    x1, y1, x2, y2 = (round(float(edge)) for edge in said.box)
    return max(x1, 0), max(y1, 0), max(x2, 0), max(y2, 0)


def _fitted(similar: SimilarImage, image: Image, content: Sequence[int]) -> Image:
    """The content of the similar image at the place of that of ``image``."""
    if similar.content == tuple(content):
        return similar.image
    import cv2

    left, top, right, bottom = similar.content
    part = np.ascontiguousarray(similar.image[top:bottom, left:right])
    whole: Image = image.copy()
    left, top, right, bottom = content
    whole[top:bottom, left:right] = cv2.resize(part, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    return whole


def _concepts_at_input(sample: Sample, predictor: Predictor, image: Image) -> PixelConcepts | None:
    """What each pixel of the network's input shows, where the renderer knows it."""
    if sample.concepts is None:
        return None
    known = sample.concepts()
    preprocess = predictor.card.preprocess
    rows, columns = source_cells(preprocess, image, preprocess.size)
    inside = (rows >= 0)[:, None] & (columns >= 0)[None]
    maps = {kind: np.where(inside, pixels[rows][:, columns], 0).astype(np.uint8) for kind, pixels in known.maps.items()}
    return PixelConcepts(known.names, maps)
