"""The generated bearing vibrations as a dataset: ``scene:bearing?seed=1&count=2400``."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from edgecnn.card import SignalInput
from edgecnn.data.sample import Dataset, LazySamples, Sample
from edgecnn.errors import InputError
from edgecnn.signals.bearing import LABELS, BearingOptions, bearing_window
from edgecnn.signals.window_image import to_image
from edgecnn.types import Image

NAME = "scene:bearing"
READERS: dict[str, Any] = {"seed": int, "count": int, "length": int, "noise": float, "rate_hz": float}
LEAST = {"seed": 0, "count": 1, "length": 64, "noise": 0.0, "rate_hz": 1000.0}


def dataset(uri: str, limit: int | None) -> Dataset:
    """Windows of all classes in turn. Raises ``InputError`` for an unknown parameter, a bad value, or without ``count``."""
    values = dict(_value(name, text) for name, text in parse_qsl(uri.partition("?")[2], keep_blank_values=True))
    count = values.pop("count", limit)
    if count is None:
        raise InputError(f"{NAME} without count= never ends, so it is no dataset", f"add count=, such as {NAME}?count=1000")
    options = BearingOptions(**values)
    samples = LazySamples(count, partial(_sample, options))
    signal = SignalInput(options.rate_hz, options.length // 2, ("acceleration",))
    return Dataset(NAME, "signal", LABELS, samples, signal=signal)


def _value(name: str, text: str) -> tuple[str, Any]:
    if name not in READERS:
        raise InputError(f"{NAME} has no parameter {name!r}", f"use one of {', '.join(READERS)}")
    try:
        value = READERS[name](text)
    except ValueError:
        value = LEAST[name] - 1
    if not LEAST[name] <= value <= 2**31:
        raise InputError(f"{name}={text} of {NAME} is not a number from {LEAST[name]:g}", "correct it")
    return name, value


def _sample(options: BearingOptions, index: int) -> Sample:
    label = index % len(LABELS)
    return Sample(f"window-{index:06d}", partial(_image, options, index), label, group=str(index), image_id=index)


def _image(options: BearingOptions, index: int) -> Image:
    return to_image(bearing_window(options, index)[0])
