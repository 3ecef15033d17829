"""The result of an adaptation as one self-contained HTML page, with held-out frames as the model saw them before and sees them now."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edgecnn.adapt.run import Adapted
from edgecnn.adapt.text import advice, verdict
from edgecnn.benchmarks.report.contact_sheet import SheetTile, sheet_tile, to_tile_size
from edgecnn.benchmarks.report.template import load_jinja, render, responsive
from edgecnn.counts import counted
from edgecnn.models import read_card
from edgecnn.runtime.draw.painter import draw
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shown_scores import shown_scores
from edgecnn.trust.paired.plots import change_plot
from edgecnn.trust.paired.text import class_heads, class_row, mean_words
from edgecnn.types import Boxes, Detections, Image

PICTURES = 10
LONGEST = 432  # pixels of a picture, about as many as the page shows: the letters of captions have a fixed size in pixels


def check_page() -> None:
    """Raise ``MissingExtraError`` before long work where the page can't be made."""
    load_jinja()


def adapt_page(found: Adapted) -> str:
    """The page as text; a few held-out frames, evenly spread, are predicted once more. Raises ``MissingExtraError`` without jinja2."""
    left_out = len(found.split.between)
    return render(
        "edgecnn.adapt",
        "adapt.html",
        found=found,
        name=read_card(found.config.model).name,
        verdict=verdict(found),
        advice=advice(found),
        mean=mean_words(found.compared),
        teachers=[address.partition("?")[0] for address in found.config.identity()["teachers"]],
        between=f"{counted(left_out, 'frame')} {'is' if left_out == 1 else 'are'}",
        source=found.config.identity()["source"],
        parts=[("to train on", found.train), ("held out", found.held_out)],
        heads=class_heads(found.compared),
        rows=[(class_row(found.compared, one), one.pays) for one in found.compared.classes],
        class_plot=responsive(lambda width: change_plot(found.compared.classes, width, "class")),
        sheets=_sheets(found),
    )


def _sheets(found: Adapted) -> list[tuple[str, list[SheetTile]]]:
    """Frames with what the teachers, the old and the new model say, by the seconds at which they were seen."""
    dataset = found.pair.data.open(task="detect")
    sheets = []
    with ExitStack() as stack:
        before, after = (stack.enter_context(Predictor(file)) for file in (found.pair.before, found.pair.after))
        for place in np.unique(np.linspace(0, len(dataset) - 1, PICTURES).astype(int)).tolist():
            sample = dataset.samples[place]
            image = sample.read()
            tiles = [
                sheet_tile(_truth(image, sample.boxes, dataset.labels), "teachers"),
                *(sheet_tile(_found(image, predictor), name) for predictor, name in ((before, "before"), (after, "after"))),
            ]
            sheets.append((f"at {int(Path(sample.name).stem) / 1000:.1f} s", tiles))
    return sheets


def _found(image: Image, predictor: Predictor) -> Image:
    prediction = predictor(image)
    assert isinstance(prediction, Detections)
    return _drawn(image, shown_scores(predictor.card).keep(prediction), predictor.card.labels)


def _truth(image: Image, boxes: Boxes | None, labels: tuple[str, ...]) -> Image:
    if boxes is None:
        return _drawn(image, Detections.empty(), labels)
    sure = np.ones(len(boxes), np.bool_) if boxes.crowd is None else ~boxes.crowd
    chosen = boxes.xyxy[sure]
    return _drawn(image, Detections(chosen, np.full(len(chosen), np.nan, np.float32), boxes.class_id[sure]), labels)


def _drawn(image: Image, found: Detections, labels: tuple[str, ...]) -> Image:
    scaled, factor = to_tile_size(image, LONGEST)
    return draw(scaled, Detections((found.xyxy * factor).astype(np.float32), found.score, found.class_id), labels)
