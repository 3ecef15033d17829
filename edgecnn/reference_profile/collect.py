"""Makes a reference profile from images and what a model says of them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from edgecnn.reference_profile.image_measures import ImageMeasures, measure_image
from edgecnn.reference_profile.measure_range import MeasureRange
from edgecnn.reference_profile.profile import ReferenceProfile, layout_distance, named_classes, relative_measures, said
from edgecnn.tasks import for_prediction
from edgecnn.types import Float32, Image, Prediction

LEAST_IMAGES = 30  # below, the ends of a distribution say nothing
MOST_IMAGES = 1000  # more change the quantiles little


class ProfileCollector:
    """Collects measures with ``add``; ``profile`` gives their distributions. Takes about 1 kB for each image."""

    def __init__(self) -> None:
        self._images: list[ImageMeasures] = []
        self._values: list[dict[str, float]] = []
        self._named: list[tuple[int, ...]] = []
        self._directions: list[Float32 | None] = []
        self._counts: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._images)

    def add(self, image: Image, prediction: Prediction) -> None:
        """Measure ``image`` (H, W, 3) uint8 BGR and the prediction for it."""
        self.add_measured(measure_image(image), prediction, image.shape[0] * image.shape[1])

    def add_measured(self, measured: ImageMeasures, prediction: Prediction, pixels: int) -> None:
        """Add an image of ``pixels`` pixels that was measured already."""
        self._images.append(measured)
        self._values.append({**measured.values, **said(prediction, pixels)})
        self._named.append(named_classes(prediction))
        self._counts.update(self._named[-1])
        self._directions.append(for_prediction(prediction).direction(prediction))

    def series(self, name: str) -> list[float]:
        """One measure of the images, in order."""
        return [one.values[name] for one in self._images]

    def profile(self, source: str, data: str, *, independent: float | None = None, view: bool = False) -> ReferenceProfile:
        """The profile of all images added, at least one; ``view`` keeps their mean thumbnail, for one camera."""
        layouts = np.stack([one.layout for one in self._images])
        layout = np.stack([layouts.mean(0), layouts.std(0)]).astype(np.float32)
        total = sum(self._counts.values())
        shares = {one: count / total for one, count in sorted(self._counts.items())}
        vectors = [vector for vector in self._directions if vector is not None]
        direction = np.mean(vectors, axis=0).astype(np.float32) if vectors else np.empty(0, np.float32)
        values: defaultdict[str, list[float]] = defaultdict(list)
        for measured, own, named, vector in zip(self._images, self._values, self._named, self._directions, strict=True):
            relative = {"layout": layout_distance(measured.layout, layout), **relative_measures(named, shares, vector, direction)}
            for name, value in {**own, **relative}.items():
                values[name].append(value)
        thumbnail = np.mean([one.thumbnail for one in self._images], axis=0) if view else np.empty(0)
        counted = float(len(self._images) if independent is None else independent)
        return ReferenceProfile(
            {name: MeasureRange.of(name, found, counted / len(self._images)) for name, found in values.items()},
            source,
            data,
            len(self._images),
            counted,
            hashlib.sha256(np.asarray([list(one.values.values()) for one in self._images], np.float32).tobytes()).hexdigest(),
            layout,
            shares,
            direction,
            np.asarray(thumbnail, np.float32),
        )


def collect(images: Iterable[Image], predict: Callable[[Image], Prediction], source: str, data: str) -> ReferenceProfile:
    """The profile of ``images`` (H, W, 3) uint8 BGR, with the predictions of ``predict``; at least one image."""
    found = ProfileCollector()
    for image in images:
        found.add(image, predict(image))
    return found.profile(source, data)


def evenly(count: int, most: int = MOST_IMAGES) -> Sequence[int]:
    """Up to ``most`` places, evenly spread over ``count``."""
    return range(count) if count <= most else [int(place) for place in np.linspace(0, count - 1, most)]
