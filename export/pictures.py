"""Which images calibrate and which verify: never the same ones, and the test part of a dataset never calibrates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, Sample, dataset_splits, held_out_split, open_dataset
from edgecnn.data.calibration import MINIMUM, pick_calibration
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
    chosen, rest = (None, None) if calibration is None else _calibration(calibration, count, seed, verify_count)
    if verify is None and rest is None and str(card.training.get("data", "")).startswith(SCENE):
        verify = VERIFY_SCENE
    if verify is not None:
        split = None if verify.startswith(SCENE) else held_out_split(verify)
        rest, source = open_dataset(verify, split=split, limit=None if split else verify_count), verify
    else:
        source = f"others of {calibration}"
    real = [sample.read() for sample in _spread(rest, verify_count)] if rest is not None else []
    return Pictures(chosen, real, source if real else "")


def _calibration(uri: str, count: int, seed: int, verify_count: int) -> tuple[Calibration, Dataset]:
    """The calibration set, and the samples that are left: of the held-out part where there is one."""
    scene = uri.startswith(SCENE)
    held_out = None if scene else held_out_split(uri)
    dataset = open_dataset(uri, split=None if scene else _train_split(uri), limit=count + verify_count if scene else None)
    most = max(min(count, len(dataset) - (0 if held_out else verify_count)), min(count, MINIMUM))
    samples = pick_calibration(dataset, most, seed)
    taken = {sample.name for sample in samples}
    if held_out is not None:
        rest = open_dataset(uri, split=held_out)
    else:
        rest = dataset.pick([index for index, sample in enumerate(dataset.samples) if sample.name not in taken])
    return Calibration([sample.read() for sample in samples], uri, seed), rest


def _train_split(uri: str) -> str | None:
    return next((name for name in dataset_splits(uri) if name.lower() in ("train", "training")), None)


def _spread(dataset: Dataset, count: int) -> list[Sample]:
    """``count`` samples, evenly over the whole dataset."""
    step = max(len(dataset) // count, 1)
    return [dataset.samples[index] for index in range(0, len(dataset), step)][:count]
