"""Opens teachers for pseudo-labels: detectors in model files of any supported format, named by an address with parameters."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn import got_models, shipped
from edgecnn.data.address import parse_query
from edgecnn.data.ensemble import Trust
from edgecnn.data.pseudo_labels import LOWER, Predict, PseudoLabeler
from edgecnn.errors import InputError
from edgecnn.labels import parse_renames, rename
from edgecnn.runtime.backends import ENGINE_SUFFIXES
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import artifact
from edgecnn.tasks import find
from edgecnn.types import Detections, Image

USUAL = Trust()
OWN = ("threshold", "lower", "alone", "weight", "rename")
# The score is ``lower``; which boxes are shown does not matter here.
CARD = tuple(item.name for item in dataclasses.fields(CardOptions) if item.name not in ("score_threshold", "class_thresholds"))


def _size(text: str) -> tuple[int, ...]:
    # "320" is a square: the list ["320"] is doubled
    height, width = (text.split("x") * 2)[:2]
    return int(height), int(width)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(","))


READERS: dict[str, Callable[[str], Any]] = {
    "size": _size,
    "mean": _numbers,
    "std": _numbers,
    "labels": Path,
    "pad_value": int,
    "iou_threshold": float,
    "max_detections": int,
    "threshold": float,
    "lower": float,
    "alone": float,
    "weight": float,
}


@dataclass(frozen=True, slots=True)
class TeacherAddress:
    """``FILE?threshold=0.5&lower=0.2&alone=0.8&weight=1&rename=car,bus,truck:vehicle&decode=yolox``.

    ``lower`` is that of ``PseudoLabeler``, ``threshold``, ``alone`` and ``weight`` those of its ``Trust``, ``rename`` maps its class
    names, and ``card`` holds what the file itself does not say, named like the options of `edgecnn run`.
    """

    path: Path
    threshold: float = USUAL.threshold
    lower: float = LOWER
    alone: float = USUAL.alone
    weight: float = USUAL.weight
    rename: str = ""
    card: dict[str, Any] = field(default_factory=dict)


def labels_images(teacher: str) -> bool:
    """Whether a teacher is a model file, by its suffix or by its name of `edgecnn models get`: it labels the images of a training.

    A checkpoint, which a name of a shipped model is too, is distilled instead.
    """
    name = teacher.partition("?")[0]
    return Path(name).suffix in ENGINE_SUFFIXES or (name not in shipped.names() and got_models.path(name) is not None)


def parse_teacher(text: str) -> TeacherAddress:
    """The parts of a teacher's address; raises ``InputError`` for an unknown parameter or a bad value."""
    place, _, query = text.partition("?")
    values: dict[str, Any] = {}
    for key, value in parse_query(query):
        name = key.replace("-", "_")
        if name not in (*OWN, *CARD):
            raise InputError(f"{key!r} is not a parameter of a teacher", f"use one of {', '.join((*OWN, *CARD))}")
        try:
            values[name] = READERS.get(name, str)(value)
        except ValueError as error:
            raise InputError(f"{value!r} is not a value for {key} of {Path(place).name}", "correct it") from error
    own = {name: values.pop(name) for name in OWN if name in values}
    # a threshold above the usual score for a box alone is meant for that, too
    own.setdefault("alone", max(USUAL.alone, own.get("threshold", USUAL.threshold)))
    address = TeacherAddress(artifact(place), **own, card=values)
    if not 0 < address.lower <= address.threshold <= address.alone <= 1:
        scores = f"lower={address.lower:g}, threshold={address.threshold:g} and alone={address.alone:g}"
        raise InputError(f"{scores} of {address.path.name} are out of order", "choose 0 < lower <= threshold <= alone <= 1")
    if not 0 < address.weight < float("inf"):
        raise InputError(f"weight={address.weight:g} of {address.path.name} is not above 0", "correct it")
    return address


@contextlib.contextmanager
def open_teachers(addresses: Sequence[str]) -> Iterator[tuple[PseudoLabeler, ...]]:
    """Open the model files at ``addresses``, and close them at the end of the ``with`` block.

    Raises ``InputError`` for a bad address and for a model that is not a detector, and what opening a model file raises.
    """
    with contextlib.ExitStack() as stack:
        teachers = []
        for address in map(parse_teacher, addresses):
            # boxes from ``lower`` to ``threshold`` are needed, too: they become crowds
            options = CardOptions(**{**address.card, "score_threshold": address.lower})
            teachers.append(_teacher(address, stack.enter_context(Predictor(address.path, options=options))))
        yield tuple(teachers)


def _teacher(address: TeacherAddress, predictor: Predictor) -> PseudoLabeler:
    labels = predictor.card.labels
    if not find(predictor.card.task).has_boxes:
        raise InputError(f"{address.path.name} can't label images: it is not a detector", "name a detector as teacher")
    labels = rename(labels, parse_renames(address.rename)) if address.rename else labels
    digest = hashlib.sha256(address.path.read_bytes()).hexdigest()
    trust = Trust(address.threshold, address.alone, address.weight)
    # class names are in ``labels`` already, and their file may be at a private path
    settings = {name: value for name, value in address.card.items() if name != "labels"}
    return PseudoLabeler(_predict(predictor), labels, address.path.name, digest, address.lower, trust, settings)


def _predict(predictor: Predictor) -> Predict:
    def predict(image: Image) -> Detections:
        found = predictor(image)
        assert isinstance(found, Detections)
        return found

    return predict
