"""A comparison of two files as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from edgecnn.benchmarks.report.template import load_jinja, render, responsive
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.paired.comparison import PairedEvaluation
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.pictures import pictures
from edgecnn.trust.paired.plots import change_plot, drift_plot
from edgecnn.trust.paired.text import (
    GROUP_HEADS,
    agreement_words,
    class_heads,
    class_row,
    drift_words,
    group_row,
    group_verdict,
    image_words,
    mean_words,
    verdict,
)

SHOWN_IMAGES = 200


def check_page() -> None:
    """Raise ``MissingExtraError`` before long work where the page can't be made."""
    load_jinja()


def _parts(found: PairedEvaluation) -> Iterator[dict[str, Any]]:
    """The tables of classes and groups, each with its plot."""
    if found.classes:
        yield {
            "title": "Classes",
            "part": "classes",
            "verdict": "",
            "heads": class_heads(found),
            "rows": [(class_row(found, one), one.pays) for one in found.classes],
            "plot": responsive(lambda width: change_plot(found.classes, width, "class")),
            "empty": (),
        }
    groups = found.groups
    if groups is not None:
        yield {
            "title": f"Groups by {groups.by}",
            "part": "groups",
            "verdict": group_verdict(groups),
            "heads": GROUP_HEADS,
            "rows": [(group_row(one), one.pays) for one in groups.changes],
            "plot": responsive(lambda width: change_plot(groups.changes, width, "group")),
            "empty": groups.empty,
        }


def pair_page(found: PairedEvaluation, config: PairConfig) -> str:
    """The page as text; the images that changed most are read and predicted once more. Raises ``MissingExtraError`` without jinja2."""
    drift, groups = found.drift, found.groups
    with ExitStack() as stack:
        files = tuple(
            stack.enter_context(
                Predictor(file, config.device, threads=config.threads, options=config.options, engine=config.engine)
            )
            for file in (config.before, config.after)
        )
        sheets = pictures(found, config.data.open(task=files[0].card.task), (files[0], files[1]))
    changed = found.changed
    return render(
        "edgecnn.trust.paired",
        "paired.html",
        found=found,
        verdict=verdict(found),
        bad=bool(found.causes or found.paying or (groups is not None and groups.paying)),
        facts=[words for words in (mean_words(found), agreement_words(found), drift_words(found)) if words],
        parts=[*_parts(found)],
        drift_plot=responsive(None if drift is None else lambda width: drift_plot(drift, width)),
        sheets=sheets,
        images=[(pair.name, image_words(found, pair)) for pair in changed[:SHOWN_IMAGES]],
        more=max(len(changed) - SHOWN_IMAGES, 0),
    )
