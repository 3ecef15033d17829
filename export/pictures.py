"""Which images calibrate and which verify: never the same ones, and the test part of a dataset never calibrates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, Sample, dataset_splits, held_out_split, open_dataset
from edgecnn.data.calibration import MINIMUM, manifest, pick_calibration
from edgecnn.export.calibration import Calibration
from edgecnn.types import Image

SCENE = "scene:"
VERIFY_SCENE = "scene:cups?seed=7331&every=40"


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What was picked: ``calibration`` (None without one), ``real`` images to verify with, and where these come from."""

    calibration: Calibration | None
    real: Sequence[Image]
    source: str


def pick(card: ModelCard, calibration: str | None, count: int, seed: int, verify: str | None, verify_count: int) -> Pictures:
    """Open the datasets that were named and take ``count`` images to calibrate and ``verify_count`` to verify with.

    Without data to verify with, others of the calibration data are taken, else the scene where the model was trained on it.
    Raises ``InputError`` for data that can't be read or is too small.
    """
    chosen, taken, rest, source = None, frozenset[str](), None, ""
    if calibration is not None:
        whole = _to_calibrate(calibration, count + verify_count)
        samples = pick_calibration(whole, _share(len(whole), count, verify_count), seed)
        chosen, taken = _calibration(whole, samples, seed), frozenset(sample.name for sample in samples)
        held_out = _held_out(calibration)
        rest, source = open_dataset(calibration, split=held_out) if held_out else whole, f"others of {whole.name}"
    elif verify is None and str(card.training.get("data", "")).startswith(SCENE):
        verify = VERIFY_SCENE
    if verify is not None:
        rest = open_dataset(verify, split=_held_out(verify), limit=verify_count if verify.startswith(SCENE) else None)
        source = rest.name
    return Pictures(chosen, [] if rest is None else _spread(rest, verify_count, taken), source)


def _to_calibrate(uri: str, wanted: int) -> Dataset:
    """The training part, or all there is; of a scene without end as many frames as are ``wanted``."""
    if uri.startswith(SCENE):
        dataset = open_dataset(uri, limit=wanted)
        return dataclasses.replace(dataset, samples=list(dataset.samples))  # else the truth of each is worked out again and again
    train = next((name for name in dataset_splits(uri) if name.lower() in ("train", "training")), None)
    return open_dataset(uri, split=train)


def _held_out(uri: str) -> str | None:
    return None if uri.startswith(SCENE) else held_out_split(uri)


def _share(there: int, count: int, verify_count: int) -> int:
    """How many of the images calibrate: ``count``, if that leaves enough to verify with, and never too few."""
    return min(count, max(there - verify_count, MINIMUM))


def _calibration(dataset: Dataset, samples: Sequence[Sample], seed: int) -> Calibration:
    samples = [_read(sample) for sample in samples]
    return Calibration([sample.read() for sample in samples], dataset.name, manifest(samples, dataset, seed))


def _read(sample: Sample) -> Sample:
    """The same sample with its image in memory: a digest is taken of it, and rendering it twice takes as long again."""
    image = sample.read()
    return dataclasses.replace(sample, read=lambda: image)


def _spread(dataset: Dataset, count: int, taken: frozenset[str]) -> list[Image]:
    """``count`` images from all over the dataset, none of a sample whose name is ``taken``."""
    places = np.unique(np.linspace(0, len(dataset) - 1, count + len(taken)).astype(int))
    free = (sample for sample in (dataset.samples[int(place)] for place in places) if sample.name not in taken)
    found = list(free)
    step = max(len(found) / count, 1.0)
    return [found[int(index * step)].read() for index in range(min(count, len(found)))]
