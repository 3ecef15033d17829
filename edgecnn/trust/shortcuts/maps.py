"""The attribution maps of one image, and how much of each lies on the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edgecnn.trust.attribution.evidence import MapEvidence, evidence_in
from edgecnn.trust.attribution.methods import Explain
from edgecnn.trust.attribution.target import Target
from edgecnn.trust.shortcuts.subject import Subject
from edgecnn.types import Float32


class ObjectMaps(NamedTuple):
    """Maps by method, their evidence where they have any, and how many had no positive value."""

    heat: dict[str, Float32]
    evidence: dict[str, MapEvidence]
    silent: int


def object_maps(subject: Subject, target: Target | None, explain: Mapping[str, Explain]) -> ObjectMaps:
    """The maps of ``target`` in the image of ``subject``; none where there is no target. Without boxes evidence has no place to be."""
    if target is None:
        return ObjectMaps({}, {}, 0)
    heat = {name: method(subject.image, target) for name, method in explain.items()}
    boxes = subject.boxes if target.box is None else target.box[None]
    if not len(boxes):
        return ObjectMaps(heat, {}, 0)
    found = {name: evidence_in(one, boxes, subject.content) for name, one in heat.items()}
    known = {name: one for name, one in found.items() if one is not None}
    return ObjectMaps(heat, known, len(found) - len(known))
