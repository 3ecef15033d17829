"""Writes a reference profile into the card of a model file, made by running the file on a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn.card import ModelCard
from edgecnn.data import open_dataset
from edgecnn.data.sample import Dataset
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.reference_profile.collect import LEAST_IMAGES, MOST_IMAGES, ProfileCollector, evenly
from edgecnn.reference_profile.profile import PROFILE_KEY, ReferenceProfile
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.scene.options import PREFIX
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.trust.card_file import check_target, write_card

DATA, TRAINING, CALIBRATION = "data", "training", "calibration"
_NOTES = (TRAINING, CALIBRATION)  # of a card, which may hold a profile


@dataclass(frozen=True, slots=True)
class AddedProfile:
    """The file that was written, its profile, how many images could not be read, and whether a signature was lost with it."""

    path: Path
    profile: ReferenceProfile
    unread: int
    was_signed: bool


def add_profile(
    file: Path,
    data: Sequence[str],
    out: Path | None = None,
    *,
    split_name: str | None = None,
    limit: int = MOST_IMAGES,
    source: str = DATA,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AddedProfile:
    """Run ``file`` on up to ``limit`` images of the datasets ``data``, evenly spread, and write their profile into its card.

    It is written to ``out``, or in place. ``source`` says what the images are to the model: "training" where it was trained on them.

    ``progress`` gets the images done and their number. Raises ``InputError`` for a file without a card, of the installed package
    without ``out``, or for signals and tensors, and for data with too few images; nothing is written then.
    """
    target = out or file
    card = check_target(file, target, "a profile", force=True)
    _check_images(card)
    datasets = [_opened(one, split_name, limit) for one in data]
    with Predictor(file, options=CardOptions(score_threshold=SHOWN_SCORE)) as predictor:
        profile, unread = _measured(predictor, datasets, limit, source, progress)
    return AddedProfile(target, profile, unread, write_card(file, target, _with_profile(card, profile)))


def _opened(data: str, split_name: str | None, limit: int) -> Dataset:
    """A dataset; a scene that never ends has ``limit`` images."""
    endless = data.startswith(PREFIX) and "count=" not in data
    return open_dataset(data, split=split_name, limit=limit if endless else None)


def _with_profile(card: ModelCard, profile: ReferenceProfile) -> ModelCard:
    """The card with this profile as its only one."""
    notes = {name: {key: value for key, value in getattr(card, name).items() if key != PROFILE_KEY} for name in _NOTES}
    notes[TRAINING if profile.source == TRAINING else CALIBRATION][PROFILE_KEY] = profile.to_record()
    return card.replace(**notes)


def _check_images(card: ModelCard) -> None:
    if card.preprocess.tensors or card.preprocess.signal is not None:
        taken = "tensors" if card.preprocess.tensors else "signals"
        raise InputError(f"a drift profile describes images, but the model {card.name} takes {taken}", "name a model of images")


def _measured(
    predictor: Predictor, datasets: Sequence[Dataset], limit: int, source: str, progress: Callable[[int, int], None]
) -> tuple[ReferenceProfile, int]:
    found, unread = ProfileCollector(), 0
    samples = [(dataset, place) for dataset in datasets for place in range(len(dataset))]
    places = evenly(len(samples), limit)
    for done, place in enumerate(places, 1):
        try:
            dataset, number = samples[place]
            image = dataset.samples[number].read()
        except EdgeCnnError:
            unread += 1
        else:
            found.add(image, predictor(image))
        progress(done, len(places))
    names = ", ".join(dict.fromkeys(dataset.name for dataset in datasets))
    if len(found) < LEAST_IMAGES:
        raise InputError(
            f"--data: {names} has {len(found)} images that can be read, fewer than {LEAST_IMAGES}", "name a larger set"
        )
    return found.profile(source, names), unread
