"""How training images are changed: one range or chance for each kind of change, in named sets, written `standard?rotate=15&erase=0`.

What is not built into a network must be shown to it: a convolution knows shifts, but no rotation, no other size, no other light.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from edgecnn.errors import InputError

CHANCES = ("flip", "flip_vertical", "blur", "sharpen", "noise", "erase", "mosaic", "mixup")
LIMITS = {"shift": 0.9, "scale": 4.0, "rotate": 180.0, "crop": 0.95, "light": 1.0, "gamma": 1.0, "colour": 1.0}


@dataclass(frozen=True, slots=True)
class Policy:
    """Chances (0..1) of ``flip``, ``flip_vertical``, ``blur``, ``sharpen``, ``noise``, ``erase``, ``mosaic`` and ``mixup``, and strengths.

    ``shift``: largest move as a part of the side. ``scale``: sizes from 1 / (1 + scale) to 1 + scale. ``rotate``: largest angle in
    degrees. ``crop``: largest part of the area that is cut away. ``light``, ``gamma`` and ``colour``: largest relative change of
    brightness and contrast, of gamma, and of hue and saturation. 0 switches a change off.
    """

    flip: float = 0.0
    flip_vertical: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    crop: float = 0.0
    light: float = 0.0
    gamma: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    mosaic: float = 0.0
    mixup: float = 0.0
    name: str = field(default="none", compare=False)

    def record(self) -> dict[str, float]:
        """The changes that are on, for the card."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if key != "name" and value}

    def calm(self) -> Policy:
        """What is left for the last epochs: only the mirror, so that training ends on images as they are (YOLOX, arXiv:2107.08430)."""
        return Policy(flip=self.flip, flip_vertical=self.flip_vertical, name="calm")


_CLASSIFY = {
    "light": Policy(flip=0.5, shift=0.08),
    "standard": Policy(flip=0.5, shift=0.08, light=0.1, erase=0.3),
    "strong": Policy(
        flip=0.5,
        shift=0.1,
        scale=0.15,
        rotate=10,
        light=0.2,
        gamma=0.1,
        colour=0.1,
        blur=0.05,
        sharpen=0.05,
        noise=0.05,
        erase=0.5,
        mixup=0.3,
    ),
}
_DETECT = {
    "light": Policy(flip=0.5, shift=0.2, scale=0.4, light=0.2, gamma=0.15, colour=0.05),
    "standard": Policy(
        flip=0.5,
        shift=0.2,
        scale=0.5,
        rotate=3,
        light=0.25,
        gamma=0.2,
        colour=0.1,
        blur=0.05,
        sharpen=0.05,
        noise=0.05,
        mosaic=0.3,
    ),
    "strong": Policy(
        flip=0.5,
        shift=0.2,
        scale=0.7,
        rotate=7,
        light=0.35,
        gamma=0.3,
        colour=0.2,
        blur=0.1,
        sharpen=0.1,
        noise=0.1,
        erase=0.1,
        mosaic=0.7,
        mixup=0.1,
    ),
}
POLICIES: Mapping[str, Mapping[str, Policy]] = {"classify": _CLASSIFY, "regress": _CLASSIFY, "detect": _DETECT}
NAMES = ("none", "light", "standard", "strong")


def parse_policy(text: str, task: str, *, flip: bool = True) -> Policy:
    """The set of changes that ``text`` names, for a task; ``flip`` False switches the mirror off.

    Raises ``InputError`` for an unknown name, an unknown change or a value out of range.
    """
    name, _, knobs = text.partition("?")
    if name not in NAMES:
        raise InputError(f"a set of changes of {', '.join(NAMES)}", repr(name), "name one, such as --augment standard?rotate=15")
    policy = POLICIES[task][name] if name != "none" else Policy()
    changes = dict(_knob(key, value) for key, value in parse_qsl(knobs, keep_blank_values=True))
    policy = dataclasses.replace(policy, **changes, name=text)
    return policy if flip else dataclasses.replace(policy, flip=0.0, flip_vertical=0.0)


def _knob(key: str, value: str) -> tuple[str, float]:
    limit = 1.0 if key in CHANCES else LIMITS.get(key)
    if limit is None:
        known = ", ".join([*CHANCES, *LIMITS])
        raise InputError(f"a change of {known}", repr(key), "correct --augment")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= limit:
        raise InputError(f"{key} of 0..{limit:g}", repr(value), "correct --augment")
    return key, number
