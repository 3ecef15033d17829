"""Writes the frames with the labels of teachers as two COCO datasets: to train on, and to compare with."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.adapt.config import AdaptConfig, AdaptFolder
from edgecnn.adapt.time_split import TimeSplit
from edgecnn.counts import counted
from edgecnn.data.convert import RECORD, SOURCES, ConvertConfig, convert
from edgecnn.data.ensemble import Consensus
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.labels import normalize
from edgecnn.shipped import artifact
from edgecnn.teachers import open_teachers

TRAIN, HELD_OUT = "train", "held-out"
QUALITY = 95
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LabelledPart:
    """A dataset at ``data`` with ``images``, and the ``boxes`` and uncertain ones (``ignored``) of each class by name."""

    data: Path
    images: int
    boxes: dict[str, int]
    ignored: dict[str, int]


def label(
    config: AdaptConfig, folder: AdaptFolder, split: TimeSplit, labels: Sequence[str], progress: Progress
) -> tuple[LabelledPart, LabelledPart]:
    """The labelled parts; what an earlier call has finished is used.

    In the frames to train on the model itself labels the classes that no teacher knows. Raises ``InputError`` where nothing is found.
    """
    parts = {TRAIN: split.train, HELD_OUT: split.held_out}
    missing = [part for part in parts if not (folder.labelled(part) / RECORD).is_file()]
    if missing:
        progress("loading the teachers", 0, 0)
        with open_teachers(config.teachers) as teachers, open_teachers((str(artifact(config.model)),)) as (own,):
            for part in missing:
                write_file(folder.names(part), "".join(f"{name}\n" for name in parts[part]))
                _make_room(folder.labelled(part))
                address = f"{folder.frames}?format=images&list={folder.names(part)}"
                convert(
                    ConvertConfig(
                        data=(address,),
                        out=folder.labelled(part),
                        classes=tuple(labels),
                        quality=QUALITY,
                        consensus=Consensus(config.votes),
                        cache=folder.labelled(part).parent,
                    ),
                    (*teachers, *_keeping(own, teachers, labels)) if part == TRAIN else teachers,
                    progress=progress,
                )
    train, held_out = (_read(folder.labelled(part)) for part in parts)
    for found, name in ((train, "to train on"), (held_out, "to compare with")):
        if not sum(found.boxes.values()):
            raise InputError(
                f"the teachers found no object of {', '.join(labels)} in the {counted(found.images, 'frame')} {name}",
                "watch longer (--minutes), or correct threshold= and rename= of --teacher, with the same --out",
            )
    return train, held_out


def _make_room(place: Path) -> None:
    """Make the folder that ``place`` will be in, and remove what killed runs left of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in (place, *place.parent.glob(f".{place.name}.*.part")):
        if left.is_dir():
            shutil.rmtree(left)


def _keeping(own: PseudoLabeler, teachers: Sequence[PseudoLabeler], labels: Sequence[str]) -> Iterator[PseudoLabeler]:
    """The model itself as the teacher of the classes that no other one knows: otherwise it would forget what is not one of them.

    Only for the frames to train on: compared with its own labels, the old model would always win.
    """
    known = {normalize(name) for teacher in teachers for name in teacher.labels}
    others = tuple(name if normalize(name) not in known else f"{name} of the teachers" for name in own.labels)
    if any(normalize(name) not in known for name in labels):
        yield dataclasses.replace(own, labels=others)


def _read(place: Path) -> LabelledPart:
    (source,) = json.loads((place / SOURCES).read_text())
    found: dict[str, Any] = source.get("pseudo", {})
    return LabelledPart(place / RECORD, source["images"], dict(found.get("boxes", {})), dict(found.get("ignored", {})))
