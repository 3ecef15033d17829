"""Feature maps of one image: how convolution, stride, padding and pooling turn pixels into maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.trust.explain.layers_section import shown_name
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.explain.pictures import SmallPicture, map_image, picture
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.explain.words import arithmetic, kind_words, padding_words, size_words
from edgecnn.trust.inside.graph import FloatArray

MOST_STEPS, MAPS = 11, 8
ORIGINAL, SEEN, LEAST, MAP = 300, 300, 160, 116  # pixels on the page


@dataclass(frozen=True, slots=True)
class MapStep:
    """One layer of the walk: its name and kind, sentences on its size, and its strongest maps."""

    name: str
    kind: str
    words: tuple[str, ...]
    maps: tuple[SmallPicture, ...]


def maps_section(study: Study) -> SectionResult | None:
    """None without an image."""
    if study.image is None:
        return None
    steps = walk(study.reader.steps, study.chosen if study.config.layers else ())
    found = study.reader.activations(study.image.seen, [step.layer.name for step in steps])
    strongest = {step.layer.name: _strongest(found[step.layer.name]) for step in steps}
    document = {
        "image": study.image.name,
        "layers": [
            {
                "name": step.layer.name,
                "read": step.source,
                "made": (step.layer.channels, step.layer.height, step.layer.width),
                "strongest_units": strongest[step.layer.name],
            }
            for step in steps
        ],
    }
    html = _html(study, steps, found, strongest) if study.config.page else ""
    return SectionResult("maps", "One image on its way through the network", document, (), html)


def walk(steps: Sequence[LayerStep], named: Sequence[LayerStep]) -> tuple[LayerStep, ...]:
    """Layers that tell the way of an image: the first one, those that make the maps smaller than any before, the last one of each size
    before that, the last one of all; and those that were named.
    """
    shrinking = [0]
    for place, step in enumerate(steps):
        if step.layer.stride > steps[shrinking[-1]].layer.stride:
            shrinking.append(place)
    chosen = {*shrinking, *(place - 1 for place in shrinking[1:]), len(steps) - 1}
    if len(chosen) > MOST_STEPS:
        chosen = {*shrinking[: MOST_STEPS - 1], len(steps) - 1}
    wanted = {steps[place].layer.depth for place in chosen} | {step.layer.depth for step in named}
    return tuple(step for step in steps if step.layer.depth in wanted)


def _strongest(maps: FloatArray) -> list[int]:
    """The units whose values differ most over the image."""
    order: list[int] = np.argsort(-maps.reshape(len(maps), -1).std(1), kind="stable")[:MAPS].tolist()
    return order


def _html(study: Study, steps: Sequence[LayerStep], found: dict[str, FloatArray], strongest: dict[str, list[int]]) -> str:
    image = study.image
    assert image is not None
    height, width = image.original.shape[:2]
    before = _before_activation(study, steps[0], strongest[steps[0].layer.name])
    return page_part(
        study,
        "maps.html",
        name=image.name,
        original=picture(image.original, min(ORIGINAL, max(width, LEAST)), f"the image: {width} x {height} pixels"),
        seen=picture(
            image.seen,
            min(SEEN, max(image.seen.shape[1], LEAST)),
            "as the network gets it: {1} x {0} pixels".format(*image.seen.shape),
        ),
        before=before,
        steps=[_step(step, found[step.layer.name], strongest[step.layer.name]) for step in steps],
    )


def _before_activation(study: Study, first: LayerStep, units: Sequence[int]) -> tuple[SmallPicture, ...]:
    """The same maps of the first layer before its activation; () where the file has no such tensor."""
    assert study.image is not None
    maps = study.reader.before_activation(study.image.seen, first)
    if maps is None:
        return ()
    return tuple(picture(map_image(maps[unit], signed=True), MAP, f"unit {unit}") for unit in units)


def _step(step: LayerStep, maps: FloatArray, units: Sequence[int]) -> MapStep:
    own = step.layer
    words = [f"makes {size_words(own.channels, own.height, own.width)}"]
    if step.source is not None:
        words[0] = f"reads {size_words(*step.source)}, {words[0]}"
    sum_words = arithmetic(step)
    if sum_words and step.window is not None:
        words.append(f"{padding_words(step)}; width: {sum_words}")
    words.append(
        f"one value is {own.stride} pixel{'s' if own.stride > 1 else ''} of the image wide and can see {own.receptive_field}"
    )
    width = MAP if own.width >= own.height else max(round(MAP * own.width / own.height), 24)
    pictures = tuple(picture(map_image(maps[unit]), width, f"unit {unit}", sharp=own.width * 2 <= width) for unit in units)
    return MapStep(shown_name(own.name), kind_words(step), tuple(words), pictures)
