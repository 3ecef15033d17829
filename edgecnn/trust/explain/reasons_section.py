"""For the image that is studied: why this answer, and what would change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.data.sample import Sample
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.attribution.overlay import color_bar, overlay, with_boxes
from edgecnn.trust.explain.pictures import SmallPicture, picture
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.explain.why.answer import Said
from edgecnn.trust.explain.why.result import ChangedPart, Reasons
from edgecnn.trust.explain.why.run import LOWEST_SCORE, find_reasons
from edgecnn.trust.explain.why.words import (
    answer_line,
    covering_line,
    evidence_lines,
    reasons_lines,
    short_words,
    similar_lines,
    smallest_line,
)
from edgecnn.types import Float32, Image

TILE = 228  # pixels on the page
OUTLINE = (60, 230, 255)  # BGR, around a covered part
TASKS = ("classify", "detect")


@dataclass(frozen=True, slots=True)
class ReasonPicture:
    """A picture with the sentence under it."""

    picture: SmallPicture
    words: str


def reasons_section(study: Study) -> SectionResult | None:
    """None without an image, and for models that neither classify nor detect."""
    if study.image is None or study.reader.card.task not in TASKS:
        return None
    config = study.config
    options = dataclasses.replace(config.options, score_threshold=LOWEST_SCORE)
    with Predictor(config.file, threads=config.threads, options=options) as predictor:
        found = find_reasons(
            predictor,
            _sample(study),
            reader=study.reader,
            dataset=study.dataset,
            limit=config.limit,
            seed=config.seed,
            progress=lambda what, done, total: study.counter(f"reasons, {what}")(done, total),
        )
    html = page_part(
        study,
        "reasons.html",
        answer=answer_line(found),
        color_bar=color_bar(),
        pictures=list(_pictures(found)) if config.page else [],
        others=list(_other_lines(found)),
        asked=found.asked,
    )
    return SectionResult("reasons", "Why this answer, and what would change it", found.to_document(), reasons_lines(found), html)


def _sample(study: Study) -> Sample:
    """The image as a sample; one of the dataset with all that is known of it."""
    assert study.image is not None
    name, original = study.image.name, study.image.original
    if study.config.image is None and study.dataset is not None:
        return next(sample for sample in study.dataset.samples if sample.name == name)
    return Sample(name, lambda: original)


def _pictures(found: Reasons) -> Iterator[ReasonPicture]:
    """The image, the maps of evidence, and each change that was found, with its sentence."""
    said = found.said
    yield ReasonPicture(_picture(found, found.image, None if said is None else said.box), "the image as the network sees it")
    if said is None:
        return
    for one, line in zip(found.evidence, evidence_lines(found), strict=True):
        boxes = np.empty((0, 4), np.float32) if said.box is None else said.box[None]
        yield ReasonPicture(_tile(_content(found, overlay(found.image, one.heat, np.empty((0, 4), np.float32)), boxes)), line)
    if found.covering is not None:
        yield _part(found, found.covering, said.box, covering_line(found))
    for change in found.changes:
        if change.image is not None:
            yield _changed(found, change.image, change.box, change.after, smallest_line(said, change))
    if found.similar is not None:
        first, *second = similar_lines(found)
        yield ReasonPicture(_picture(found, found.similar.image, None), first)
        if found.exchanged is not None:
            yield _part(found, found.exchanged, None, second[0])


def _other_lines(found: Reasons) -> Iterator[str]:
    """The sentences that have no picture: what was tried in vain."""
    if found.said is None or not found.changes:
        return
    if found.covering is None:
        yield covering_line(found)
    for change in found.changes:
        if change.image is None:
            yield smallest_line(found.said, change)


def _part(found: Reasons, part: ChangedPart, box: Float32 | None, words: str) -> ReasonPicture:
    """A changed part with its outline."""
    boxes = np.empty((0, 4), np.float32) if box is None else box[None]
    shown = _content(found, part.image, boxes)
    left, top, right, bottom = found.content
    mask = cv2.resize(part.mask[top:bottom, left:right].astype(np.uint8), shown.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(shown, outlines, -1, OUTLINE, 1)
    return ReasonPicture(_tile(shown, short_words(part.after)), words)


def _changed(found: Reasons, image: Image, box: Float32 | None, after: Said | None, words: str) -> ReasonPicture:
    shown = box if after is None or after.box is None else after.box
    return ReasonPicture(_picture(found, image, shown, short_words(after)), words)


def _picture(found: Reasons, image: Image, box: Float32 | None, title: str = "") -> SmallPicture:
    boxes = np.empty((0, 4), np.float32) if box is None else box[None]
    return _tile(_content(found, image, boxes), title)


def _content(found: Reasons, image: Image, boxes: Float32) -> Image:
    """The part of the input that shows the image, without padding, with boxes drawn; ``image`` may be an enlarged one."""
    factor = image.shape[1] / found.image.shape[1]
    left, top, right, bottom = (round(edge * factor) for edge in found.content)
    corner = np.array([left, top] * 2, np.float32)
    part = np.ascontiguousarray(image[top:bottom, left:right])
    return with_boxes(part, (boxes * factor - corner).astype(np.float32))


def _tile(image: Image, title: str = "") -> SmallPicture:
    return picture(image, TILE, title)
