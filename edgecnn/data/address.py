"""Dataset addresses: the path of a dataset, and after a ``?`` parameters that select its images and classes.

``DIR?group=^(\\d+)_&split=train&val_fraction=0.2&seed=0&rename=car,bus:vehicle&classes=person,face,vehicle``

format        idx, coco, voc, yolo, masks, values, labels, video, mot, folders or images, where the files can be read as several formats
task          detect, segment or pose, where the dataset has boxes, masks and key points; otherwise the model's task decides
labels        names of classes 0, 1, ... where the files have numbers only: a,b,c or a file with one name per line
list          a file with the names of the images to use, one per line
every         use each N-th image only: frames of a video that are apart in time
group         regular expression on the file name; images with the same first (...) form a group, which a split never divides;
              @content groups copies of an image
split         train, val, test or another part of the dataset; without it, all images
val_fraction  divide the images into train and val: the fraction of them that becomes val
seed          of that random split (0); refused where nothing is split at random
rename        a:b,c:d for other names; several classes with one new name become one class, and a,c:d renames both
ignore        a:b makes boxes of class a ignored boxes of class b, which count neither as objects nor as background
merge         one name for all classes, which become one class
classes       the list of classes to use, in this order: others are left out, those that the dataset lacks are unlabelled in it
crops         class or identity: a square crop of each box instead of the images, labelled by the box's class or by its track

The rule for ``split``:

- A dataset with splits of its own: the split of that name. val also finds valid and validation, train finds training, test testing.
- A dataset without splits: train and val are a random split by ``val_fraction`` (0.2 if not given) and ``seed``.
- With ``val_fraction`` the dataset is always divided anew: all its images except those of its own test split. Its own train and
  val splits are then ignored, and split= must say train or val.
- A dataset that has splits, but not the one asked for, is not divided unless ``val_fraction`` says so.

Parameters apply in the order of the list, and each may be given once. A scene has its own parameters; of these it takes task,
rename, ignore, merge, classes and crops. In a regular expression ``&`` is written %26 and ``%`` is written %25; everything else stays
as it is, but a shell needs quotes around the address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl

from edgecnn.data.paths import exists
from edgecnn.data.problems import short
from edgecnn.data.recognition import FORMATS
from edgecnn.errors import InputError
from edgecnn.labels import parse_labels, parse_renames
from edgecnn.task_names import TaskName

SCENE = "scene:"
SCENE_PARAMETERS = ("task", "rename", "ignore", "merge", "classes", "crops")
VAL_FRACTION = 0.2
SEED_DIGITS = 18
FOLDERS = re.compile(r"(?<![^&])(labels|list)=[^&]*/")  # up to the name of the file
# Parameters with other names in earlier versions; cards of models trained then still record them.
RENAMED = {
    "part": "split=train (was part=learn) or split=val (was part=held-out), with val_fraction=0.2",
    "hold": "val_fraction=",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """``place`` is the path, or a scene with its parameters; the others as in the module docstring, None or empty if not given."""

    place: str
    format: str | None = None
    task: TaskName | None = None
    labels: str | None = None
    list: str | None = None
    every: int | None = None
    group: str | None = None
    split: str | None = None
    val_fraction: float | None = None
    seed: int | None = None
    rename: str | None = None
    ignore: str | None = None
    merge: str | None = None
    classes: tuple[str, ...] = ()
    crops: str | None = None

    @property
    def is_scene(self) -> bool:
        """Whether the dataset is rendered rather than read."""
        return self.place.startswith(SCENE)

    @property
    def path(self) -> Path:
        """The folder or file."""
        return expanded(self.place)

    @property
    def listing(self) -> Path | None:
        """The file of ``list``."""
        return expanded(self.list) if self.list else None


PARAMETERS = tuple(field.name for field in fields(Address) if field.name != "place")


def parse_address(uri: str | Path) -> Address:
    """Parse an address; raises ``InputError`` for an unknown parameter or an invalid value.

    The name of an existing file or folder may contain a question mark: it is not parsed.
    """
    text = str(uri)
    if "\0" in text:
        raise InputError(f"the dataset address {short(text)} contains a zero byte", "correct it")
    if "?" not in text or (not text.startswith(SCENE) and exists(expanded(text))):
        return Address(place=text)
    place, _, query = text.partition("?")
    pairs = parse_query(query)
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"the dataset parameter {short(twice)}= is given twice in {short(shown_address(text))}", "give it once")
    if place.startswith(SCENE):
        own = [f"{name}={value}" for name, value in pairs if name not in SCENE_PARAMETERS]
        # the scene parses its own parameters later: they stay in the address
        place = "?".join([place, *(["&".join(own)] if own else [])])
        pairs = [pair for pair in pairs if pair[0] in SCENE_PARAMETERS]
    return Address(place=place, **{name: _value(name, value) for name, value in pairs})


def expanded(text: str) -> Path:
    """The path with ~ replaced; a user that does not exist is part of a name."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def parse_query(query: str) -> list[tuple[str, str]]:
    """The part after the question mark as (name, value) pairs; unlike in a form, a plus sign is not a space."""
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def shown_address(uri: str | Path) -> str:
    """The address with folders and files by name only: cards and reports are shared, but local paths are private."""
    text = str(uri)
    if text.startswith(SCENE):
        return text
    place, mark, query = (text, "", "") if exists(expanded(text)) else text.partition("?")
    return expanded(place).resolve().name + mark + FOLDERS.sub(r"\1=", query)


