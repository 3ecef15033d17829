"""Teachers for pseudo-labels: model files of any kind, by an address with what must be said of them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import FIELDS, parse_numbers, parse_size

if TYPE_CHECKING:
    from edgecnn.data.pseudo_labels import Predict, Teacher
    from edgecnn.runtime.model.predictor import Predictor

OWN = ("threshold", "lower", "rename")
READERS: dict[str, Callable[[str], Any]] = {
    "size": parse_size,
    "mean": parse_numbers,
    "std": parse_numbers,
    "labels": Path,
    "pad_value": int,
    "iou_threshold": float,
    "max_detections": int,
    "threshold": float,
    "lower": float,
}


@dataclass(frozen=True, slots=True)
class TeacherAddress:
    """``FILE?threshold=0.5&lower=0.2&rename=car,bus,truck:vehicle&decode=yolox``: thresholds as of ``Teacher``, other class names, and
    what the file itself does not say, with the names of the options of `edgecnn run`."""

    path: Path
    threshold: float = 0.5
    lower: float = 0.2
    rename: str = ""
    card: dict[str, Any] = field(default_factory=dict)


def parse_teacher(text: str) -> TeacherAddress:
    """The parts of a teacher's address; raises ``InputError``."""
    from edgecnn.data.address import parse_query
    from edgecnn.errors import InputError

    place, _, query = text.partition("?")
    values: dict[str, Any] = {}
    for knob, value in parse_query(query):
        name = knob.replace("-", "_")
        if name == "score_threshold" or name not in (*OWN, *FIELDS):
            raise InputError(f"a knob of a teacher: {', '.join((*OWN, *FIELDS))}", repr(knob), "correct it or leave it out")
        try:
            values[name] = READERS.get(name, str)(value)
        except (ValueError, click.BadParameter) as error:
            raise InputError(f"a value for {knob} of {Path(place).name}", repr(value), "correct it") from error
    own = {name: values.pop(name) for name in OWN if name in values}
    address = TeacherAddress(Path(place), **own, card=values)
    if not 0 < address.lower <= address.threshold <= 1:
        found = f"lower {address.lower:g} and threshold {address.threshold:g}"
        raise InputError("0 < lower <= threshold <= 1", found, "correct them")
    return address


@contextlib.contextmanager
def open_teachers(texts: Sequence[str]) -> Iterator[tuple[Teacher, ...]]:
    """The teachers at these addresses, as long as the context lasts; raises ``InputError`` where one is no detector."""
    if not texts:
        yield ()
        return
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

    with contextlib.ExitStack() as stack:
        teachers = []
        for text in texts:
            address = parse_teacher(text)
            options = CardOptions(**{**address.card, "score_threshold": address.lower})
            teachers.append(_teacher(address, stack.enter_context(Predictor(address.path, options=options))))
        yield tuple(teachers)


def _teacher(address: TeacherAddress, predictor: Predictor) -> Teacher:
    from edgecnn.data.pseudo_labels import Teacher
    from edgecnn.errors import InputError
    from edgecnn.labels import parse_renames, rename

    labels = predictor.card.labels
    if predictor.card.task != "detect":
        raise InputError(
            "a detector as a teacher for pseudo-labels", f"{address.path.name}, which does not detect", "name another"
        )
    labels = rename(labels, parse_renames(address.rename)) if address.rename else labels
    digest = hashlib.sha256(address.path.read_bytes()).hexdigest()
    return Teacher(_boxes(predictor), labels, address.path.name, digest, address.threshold, address.lower)


def _boxes(predictor: Predictor) -> Predict:
    from edgecnn.types import Detections, Image

    def predict(image: Image) -> Detections:
        found = predictor(image)
        assert isinstance(found, Detections)
        return found

    return predict
