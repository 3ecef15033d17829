"""What a dissection found: for each unit of each layer the concept that it agrees with best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn.trust.explain.dissection.concept_maps import KINDS
from edgecnn.types import Image

THRESHOLD = 0.04  # of the overlap: a unit above is a detector (Bau et al. 2017)
TOP = 0.005  # share of its values at which a unit counts as active (Bau et al. 2017)


@dataclass(frozen=True, slots=True)
class UnitConcept:
    """The concept of one unit of a layer, with the overlap ``iou``.

    ``chance`` is its highest overlap with the concepts of other images: what the places of things in images alone give.
    """

    layer: str
    unit: int
    kind: str
    concept: str
    iou: float
    chance: float

    @property
    def detects(self) -> bool:
        """Whether the unit is a detector of its concept."""
        return self.iou > THRESHOLD


@dataclass(frozen=True, slots=True)
class LayerDissection:
    """A layer with its units; ``silent`` of them have one value everywhere and are not in ``units``."""

    name: str
    kind: str
    channels: int
    height: int
    width: int
    receptive_field: int
    silent: int
    units: tuple[UnitConcept, ...]

    @property
    def detectors(self) -> dict[str, int]:
        """How many units detect a concept of each kind."""
        return {kind: sum(one.detects and one.kind == kind for one in self.units) for kind in KINDS}

    @property
    def unique(self) -> dict[str, int]:
        """How many concepts of each kind at least one unit detects: the unique detectors of the paper."""
        return {kind: len({one.concept for one in self.units if one.detects and one.kind == kind}) for kind in KINDS}

    @property
    def by_chance(self) -> int:
        """How many units would count as detectors with the concepts of other images."""
        return sum(one.chance > THRESHOLD for one in self.units)


@dataclass(frozen=True, slots=True, eq=False)
class UnitPictures:
    """A unit with the images that make it fire most; what is not where it is active is dark."""

    unit: UnitConcept
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dissection:
    """The layers from the input on; ``shares`` is the share of the pixels that show each concept, by kind."""

    dataset: str
    images: int
    shares: Mapping[str, Mapping[str, float]]
    layers: tuple[LayerDissection, ...]
    pictures: tuple[UnitPictures, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which the dataset shows a concept."""
        return tuple(kind for kind in KINDS if any(self.shares.get(kind, {}).values()))

    @property
    def units(self) -> int:
        """How many units were looked at, silent ones included."""
        return sum(layer.channels for layer in self.layers)

    def best(self, most: int) -> list[UnitConcept]:
        """The detectors of each kind with the highest overlap, at most ``most`` of a kind; each concept once."""
        found: list[UnitConcept] = []
        for kind in self.kinds:
            ordered = sorted(self._detectors(kind), key=lambda one: -one.iou)
            first = {one.concept: one for one in reversed(ordered)}
            found += [one for one in ordered if first[one.concept] is one][:most]
        return found

    def _detectors(self, kind: str) -> Sequence[UnitConcept]:
        return [one for layer in self.layers for one in layer.units if one.detects and one.kind == kind]

    def to_document(self) -> dict[str, Any]:
        """What the JSON document says of the dissection."""
        return {
            "dataset": self.dataset,
            "images": self.images,
            "iou_threshold": THRESHOLD,
            "active_share": TOP,
            "concepts": {kind: dict(shares) for kind, shares in self.shares.items()},
            "layers": [_layer(layer) for layer in self.layers],
            "notes": list(self.notes),
        }


def _layer(layer: LayerDissection) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "channels": layer.channels,
        "height": layer.height,
        "width": layer.width,
        "receptive_field_px": layer.receptive_field,
        "silent": layer.silent,
        "detectors": layer.detectors,
        "unique": layer.unique,
        "detectors_by_chance": layer.by_chance,
        "units": [
            {"unit": one.unit, "kind": one.kind, "concept": one.concept, "iou": one.iou, "iou_by_chance": one.chance}
            for one in layer.units
        ],
    }
