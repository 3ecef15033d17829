"""The reference profile of a model: the distribution of each measure over the images that it was trained or calibrated on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError
from edgecnn.reference_profile.image_measures import ImageMeasures
from edgecnn.reference_profile.measure_range import LEVELS, MeasureRange
from edgecnn.schema import SchemaError, integer, items, mapping, number, one_of, record, text
from edgecnn.tasks import for_prediction
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Float32, Prediction

PROFILE_KEY = "profile"  # in the records ``training`` and ``calibration`` of a card, which older versions read as notes
SCHEMA, VERSION = "edgecnn.reference-profile", 1
_LAYOUT_FLOOR = 0.02  # of the deviation of one number of the layout
_MOST_CLASSES = 65536


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """The measures of one image and of what the model said of it: ``values`` by name, and the ``thumbnail`` of the image."""

    values: Mapping[str, float]
    thumbnail: Float32


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceProfile:
    """``ranges`` of the measures by name; what they were taken from is ``source`` in words ("training", "calibration", "data", "stream").

    ``images`` is the number of images, ``independent`` how many of them count as independent: frames of a stream resemble each other.
    ``data`` names the dataset or camera, ``digest`` is SHA-256 over the measures of its images in order. ``layout`` (2, 24) are mean and
    deviation of the layout, ``direction`` (D,) the mean vector of an embedding model (empty for others), ``class_shares`` how often the
    model named each class. ``thumbnail`` is the mean view of a camera, empty for a dataset.
    """

    ranges: Mapping[str, MeasureRange]
    source: str
    data: str
    images: int
    independent: float
    digest: str
    layout: Float32
    class_shares: Mapping[int, float] = field(default_factory=dict)
    direction: Float32 = field(default_factory=lambda: np.empty(0, np.float32))
    thumbnail: Float32 = field(default_factory=lambda: np.empty(0, np.float32))

    def describe(self, image: ImageMeasures, prediction: Prediction, pixels: int) -> Description:
        """All measures of an image of ``pixels`` pixels, also those that need the reference: layout, classes and embedding."""
        values = {**image.values, **said(prediction, pixels), "layout": layout_distance(image.layout, self.layout)}
        vector = for_prediction(prediction).direction(prediction)
        values |= relative_measures(named_classes(prediction), self.class_shares, vector, self.direction)
        return Description(values, image.thumbnail)

    def to_record(self) -> dict[str, Any]:
        """Plain values for a card or a file."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "source": self.source,
            "data": self.data,
            "images": self.images,
            "independent": round(self.independent, 1),
            "digest": self.digest,
            "measures": {name: measure.record() for name, measure in self.ranges.items()},
            "layout": _rounded(self.layout.reshape(-1)),
            "classes": {str(name): round(share, 6) for name, share in self.class_shares.items()},
            "direction": _rounded(self.direction),
            "thumbnail": _rounded(self.thumbnail),
        }

    @classmethod
    def from_record(cls, found: Any, where: str) -> ReferenceProfile:
        """Read plain values. Raises ``ArtifactError`` that names ``where`` for values that are no profile."""
        try:
            values = _SCHEMA(found, "")
            return cls(
                {name: MeasureRange(name, one["quantiles"], one["n"]) for name, one in values["measures"].items()},
                values["source"],
                values["data"],
                values["images"],
                values["independent"],
                values["digest"],
                np.float32(values["layout"]).reshape(2, -1),
                {int(name): share for name, share in values["classes"].items()},
                np.float32(values["direction"]),
                np.float32(values["thumbnail"]),
            )
        except ValueError as error:  # SchemaError is one, too
            raise ArtifactError(f"the reference profile in {where} can't be used ({error})", "make it again") from error


def said(prediction: Prediction, pixels: int) -> dict[str, float]:
    """The numbers of a prediction, of its parts that are shown; see ``Task.measures``."""
    task = for_prediction(prediction)
    found: dict[str, float] = task.measures(task.at_least(prediction, SHOWN_SCORE), pixels)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def named_classes(prediction: Prediction) -> tuple[int, ...]:
    """The classes that a prediction names, of its parts that are shown."""
    task = for_prediction(prediction)
    found: tuple[int, ...] = task.said(task.at_least(prediction, SHOWN_SCORE))
    return found


def relative_measures(
    named: Sequence[int], shares: Mapping[int, float], vector: Float32 | None, direction: Float32
) -> dict[str, float]:
    """What needs the reference: its class ``shares`` and its mean ``direction``.

    ``classes`` is how rare the ``named`` classes are, the mean of -log2 of their shares; ``embedding`` is 1 - cosine of ``vector`` to the
    mean direction.
    """
    values: dict[str, float] = {}
    if named and shares:
        rarest = min(shares.values()) / 2
        values["classes"] = sum(-math.log2(shares.get(one, rarest)) for one in named) / len(named)
    if vector is not None and vector.shape == direction.shape:
        values["embedding"] = 1 - float(vector @ direction) / max(float(np.linalg.norm(direction)), 1e-9)
    return values


def layout_distance(layout: Float32, reference: Float32) -> float:
    """The root mean square of the standardised differences from the mean layout, 1 for a usual image."""
    mean, deviation = reference
    return float(np.sqrt((((layout - mean) / np.maximum(deviation, _LAYOUT_FLOOR)) ** 2).mean()))


def takes_images(card: ModelCard) -> bool:
    """Whether the model takes images: signals and tensors have no light or sharpness."""
    return not card.preprocess.tensors and card.preprocess.signal is None


def profile_of(card: ModelCard, where: str) -> ReferenceProfile | None:
    """The profile in a card: that of training, else that of calibration or data; None without one. Raises ``ArtifactError``."""
    for notes in (card.training, card.calibration):
        if PROFILE_KEY in notes:
            return ReferenceProfile.from_record(notes[PROFILE_KEY], where)
    return None


def _rounded(values: Float32) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def _class_number(value: Any, place: str) -> Any:
    number(0, 1)(value, place)
    if not place.rpartition(".")[2].isdecimal():
        raise SchemaError(f"{place} is no number of a class")
    return value


_SCHEMA = record(
    {
        "schema": one_of(SCHEMA),
        "version": integer(VERSION, VERSION),
        "source": text(1, 40),
        "data": text(),
        "images": integer(1, 2**53),
        "independent": number(0),
        "digest": text(most=64),
        "measures": mapping(
            record({"n": integer(1, 2**53), "quantiles": items(number(), least=len(LEVELS), most=len(LEVELS))}), least=1, most=64
        ),
        "layout": items(number(), least=48, most=48),
        "classes": mapping(_class_number, most=_MOST_CLASSES),
        "direction": items(number(), most=65536),
        "thumbnail": items(number(), most=192),
    }
)
