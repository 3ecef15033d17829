"""Writes a reference profile into the card of a model file, made by running the file on a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.data import open_dataset
from edgecnn.data.sample import Dataset
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.files import check_writable
from edgecnn.integrity.rewrite import write_with_card
from edgecnn.integrity.sections import has_sections
from edgecnn.reference_profile.collect import LEAST_IMAGES, MOST_IMAGES, ProfileCollector, evenly
from edgecnn.reference_profile.profile import PROFILE_KEY, ReferenceProfile
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import FOLDER
from edgecnn.thresholds import SHOWN_SCORE

DATA = "data"  # the source of such a profile


@dataclass(frozen=True, slots=True)
class AddedProfile:
    """The file that was written, its profile, how many images could not be read, and whether a signature was lost with it."""

    path: Path
    profile: ReferenceProfile
    unread: int
    was_signed: bool


def add_profile(
    file: Path,
    data: str,
    out: Path | None = None,
    *,
    split_name: str | None = None,
    limit: int = MOST_IMAGES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AddedProfile:
    """Run ``file`` on up to ``limit`` images of ``data``, evenly spread, and write their profile into its card, at ``out`` or in place.

    ``progress`` gets the images done and their number. Raises ``InputError`` for a file without a card, of the installed package
    without ``out``, or for signals and tensors, and for data with too few images; nothing is written then.
    """
    target = out or file
    _check_target(file, target)
    dataset = open_dataset(data, split=split_name, limit=limit if data.startswith("scene:") else None)
    with Predictor(file, options=CardOptions(score_threshold=SHOWN_SCORE)) as predictor:
        card = _own_card(predictor, file)
        profile, unread = _measured(predictor, dataset, data, limit, progress)
    card = card.replace(calibration={**card.calibration, PROFILE_KEY: profile.to_record()})
    card = card.replace(training={key: value for key, value in card.training.items() if key != PROFILE_KEY})
    return AddedProfile(target, profile, unread, write_with_card(file, target, card))


def _check_target(file: Path, target: Path) -> None:
    if not has_sections(file):
        raise InputError(f"{file.name} can't hold a profile", "name an .onnx, .xml, .tflite or .pte file with a card")
    if target.suffix.lower() != file.suffix.lower():
        raise InputError(f"--out: {target} has another suffix than {file.name}", f"give a name that ends in {file.suffix}")
    if target == file and file.parent == FOLDER:
        raise InputError(f"{file.name} belongs to the installed package", "write a copy with --out")
    check_writable(target)


def _own_card(predictor: Predictor, file: Path) -> ModelCard:
    """The card in the file itself: that of the predictor has the thresholds of the caller."""
    text = predictor.backend.metadata.get(CARD_KEY)
    if text is None:
        raise InputError(f"{file.name} has no card, which holds the profile", "write one with edgecnn wrap")
    card = ModelCard.from_json(text, str(file))
    if card.preprocess.tensors or card.preprocess.signal is not None:
        taken = "tensors" if card.preprocess.tensors else "signals"
        raise InputError(f"a drift profile describes images, but the model {card.name} takes {taken}", "name a model of images")
    return card


def _measured(
    predictor: Predictor, dataset: Dataset, name: str, limit: int, progress: Callable[[int, int], None]
) -> tuple[ReferenceProfile, int]:
    found, unread = ProfileCollector(), 0
    places = evenly(len(dataset), limit)
    for done, place in enumerate(places, 1):
        try:
            image = dataset.samples[place].read()
        except EdgeCnnError:
            unread += 1
        else:
            found.add(image, predictor(image))
        progress(done, len(places))
    if len(found) < LEAST_IMAGES:
        raise InputError(
            f"--data: {name} has {len(found)} images that can be read, fewer than {LEAST_IMAGES}", "name a larger set"
        )
    return found.profile(DATA, dataset.name), unread
