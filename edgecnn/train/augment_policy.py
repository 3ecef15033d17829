"""Augmentation policies: named sets of a probability or range for each augmentation, such as `standard?rotate=15&erase=0`.

Augmentation adds the variation that the architecture does not cover: convolutions are equivariant to shifts, but not to rotation,
scale or brightness.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from edgecnn.errors import InputError

PROBABILITIES = ("flip", "flip_vertical", "blur", "sharpen", "noise", "erase", "mosaic", "mixup", "copy_paste")
# Largest values that a range may have.
LIMITS = {"shift": 0.9, "scale": 4.0, "rotate": 180.0, "crop": 0.95, "brightness": 1.0, "gamma": 1.0, "color": 1.0}


@dataclass(frozen=True, slots=True)
class AugmentPolicy:
    """Probabilities of ``flip``, ``flip_vertical``, ``blur``, ``sharpen``, ``noise``, ``erase``, ``mosaic``, ``mixup`` and
    ``copy_paste`` (``edgecnn.train.copy_paste``, for detectors), and ranges.

    ``shift``: largest translation as a fraction of the side. ``scale``: sizes from 1 / (1 + scale) to 1 + scale. ``rotate``: largest
    angle in degrees. ``crop``: largest fraction of the area that is cut away. ``brightness``, ``gamma`` and ``color``: largest relative
    change of brightness and contrast, of gamma, and of hue and saturation. 0 switches an augmentation off.
    """

    flip: float = 0.0
    flip_vertical: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    crop: float = 0.0
    brightness: float = 0.0
    gamma: float = 0.0
    color: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    mosaic: float = 0.0
    mixup: float = 0.0
    copy_paste: float = 0.0
    name: str = field(default="none", compare=False)

    def record(self) -> dict[str, float]:
        """The augmentations that are on, for the card."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if key != "name" and value}

    def flips_only(self) -> AugmentPolicy:
        """The policy of the last epochs: training ends on images like those at inference (YOLOX, arXiv:2107.08430)."""
        return AugmentPolicy(flip=self.flip, flip_vertical=self.flip_vertical, name="flips only")


_CLASSIFY = {
    "light": AugmentPolicy(flip=0.5, shift=0.08),
    "standard": AugmentPolicy(flip=0.5, shift=0.08, brightness=0.1, erase=0.3),
    "strong": AugmentPolicy(
        flip=0.5,
        shift=0.1,
        scale=0.15,
        rotate=10,
        brightness=0.2,
        gamma=0.1,
        color=0.1,
        blur=0.05,
        sharpen=0.05,
        noise=0.05,
        erase=0.5,
        mixup=0.3,
    ),
}
_DETECT = {
    "light": AugmentPolicy(flip=0.5, shift=0.2, scale=0.4, brightness=0.2, gamma=0.15, color=0.05),
    "standard": AugmentPolicy(
        flip=0.5,
        shift=0.2,
        scale=0.5,
        rotate=3,
        brightness=0.25,
        gamma=0.2,
        color=0.1,
        blur=0.05,
        sharpen=0.05,
        noise=0.05,
        mosaic=0.3,
    ),
    "strong": AugmentPolicy(
        flip=0.5,
        shift=0.2,
        scale=0.7,
        rotate=7,
        brightness=0.35,
        gamma=0.3,
        color=0.2,
        blur=0.1,
        sharpen=0.1,
        noise=0.1,
        erase=0.1,
        mosaic=0.7,
        mixup=0.1,
    ),
}
# Masks and key points move with the image, but a mosaic, a mixture or an erased part has no single truth.
_DENSE = {name: dataclasses.replace(policy, mosaic=0.0, mixup=0.0, erase=0.0) for name, policy in _DETECT.items()}
POLICIES: Mapping[str, Mapping[str, AugmentPolicy]] = {
    "classify": _CLASSIFY,
    "regress": _CLASSIFY,
    "multilabel": _CLASSIFY,
    "detect": _DETECT,
    "signal": dict.fromkeys(("light", "standard", "strong"), AugmentPolicy()),  # a mirrored signal runs backwards
    "restore": dict.fromkeys(("light", "standard", "strong"), AugmentPolicy(flip=0.5)),
    "embed": {name: dataclasses.replace(policy, mixup=0.0) for name, policy in _CLASSIFY.items()},
    "segment": _DENSE,
    "pose": _DENSE,
}
COPY_PASTE_TASKS = frozenset({"detect"})  # a crop has all the truth of its part of an image where that truth is boxes
NAMES = ("none", "light", "standard", "strong")


def parse_policy(text: str, task: str, *, flip: bool = True) -> AugmentPolicy:
    """The augmentation policy that ``text`` names, for a task; ``flip`` False switches flips off.

    Raises ``InputError`` for an unknown policy, an unknown parameter, a value out of range, and ``copy_paste`` for another task than
    detection.
    """
    name, _, query = text.partition("?")
    if name not in NAMES:
        raise InputError(
            f"--augment: {name!r} is not a policy", f"use one of {', '.join(NAMES)}, such as --augment standard?rotate=15"
        )
    policy = POLICIES[task][name] if name != "none" else AugmentPolicy()
    changes = dict(_parameter(key, value) for key, value in parse_qsl(query, keep_blank_values=True))
    if changes.get("copy_paste") and task not in COPY_PASTE_TASKS:
        raise InputError(f"--augment: copy_paste is for detectors, and this model is for the task {task}", "leave copy_paste out")
    policy = dataclasses.replace(policy, **changes, name=text)
    return policy if flip else dataclasses.replace(policy, flip=0.0, flip_vertical=0.0)


def _parameter(key: str, value: str) -> tuple[str, float]:
    limit = 1.0 if key in PROBABILITIES else LIMITS.get(key)
    if limit is None:
        raise InputError(f"--augment: {key!r} is not a parameter", f"use one of {', '.join([*PROBABILITIES, *LIMITS])}")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= limit:
        raise InputError(f"--augment: {value!r} is not a value for {key}", f"give a number of 0..{limit:g}")
    return key, number
