"""The filters of the first layer beside classic ones, and what each does to the image."""

from __future__ import annotations

from collections import Counter
from typing import Any

import cv2
import numpy as np

from edgecnn.trust.explain.classic_filters import NEAR, ClassicFilter, FilterMatch, by_chance, classic_filters, nearest
from edgecnn.trust.explain.layers_section import shown_name
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.explain.pictures import SmallPicture, filter_image, map_image, picture
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.inside.graph import FloatArray
from edgecnn.types import Image

MOST_FILTERS = 64
FILTER, MAP = 72, 132  # pixels on the page


def filters_section(study: Study) -> SectionResult | None:
    """None where the weights of the first convolution can't be read."""
    filters, first = study.reader.filters(), study.reader.first
    if filters is None or first is None:
        return None
    matches = [nearest(one) for one in filters]
    near = Counter(match.name for match in matches if match is not None and match.near)
    colours, height, width = filters.shape[1:]
    chance = by_chance(colours, height, width) if height * width > 1 else None
    lines = [*_lines(first, filters, near, len(matches), chance)]
    document = {
        "layer": first.layer.name,
        "size": [height, width],
        "near_from": NEAR,
        "near_by_chance": chance,
        "filters": [_document(unit, match) for unit, match in enumerate(matches)],
    }
    html = page_part(
        study,
        "filters.html",
        lines=lines,
        classic=_classic(study, height, width),
        learnt=_learnt(study, first, filters, matches) if study.config.page else [],
        more=max(len(filters) - MOST_FILTERS, 0),
        size=f"{width} x {height}",
        colours=colours,
        near=f"{NEAR:g}",
    )
    return SectionResult("filters", "First-layer filters beside classic ones", document, tuple(lines), html)


def _lines(first: LayerStep, filters: FloatArray, near: Counter[str], count: int, chance: float | None) -> list[str]:
    colours, height, width = filters.shape[1:]
    size = f"{count} filters of {width} x {height} pixels and {colours} colour{'s' if colours != 1 else ''}"
    if chance is None:
        return [f"first layer {shown_name(first.layer.name)}: {size}; a filter of one pixel only mixes colours"]
    named = ", ".join(f"{number} {name}" for name, number in near.most_common()) or "none"
    total = sum(near.values())
    return [
        f"first layer {shown_name(first.layer.name)}: {size}",
        f"{total} of {count} are like a classic filter (correlation {NEAR:g} or more): {named}; of random filters {100 * chance:.1f} %",
    ]


def _document(unit: int, match: FilterMatch | None) -> dict[str, Any]:
    if match is None:
        return {"unit": unit, "nearest": None}
    return {
        "unit": unit,
        "nearest": match.name,
        "correlation": round(match.correlation, 4),
        "near": match.near,
        "colour": match.colour,
        "angle_degrees": None if match.angle is None else round(match.angle, 1),
    }


def match_words(match: FilterMatch | None) -> tuple[str, str]:
    """What a filter is like, and in which colour with the correlation."""
    if match is None:
        return "mixes colours", ""
    colour = "" if match.colour in ("", "brightness") else f"{match.colour}, "
    if match.near:
        return match.title, f"{colour}{match.correlation:.2f}"
    return "no classic filter", f"nearest: {match.title} {match.correlation:.2f}"


def _classic(study: Study, height: int, width: int) -> list[tuple[SmallPicture, SmallPicture | None]]:
    """One of each kind of classic filter, with what it does to the image."""
    if not study.config.page:
        return []
    shown: dict[str, ClassicFilter] = {}
    for place, one in enumerate(classic_filters(height, width)):
        name = ("vertical edge (Sobel)", "horizontal edge (Sobel)")[place] if place < 2 else one.name
        shown.setdefault(name, one)
    return [
        (
            picture(filter_image(one.kernel[None]), FILTER, name, sharp=True),
            None if study.image is None else _filtered(study.image.seen, one.kernel, name),
        )
        for name, one in shown.items()
    ]


def _filtered(image: Image, kernel: FloatArray, name: str) -> SmallPicture:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255
    # filter2D correlates, as a convolution of a network does
    found = cv2.filter2D(grey, cv2.CV_32F, np.asarray(kernel, np.float32))
    return picture(map_image(np.asarray(found, np.float32)), MAP, name)


def _learnt(
    study: Study, first: LayerStep, filters: FloatArray, matches: list[FilterMatch | None]
) -> list[tuple[SmallPicture, SmallPicture | None]]:
    """The filters, those that are nearest to a classic one first, with the maps that they make."""
    maps = None if study.image is None else study.reader.activations(study.image.seen, [first.layer.name])[first.layer.name]
    order = sorted(enumerate(matches), key=lambda pair: -pair[1].correlation if pair[1] else 0.0)
    found = []
    for unit, match in order[:MOST_FILTERS]:
        title, words = match_words(match)
        own = picture(filter_image(filters[unit]), FILTER, f"{unit}: {title}", words, sharp=True)
        found.append((own, None if maps is None else picture(map_image(maps[unit]), MAP, f"map of filter {unit}")))
    return found
