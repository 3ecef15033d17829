"""Dataset addresses: where a dataset is, and after a ``?`` which part of it and what its classes are called.

``DIR?split=train&group=^(\\d+)_&part=held-out&hold=0.2&seed=0&rename=car,bus:vehicle&classes=person,face,vehicle``

split    a part that the dataset itself is divided in, such as train; without it, all of them together
labels   names of classes 0, 1, ... where files have numbers only: a,b,c or a file with one name a line
list     a file with the names of the images that count, one a line
group    regular expression on the file name; images with the same first (...) belong together and are never divided;
         @content keeps copies of an image together
part     learn or held-out: a division made here, by ``hold`` (part of all images, 0.2), ``seed`` (0) and whole groups
rename   a:b,c:d for other names; several of one new name become one class, and a,c:d renames both
merge    one name for all classes
classes  the list of classes wanted, in this order: others are left out, those that this dataset lacks count as not labelled in it

They are applied in this order. A scene has its own knobs; of these it takes rename, merge and classes. In a regular expression ``&`` is
written %26 and ``%`` is written %25; everything else stays as it is, but a shell wants quotes around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl

from edgecnn.data.relabel import parse_renames
from edgecnn.errors import InputError
from edgecnn.labels import parse_labels

SCENE = "scene:"
SCENE_KNOBS = ("rename", "merge", "classes")
FOLDERS = re.compile(r"(?<![^&])(labels|list)=[^&]*/")  # up to the name of the file
Part = Literal["learn", "held-out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """``place`` is the path, or a scene with its own knobs; the rest as the module's docstring says, None or empty where not given."""

    place: str
    split: str | None = None
    labels: str | None = None
    list: str | None = None
    group: str | None = None
    part: Part | None = None
    hold: float = 0.2
    seed: int = 0
    rename: str | None = None
    merge: str | None = None
    classes: tuple[str, ...] = ()

    @property
    def is_scene(self) -> bool:
        """Whether it is rendered rather than read."""
        return self.place.startswith(SCENE)

    @property
    def path(self) -> Path:
        """The folder or file."""
        return Path(self.place).expanduser()


KNOBS = tuple(field.name for field in fields(Address) if field.name != "place")


def parse_address(uri: str | Path) -> Address:
    """The parts of an address; raises ``InputError`` for an unknown knob or a bad value.

    A path that is there as it is written, with a question mark in its name, is that path.
    """
    text = str(uri)
    if "?" not in text or (not text.startswith(SCENE) and Path(text).expanduser().exists()):
        return Address(place=text)
    place, _, query = text.partition("?")
    pairs = parse_query(query)
    if place.startswith(SCENE):
        own = [f"{knob}={value}" for knob, value in pairs if knob not in SCENE_KNOBS]
        place, pairs = "?".join([place, *(["&".join(own)] if own else [])]), [pair for pair in pairs if pair[0] in SCENE_KNOBS]
    return Address(place=place, **{knob: _value(knob, value) for knob, value in pairs})


def parse_query(query: str) -> list[tuple[str, str]]:
    """What follows the question mark, as pairs; a plus is a plus."""
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def shown_address(uri: str | Path) -> str:
    """The address with folders and files by name only: a card or a report travels, a user's paths should not."""
    text = str(uri)
    if text.startswith(SCENE):
        return text
    place, mark, query = (text, "", "") if Path(text).expanduser().exists() else text.partition("?")
    return Path(place).expanduser().resolve().name + mark + FOLDERS.sub(r"\1=", query)


def with_default(uri: str, knob: str, value: str) -> str:
    """The address with ``knob`` set, unless it sets it itself or is a scene."""
    if uri.startswith(SCENE) or getattr(parse_address(uri), knob) is not None:
        return uri
    escaped = value.replace("%", "%25").replace("&", "%26")
    return f"{uri}{'?' if parse_address(uri).place == uri else '&'}{knob}={escaped}"


def _value(knob: str, text: str) -> Any:
    if knob not in KNOBS:
        raise InputError(f"a knob of {', '.join(KNOBS)}", repr(knob), "correct it or leave it out")
    if not text:
        raise InputError(f"a value for {knob}", "nothing", "give one or leave it out")
    if knob == "classes":
        return tuple(dict.fromkeys(parse_labels(text)))
    return _CHECKS.get(knob, str)(text)


def _part(text: str) -> str:
    if text not in get_args(Part):
        raise InputError(f"part as {' or '.join(get_args(Part))}", repr(text), "name one of them")
    return text


def _hold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise InputError("hold between 0 and 1", repr(text), "give the part of the images that is held out, such as 0.2")
    return value


def _seed(text: str) -> int:
    if not text.isdigit():
        raise InputError("seed as a whole number from 0", repr(text), "correct it")
    return int(text)


def check_pattern(text: str) -> str:
    """The regular expression ``text``; raises ``InputError`` where it is none."""
    try:
        re.compile(text)
    except re.error as error:
        raise InputError("group as a regular expression", f"{text!r} ({error})", "correct it") from error
    return text


def _rename(text: str) -> str:
    parse_renames(text)
    return text


_CHECKS: dict[str, Any] = {"part": _part, "hold": _hold, "seed": _seed, "group": check_pattern, "rename": _rename}
