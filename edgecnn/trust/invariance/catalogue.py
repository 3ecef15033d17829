"""All transformations by name, and the sets of them that have a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from edgecnn.errors import InputError
from edgecnn.trust.invariance import changes, corruptions, geometry
from edgecnn.trust.invariance.transformation import SEVERITIES, SEVERITY, Change, Transformation

Levels = tuple[tuple[Transformation, tuple[float, ...]], ...]


def _severity(name: str, title: str, parameters: str, change: Change) -> Transformation:
    return Transformation(
        name=name,
        title=title,
        group="corruption",
        unit=SEVERITY,
        levels=SEVERITIES,
        neutral=0,
        low=1,
        high=5,
        parameters=parameters,
        change=change,
    )


_ALL = (
    Transformation(
        name="rotate",
        title="rotation",
        group="geometry",
        unit="degrees",
        levels=tuple(float(angle) for angle in range(15, 360, 15)),
        neutral=0,
        low=-360,
        high=360,
        parameters="degrees clockwise around the centre; the corners are filled with the median colour of the border",
        placement=geometry.rotation,
    ),
    Transformation(
        name="shift",
        title="shift",
        group="geometry",
        unit="pixels",
        levels=(1, 2, 3, 4, 5, 6, 7, 8, 16),
        neutral=0,
        low=-4096,
        high=4096,
        parameters="whole pixels of the image along a diagonal that is drawn; the rest has the median colour of the border",
        placement=geometry.shift,
    ),
    Transformation(
        name="scale",
        title="scale",
        group="geometry",
        unit="factor",
        levels=(0.5, 0.7, 0.85, 1.2, 1.5, 2.0),
        neutral=1,
        low=0.1,
        high=8,
        parameters="size of the content around the centre; a smaller one has a border of the median colour of the border",
        placement=geometry.zoom,
    ),
    Transformation(
        name="occlude",
        title="occlusion",
        group="occlusion",
        unit="share",
        levels=(0.05, 0.1, 0.2, 0.3, 0.5),
        neutral=0,
        low=0,
        high=1,
        parameters="share of each object's box, or of an image without boxes, under a grey patch at a place that is drawn",
        change=changes.occlusion,
    ),
    Transformation(
        name="brightness",
        title="brightness",
        group="corruption",
        unit="value",
        levels=(-0.5, -0.3, -0.15, 0.15, 0.3, 0.5),
        neutral=0,
        low=-1,
        high=1,
        parameters="added to the value of HSV, of 0 to 1; ImageNet-C: 0.1 to 0.5",
        change=changes.brightness,
    ),
    Transformation(
        name="contrast",
        title="contrast",
        group="corruption",
        unit="factor",
        levels=(0.75, 0.5, 0.3, 0.2, 0.1),
        neutral=1,
        low=0,
        high=4,
        parameters="distance from the mean of each channel; ImageNet-C: 0.4 to 0.05",
        change=changes.contrast,
    ),
    _severity("defocus", "defocus", "disk with a radius of 3, 4, 6, 8, 10 pixels at 224 pixels", corruptions.defocus),
    _severity(
        "motion", "motion blur", "Gaussian weights along a line, deviation 3, 5, 8, 12, 15 pixels at 224", corruptions.motion
    ),
    _severity("noise", "Gaussian noise", "deviation .08, .12, .18, .26, .38 of the range at 224 pixels", corruptions.noise),
    _severity("impulse", "impulse noise", "3, 6, 9, 17, 27 % of the values black or white at 224 pixels", corruptions.impulse),
    Transformation(
        name="jpeg",
        title="JPEG",
        group="corruption",
        unit="quality",
        levels=(80, 50, 25, 15, 7),
        neutral=100,
        low=1,
        high=100,
        parameters="quality of libjpeg; ImageNet-C: 25 to 7, CIFAR-10-C: 80 to 40",
        change=changes.jpeg,
    ),
    _severity("fog", "fog", "amount 1.5, 2, 2.5, 2.5, 3 of a noise whose octaves fade by 2, 2, 1.7, 1.5, 1.4", corruptions.fog),
    _severity("rain", "rain", "streaks of 8 to 22 pixels at 224, 0.2 to 1.6 % of the pixels, light 95 to 72 %", corruptions.rain),
    Transformation(
        name="channel",
        title="missing channel",
        group="colour",
        unit="channel",
        levels=(0, 1, 2, 3),
        neutral=-1,
        low=0,
        high=3,
        parameters="blue, green or red is black; grey: all channels have the luminance",
        change=changes.missing_channel,
        words={0: "no blue", 1: "no green", 2: "no red", 3: "grey"},
        needs_colour=True,
    ),
    Transformation(
        name="turn",
        title="objects turned",
        group="scene",
        unit="degrees",
        levels=(45, 90, 135, 180, 270),
        neutral=0,
        low=0,
        high=360,
        parameters="the renderer turns every object around its own axis; boxes are exact",
    ),
    Transformation(
        name="pitch",
        title="camera pitch",
        group="scene",
        unit="degrees",
        levels=(20, 35, 50, 65, 80),
        neutral=0,
        low=10,
        high=89,
        parameters="the camera looks down at this angle on the same table; boxes are exact",
    ),
)
TRANSFORMATIONS: Final[Mapping[str, Transformation]] = {one.name: one for one in _ALL}
COMPACT: Final[tuple[tuple[str, tuple[float, ...]], ...]] = (
    ("rotate", (15,)),
    ("brightness", (-0.3, 0.3)),
    ("defocus", (2,)),
    ("jpeg", (50,)),
)
"""For a gate: half a minute for a small detector on 200 images."""
SETS: Final = ("all", "compact", "geometry", "corruption")


def find_transformation(name: str) -> Transformation:
    """The transformation of that name; raises ``InputError``, which lists all."""
    found = TRANSFORMATIONS.get(name)
    if found is None:
        raise InputError(f"{name!r} is not a transformation", f"use one of {', '.join(TRANSFORMATIONS)}, or {', '.join(SETS)}")
    return found


def parse_transformations(words: Sequence[str], *, scene: bool) -> Levels:
    """Transformations with their levels, from words such as "corruption", "rotate,jpeg", "rotate=15,30" and "rotate=0:360:10".

    Those of the renderer are part of "all" for a ``scene``. Raises ``InputError`` for unknown names, levels that are no numbers or out
    of range.
    """
    chosen: dict[str, tuple[float, ...]] = {}
    for word in words:
        name, given, levels = word.partition("=")
        if given and "," in name:
            raise InputError(
                f"{word!r} gives levels to several transformations", "name one with its levels, and the others apart"
            )
        if given:
            own = find_transformation(name.strip())
            chosen[own.name] = tuple(dict.fromkeys(own.check(level) for level in _levels(own.name, levels)))
            continue
        for part in filter(None, (part.strip() for part in name.split(","))):
            chosen.update(_named(part, scene))
    if not chosen:
        raise InputError("no transformation is named", f"use some of {', '.join(TRANSFORMATIONS)}, or {', '.join(SETS)}")
    return tuple((TRANSFORMATIONS[name], levels) for name, levels in chosen.items())


def _named(name: str, scene: bool) -> Mapping[str, tuple[float, ...]]:
    if name == "compact":
        return dict(COMPACT)
    if name in SETS:
        return {own.name: own.levels for own in _ALL if (name == "all" and (scene or own.group != "scene")) or own.group == name}
    return {name: find_transformation(name).levels}


def _levels(name: str, text: str) -> list[float]:
    """Numbers, and ranges FROM:TO:STEP that include both ends."""
    found: list[float] = []
    for part in text.split(","):
        try:
            numbers = [float(number) for number in part.split(":")]
        except ValueError:
            numbers = []
        if len(numbers) == 1:
            found += numbers
        elif len(numbers) == 3 and numbers[2] > 0 and (numbers[1] - numbers[0]) / numbers[2] < 10_000:
            steps = int((numbers[1] - numbers[0]) / numbers[2] + 1e-9)
            found += [numbers[0] + step * numbers[2] for step in range(steps + 1)]
        else:
            raise InputError(f"{part!r} are no levels of {name}", f"give numbers such as {name}=1,2 or {name}=FROM:TO:STEP")
    return found
