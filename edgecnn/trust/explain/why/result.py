"""Why a model says what it says of one image, and what would change its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.trust.attribution.evidence import MapEvidence
from edgecnn.trust.explain.why.answer import Said
from edgecnn.trust.explain.why.similar import SimilarImage
from edgecnn.trust.explain.why.smallest_change import SmallestChange
from edgecnn.types import Float32, Image


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceMap:
    """The map (h, w) of one method, where its highest point lies, and for a detector how much of it lies in the box."""

    method: str
    heat: Float32
    place: str
    inside: MapEvidence | None


@dataclass(frozen=True, slots=True, eq=False)
class ChangedPart:
    """The smallest part that changes the answer where it is covered, or exchanged for that of another image.

    ``image_share`` and ``box_share`` are its share of the image and of the box, of which None without a box; ``place`` is in words where
    it lies, ``part`` the part of an object that it shows most of, "" where that is not known. ``mask`` (h, w) bool are its pixels.
    """

    image: Image
    mask: NDArray[np.bool_]
    image_share: float
    box_share: float | None
    place: str
    part: str
    after: Said | None


@dataclass(frozen=True, slots=True, eq=False)
class Reasons:
    """The answer for an image (h, w, 3) of the size of the network's input; ``said`` is None where a detector finds nothing.

    ``content`` is the part of it without padding. ``found`` counts the boxes of a detector from the threshold on. ``covering`` is None
    where no part of the half of the area changes the answer. ``similar`` and ``exchanged`` are those of another image of a dataset.
    """

    name: str
    image: Image
    content: tuple[int, int, int, int]
    said: Said | None
    threshold: float
    evidence: tuple[EvidenceMap, ...] = ()
    covering: ChangedPart | None = None
    changes: tuple[SmallestChange, ...] = ()
    similar: SimilarImage | None = None
    exchanged: ChangedPart | None = None
    asked: int = 0
    notes: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """What the JSON document says of the image."""
        return {
            "image": self.name,
            "said": _said(self.said),
            "threshold": self.threshold,
            "evidence": [_evidence(one) for one in self.evidence],
            "covering": _part(self.covering),
            "changes": [_change(one) for one in self.changes],
            "similar": None
            if self.similar is None
            else {
                "image": self.similar.name,
                "said": _said(self.similar.said),
                "similarity": self.similar.similarity,
                "looked_at": self.similar.looked_at,
                "exchanged": _part(self.exchanged),
            },
            "images_asked": self.asked,
            "notes": list(self.notes),
        }


def _said(said: Said | None) -> Mapping[str, Any] | None:
    if said is None:
        return None
    second = None if said.second < 0 else {"class": said.second_name, "score": said.second_score}
    return {
        "class": said.name,
        "score": said.score,
        "box_xyxy_input_px": None if said.box is None else said.box.tolist(),
        "second": second,
    }


def _evidence(one: EvidenceMap) -> Mapping[str, Any]:
    inside = one.inside
    return {
        "method": one.method,
        "highest": one.place,
        "inside": None if inside is None else inside.inside,
        "area": None if inside is None else inside.area,
    }


def _part(part: ChangedPart | None) -> Mapping[str, Any] | None:
    if part is None:
        return None
    return {
        "image_share": part.image_share,
        "box_share": part.box_share,
        "place": part.place,
        "part": part.part or None,
        "after": _said(part.after),
    }


def _change(one: SmallestChange) -> Mapping[str, Any]:
    return {"name": one.name, "level": one.level, "words": one.words or None, "tried": one.tried, "after": _said(one.after)}
