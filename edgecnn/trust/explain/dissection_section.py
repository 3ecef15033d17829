"""Which units detect a colour, a texture, a part or an object, by layer."""

from __future__ import annotations

from edgecnn.benchmarks.report.plot_bars import BarStack, stacked_bars
from edgecnn.benchmarks.report.template import responsive
from edgecnn.trust.explain.dissection.result import Dissection, UnitPictures
from edgecnn.trust.explain.dissection.run import dissect
from edgecnn.trust.explain.dissection.text import dissection_lines, layer_rows, summary
from edgecnn.trust.explain.layers_section import shown_name
from edgecnn.trust.explain.pictures import SmallPicture, picture
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.explain.units import OF_UNITS

TILE = 112  # pixels on the page


def dissection_section(study: Study) -> SectionResult | None:
    """None without a dataset, or where its images say nothing of what they show."""
    dataset, config = study.dataset, study.config
    if dataset is None or config.data is None or len(dataset) < 2:
        return None
    layers = config.layers or [layer.name for layer in study.reader.layers if layer.kind in OF_UNITS]
    found = dissect(
        study.reader,
        dataset,
        study.reader.card.preprocess,
        name=str(config.data),
        layers=layers,
        limit=len(dataset),
        pictures=config.page,
        progress=lambda what, done, total: study.counter(f"dissection, {what}: image")(done, total),
    )
    html = page_part(
        study,
        "dissection.html",
        lines=summary(found),
        plot=responsive(lambda width: _plot(found, width)) if config.page and found.best(1) else {},
        rows=layer_rows(found),
        units=[_tiles(one) for one in found.pictures],
    )
    return SectionResult("dissection", "What units detect", found.to_document(), dissection_lines(found), html)


def _plot(found: Dissection, width: float) -> str:
    stacks = [
        BarStack(shown_name(layer.name), {kind: 100 * layer.detectors[kind] / layer.channels for kind in found.kinds})
        for layer in found.layers
    ]
    title = "Share of the units of each layer that detect a concept, in %"
    return stacked_bars(stacks, width, title, number=lambda share: f"{share:.0f}", unit=" %")


def _tiles(one: UnitPictures) -> tuple[str, str, list[SmallPicture]]:
    """What the unit detects, where it is, and its pictures."""
    unit = one.unit
    where = f"unit {unit.unit} of {shown_name(unit.layer)}, overlap {unit.iou:.2f}, {unit.chance:.2f} by chance"
    return f"{unit.kind}: {unit.concept}", where, [picture(image, TILE) for image in one.images]
