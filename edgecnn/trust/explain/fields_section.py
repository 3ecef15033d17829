"""Receptive fields: what a value can see by the graph, and what it does see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from edgecnn.benchmarks.report.plot_curves import CurveAxes, CurveSeries, curve_plot
from edgecnn.benchmarks.report.template import responsive
from edgecnn.trust.attribution.overlay import overlay
from edgecnn.trust.explain.effective_field import SHARE, Box, EffectiveField
from edgecnn.trust.explain.layers_section import shown_name
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.explain.pictures import SmallPicture, picture
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.explain.words import kind_words
from edgecnn.types import Image

THEORY, EFFECT = (0, 150, 255), (255, 220, 60)  # BGR: orange, light blue
WIDTH, HEIGHT = 200, 260.0  # of a picture and of the plot on the page
AROUND = 1.5  # how many times the field is shown
LEAST = 9  # pixels of the image that are shown at least


def fields_section(study: Study) -> SectionResult | None:
    """None without an image."""
    if study.image is None or not study.fields:
        return None
    chosen = [step for step in study.chosen if step.layer.name in study.fields]
    method = next(iter(study.fields.values())).method
    lines = (f"receptive fields: {_sentence(chosen, study)} (by {method})",)
    html = _html(study, chosen, method) if study.config.page else ""
    document = {"method": method, "share": SHARE, "layers": [_document(step, study.fields[step.layer.name]) for step in chosen]}
    return SectionResult("receptive_fields", "Receptive fields", document, lines, html)


def _sentence(chosen: Sequence[LayerStep], study: Study) -> str:
    last = chosen[-1]
    effective = study.fields[last.layer.name]
    size = "the whole image" if last.field.whole else f"{last.layer.receptive_field} pixels"
    return f"a value of the last of these layers can see {size}, and {100 * SHARE:.0f} % of what moves it lies within {effective.side}"


def _document(step: LayerStep, own: EffectiveField) -> dict[str, Any]:
    return {
        "name": step.layer.name,
        "theoretical_px": step.layer.receptive_field,
        "box": own.box,
        "place": own.place,
        "effective_px": own.side,
        "share_outside": round(own.beyond, 6),
    }


def _html(study: Study, chosen: Sequence[LayerStep], method: str) -> str:
    assert study.image is not None
    height, width = study.image.seen.shape[:2]
    by_gradient = "how much each pixel counts by the gradient of the value"
    by_noise = "how much the value changes while a part of the image is replaced by noise"
    return page_part(
        study,
        "fields.html",
        how=by_gradient if method == "gradient" else by_noise,
        share=f"{100 * SHARE:.0f}",
        plot=responsive(lambda wide: _plot(study, wide)) if len(study.reader.steps) > 1 else {},
        whole=f"{width} x {height}",
        pictures=[_picture(study.image.seen, step, study.fields[step.layer.name]) for step in chosen],
        sentence=_sentence(chosen, study),
    )


def _plot(study: Study, width: float) -> str:
    steps = [step for step in study.reader.steps if not step.field.whole]
    theory = CurveSeries(
        "can see (by kernel, stride, dilation and padding)",
        tuple(float(step.layer.depth) for step in steps),
        tuple(float(step.layer.receptive_field) for step in steps),
        hue=1,
    )
    known = [step for step in study.reader.steps if step.layer.name in study.fields]
    effect = CurveSeries(
        f"{100 * SHARE:.0f} % of the effect lies within",
        tuple(float(step.layer.depth) for step in known),
        tuple(float(study.fields[step.layer.name].side) for step in known),
        hue=0,
    )
    most = max((*theory.y, *effect.y), default=1.0)
    return curve_plot([theory, effect], width, HEIGHT, CurveAxes("layer", "side in pixels", y_range=(0.0, most * 1.05)))


def _picture(image: Image, step: LayerStep, own: EffectiveField) -> SmallPicture:
    """The surroundings of the field, the effect over it, and both squares."""
    left, top, right, bottom = own.box
    around = _around(own.box, image.shape[0], image.shape[1])
    x0, y0, x1, y1 = around
    part, heat = image[y0:y1, x0:x1], own.heat[y0:y1, x0:x1]
    factor = max(2 * WIDTH / part.shape[1], 1.0)
    size = round(part.shape[1] * factor), round(part.shape[0] * factor)
    large = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    strong = np.asarray(cv2.resize(heat, size, interpolation=cv2.INTER_NEAREST), np.float32)
    shown = overlay(large, strong, np.empty((0, 4), np.float32))
    factor = shown.shape[1] / part.shape[1]
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    square = (middle_x - own.side / 2, middle_y - own.side / 2, middle_x + own.side / 2, middle_y + own.side / 2)
    for box, colour in ((own.box, THEORY), (square, EFFECT)):
        corners = [round((value - start) * factor) for value, start in zip(box, (x0, y0, x0, y0), strict=True)]
        cv2.rectangle(shown, (corners[0], corners[1]), (corners[2] - 1, corners[3] - 1), colour, 3)
    seen = "the whole image" if step.field.whole else f"{step.layer.receptive_field} pixels"
    words = f"can see {seen}; {100 * SHARE:.0f} % of the effect within {own.side}"
    return picture(shown, WIDTH, kind_words(step), f"{shown_name(step.layer.name)}: {words}")


def _around(box: Box, height: int, width: int) -> Box:
    """A square part of the image around a field, as far as the image reaches."""
    left, top, right, bottom = box
    reach = max(AROUND * max(right - left, bottom - top), LEAST) / 2
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    return (
        max(int(middle_x - reach), 0),
        max(int(middle_y - reach), 0),
        min(int(middle_x + reach) + 1, width),
        min(int(middle_y + reach) + 1, height),
    )
