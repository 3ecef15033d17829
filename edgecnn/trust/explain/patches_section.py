"""The parts of images that make each unit of a layer fire most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.trust.explain.layers_section import shown_name
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.explain.pictures import SmallPicture, patch_image, picture
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.explain.units import UnitSummary
from edgecnn.trust.explain.words import kind_words

UNITS, MOST_UNITS = 8, 64  # of a layer on the page; of one that was named
PATCH, LONGEST = 72, 144  # pixels on the page; of a picture at most


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit with its patches, the strongest first."""

    title: str
    patches: tuple[SmallPicture, ...]


@dataclass(frozen=True, slots=True)
class PatchLayer:
    """A layer with some of its units."""

    name: str
    kind: str
    words: str
    rows: tuple[UnitRow, ...]


def patches_section(study: Study) -> SectionResult | None:
    """None without a dataset."""
    dataset = study.dataset
    if dataset is None or not study.units:
        return None
    names = _image_names(study)
    layers = [_layer_document(step, study.units[step.layer.name], names) for step in study.chosen]
    document = {"images": next(iter(study.units.values())).images, "layers": layers}
    html = ""
    if study.config.page:
        html = page_part(
            study,
            "patches.html",
            dataset=str(study.config.data),
            images=document["images"],
            layers=[_layer(study, step) for step in study.chosen],
        )
    return SectionResult("patches", "What makes each unit fire most", document, (), html)


def _layer_document(step: LayerStep, units: UnitSummary, names: dict[int, str]) -> dict[str, Any]:
    return {
        "name": step.layer.name,
        "units": [
            [
                {
                    "value": round(peak.value, 6),
                    "image": names[peak.image],
                    "place": (peak.row, peak.column),
                    "box": step.field.box(peak.row, peak.column),
                }
                for peak in peaks
            ]
            for peaks in units.peaks
        ],
    }


def _image_names(study: Study) -> dict[int, str]:
    """The names of the images that have a peak; each is asked for once, because making a sample may take as long as an image."""
    assert study.dataset is not None
    numbers = {peak.image for step in study.chosen for peaks in study.units[step.layer.name].peaks for peak in peaks}
    return {number: study.dataset.samples[number].name for number in sorted(numbers)}


def _layer(study: Study, step: LayerStep) -> PatchLayer:
    units = study.units[step.layer.name]
    shown = _shown_units(units, MOST_UNITS if study.config.layers else UNITS)
    seen = _pictures_of(study, step, units, shown)
    rows = tuple(UnitRow(f"unit {unit}", tuple(seen[unit])) for unit in shown)
    field, image = step.layer.receptive_field, study.reader.card.preprocess.size
    words = f"each patch is what the unit can see: {field} x {field} pixels"
    if step.field.whole or field >= max(image):
        words = "the field is larger than the image, so each patch is the whole image"
    silent = f"; silent: {len(units.silent)} of {units.channels}" if units.silent else ""
    return PatchLayer(
        shown_name(step.layer.name), kind_words(step), f"{len(shown)} of {units.channels} units; {words}{silent}", rows
    )


def _shown_units(units: UnitSummary, most: int) -> list[int]:
    """Units that are not silent, evenly spread over the layer: no choice of the prettiest."""
    speaking = [unit for unit in range(units.channels) if unit not in set(units.silent)]
    if not speaking:
        return []
    places = np.unique(np.linspace(0, len(speaking) - 1, min(most, len(speaking))).round().astype(int))
    return [speaking[place] for place in places]


def _pictures_of(study: Study, step: LayerStep, units: UnitSummary, shown: Sequence[int]) -> dict[int, list[SmallPicture]]:
    """The patches of each unit."""
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for unit in shown:
        for rank, peak in enumerate(units.peaks[unit]):
            wanted[peak.image].append((unit, rank))
    found: dict[int, dict[int, SmallPicture]] = defaultdict(dict)
    assert study.peak_images is not None
    for index in sorted(wanted):
        image = study.peak_images[index]
        for unit, rank in wanted[index]:
            peak = units.peaks[unit][rank]
            patch = patch_image(image, step.field.box(peak.row, peak.column), LONGEST)
            found[unit][rank] = picture(patch, PATCH, f"{peak.value:.3g}", sharp=patch.shape[1] * 2 <= PATCH)
    return {unit: [found[unit][rank] for rank in sorted(found[unit])] for unit in shown}