def with_default(uri: str, name: str, value: str) -> str:
    """The address with the parameter ``name`` set, unless it is set already or the address is a scene."""
    if uri.startswith(SCENE) or getattr(parse_address(uri), name) is not None:
        return uri
    # "%" first: the other way round, the % of %26 would be escaped again
    escaped = value.replace("%", "%25").replace("&", "%26")
    return f"{uri}{'?' if parse_address(uri).place == uri else '&'}{name}={escaped}"


def with_split(uri: str | Path, split: str) -> str:
    """The address with another ``split``."""
    return re.sub(r"(?<=[?&])split=[^&]*", f"split={split}", str(uri))


def _value(name: str, text: str) -> Any:
    if name in RENAMED:
        raise InputError(f"the dataset parameter {name}= has a new name", f"write {RENAMED[name]}")
    if name not in PARAMETERS:
        raise InputError(f"a dataset has no parameter {short(name)!r}", f"use one of {', '.join(PARAMETERS)}")
    if not text:
        raise InputError(f"the dataset parameter {name}= has no value", "give one or leave it out")
    if name == "classes":
        return tuple(dict.fromkeys(parse_labels(text)))
    return _CHECKS.get(name, str)(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise InputError(
            f"val_fraction={short(text)} is not a number between 0 and 1", "give a fraction of the images, such as 0.2"
        )
    return value


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= SEED_DIGITS):
        raise InputError(f"seed={short(text)} is not a whole number from 0", f"give one of at most {SEED_DIGITS} digits")
    return int(text)


def _every(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= SEED_DIGITS and int(text)):
        raise InputError(f"every={short(text)} is not a whole number from 1", "correct it")
    return int(text)


def check_pattern(text: str) -> str:
    """The regular expression ``text``; raises ``InputError`` where it is none."""
    try:
        re.compile(text)
    except re.error as error:
        raise InputError(f"group={short(text)} is not a regular expression ({error})", "correct it") from error
    return text


def _rename(text: str) -> str:
    parse_renames(text)
    return text


def _format(text: str) -> str:
    if text not in FORMATS:
        raise InputError(f"format={short(text)} is not a format of datasets", f"use one of {', '.join(FORMATS)}")
    return text


def _crops(text: str) -> str:
    if text not in ("class", "identity"):
        raise InputError(f"crops={short(text)} is neither class nor identity", "correct it, or leave it out")
    return text


def _task(text: str) -> str:
    if text not in get_args(TaskName):
        raise InputError(f"task={short(text)} is not a task", f"use one of {', '.join(get_args(TaskName))}")
    return text


_CHECKS: dict[str, Any] = {
    "format": _format,
    "task": _task,
    "val_fraction": _fraction,
    "seed": _seed,
    "every": _every,
    "group": check_pattern,
    "rename": _rename,
    "ignore": _rename,
    "crops": _crops,
}
