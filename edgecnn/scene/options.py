"""Parameters of the scene, parsed from addresses such as ``scene:cups?seed=3&fps=30&size=640x480``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl

from edgecnn.errors import InputError

LABELS = ("mug", "glass", "bowl", "plate")
SCENES = ("cups",)
PREFIX = "scene:"


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """The parameters of ``scene:cups``; the defaults are moderately hard. Raises ``ValueError`` outside the ranges given here.

    seed      >= 0          another seed gives another scene
    fps       1..240        frames per second of the camera
    size      64..4096      (width, height) in pixels
    rotate    0..180        largest roll of the camera in degrees; 180 shows objects at every angle
    occlude   0..1          how often objects occlude one another, and how often a hand reaches in
    light     0..1          how strongly the light varies; 1 is from very dark to glaring
    noise     0..1          grain of the sensor; 1 is a standard deviation of about 16 grey levels
    blur      0..1          defocus and motion blur; 1 is up to 2 pixels of sigma and 9 of motion at a width of 640
    objects   0..24         labelled objects on a table: between half and one and a half times as many
    clutter   0..24         objects without a label, likewise
    speed     0..8          how fast objects slide and turn and the camera pans; 0 is a still scene
    cut       0.1..3600     seconds until the camera cuts to another table
    count     >= 1 or None  frames until the camera ends; None never ends
    every     >= 1          a dataset takes every n-th frame; a stream takes all
    vary      0..1          share of the cuts with colours, tables and a camera that are out of the ordinary
    turn      0..360        degrees by which every object is turned around its own axis; the scene stays the same otherwise
    pitch     10..89, None  degrees that the camera looks down at the middle of the same table; None: another one in each cut
    """

    seed: int = 0
    fps: float = 30.0
    size: tuple[int, int] = (640, 480)
    rotate: float = 15.0
    occlude: float = 0.4
    light: float = 0.4
    noise: float = 0.3
    blur: float = 0.25
    objects: int = 6
    clutter: int = 5
    speed: float = 1.0
    cut: float = 8.0
    count: int | None = None
    every: int = 1
    vary: float = 0.0
    turn: float = 0.0
    pitch: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            for part in value if isinstance(value, tuple) else (value,):
                if part is not None and not low <= part <= high:
                    raise ValueError(f"{name} is {part:g}, not within {low:g} to {high:g}")


RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "fps": (1, 240),
    "size": (64, 4096),
    "rotate": (0, 180),
    "occlude": (0, 1),
    "light": (0, 1),
    "noise": (0, 1),
    "blur": (0, 1),
    "objects": (0, 24),
    "clutter": (0, 24),
    "speed": (0, 8),
    "cut": (0.1, 3600),
    "count": (1, 2**31),
    "every": (1, 2**31),
    "vary": (0, 1),
    "turn": (0, 360),
    "pitch": (10, 89),
}


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("seed", "objects", "clutter", "count", "every"), int),
    "size": _size,
}


def parse_scene(uri: str) -> SceneOptions:
    """The options in ``scene:cups?name=value&...``.

    Raises ``InputError`` for an unknown scene (listing the scenes), an unknown parameter (listing all) or a bad value.
    """
    name, _, query = uri.removeprefix(PREFIX).partition("?")
    if not uri.startswith(PREFIX) or name not in SCENES:
        known = ", ".join(PREFIX + scene for scene in SCENES)
        raise InputError(f"there is no {uri.partition('?')[0]}", f"the scenes are {known}")
    values: dict[str, Any] = {}
    # parse_qsl would read a plus sign as a space
    for parameter, text in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        if parameter not in RANGES:
            raise InputError(f"a scene has no parameter {parameter!r}", f"use one of {_parameters()}")
        values[parameter] = _value(parameter, text)
    return SceneOptions(**values)


def _value(parameter: str, text: str) -> Any:
    low, high = RANGES[parameter]
    try:
        value = READERS.get(parameter, float)(text)
        SceneOptions(**{parameter: value})
    except ValueError:
        is_whole = READERS.get(parameter) is int
        form = "WIDTHxHEIGHT, each" if parameter == "size" else "a whole number" if is_whole else "a number"
        raise InputError(
            f"{parameter}={text} of a scene is not {form} from {low:g} to {high:g}",
            f"correct it; the parameters are {_parameters()}",
        ) from None
    return value


def _parameters() -> str:
    return ", ".join(field.name for field in fields(SceneOptions))
