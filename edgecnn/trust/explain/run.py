"""Explains a model file: all sections, in their order on the page."""

from __future__ import annotations

from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.runtime.backends import file_format
from edgecnn.trust.explain.config import ExplainConfig
from edgecnn.trust.explain.dissection_section import dissection_section
from edgecnn.trust.explain.fields_section import fields_section
from edgecnn.trust.explain.filters_section import filters_section
from edgecnn.trust.explain.layers_section import layers_section
from edgecnn.trust.explain.maps_section import maps_section
from edgecnn.trust.explain.patches_section import patches_section
from edgecnn.trust.explain.reasons_section import reasons_section
from edgecnn.trust.explain.section import Explanation, Section
from edgecnn.trust.explain.study import Study

# A section is a function in a file of its own, and a line here.
SECTIONS: tuple[Section, ...] = (
    layers_section,
    filters_section,
    maps_section,
    fields_section,
    patches_section,
    dissection_section,
    reasons_section,
)


def explain(config: ExplainConfig, *, report: Progress = no_progress, progress: Progress = no_progress) -> Explanation:
    """Look into one model file.

    ``report`` gets lines about the dataset, ``progress`` short texts of what is done. Raises what opening the file and the dataset raises,
    and ``InputError`` for a file without a convolution, an unknown layer, and an image that can't be read.
    """
    with Study(config, report=report, progress=progress) as study:
        found = [part for part in (section(study) for section in SECTIONS) if part is not None]
        card, path = study.reader.card, study.reader.path
        height, width = card.preprocess.size
        return Explanation(
            file=path.name,
            format=file_format(path),
            precision=str(card.precision),
            network=card.name,
            input=f"{width} x {height} pixels, {card.preprocess.channels} colour{'s' if card.preprocess.channels > 1 else ''}",
            image="" if study.image is None else study.image.name,
            dataset="" if config.data is None else str(config.data),
            images=0 if study.dataset is None else len(study.dataset),
            seed=config.seed,
            sections=tuple(found),
        )
