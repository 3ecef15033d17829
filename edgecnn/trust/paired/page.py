"""A comparison of two files as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from contextlib import ExitStack

from edgecnn.benchmarks.report.template import load_jinja, render, responsive
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.paired.comparison import PairedEvaluation
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.pictures import pictures
from edgecnn.trust.paired.plots import class_plot, drift_plot
from edgecnn.trust.paired.text import agreement_words, class_heads, class_row, drift_words, image_words, mean_words, verdict

SHOWN_IMAGES = 200


def check_page() -> None:
    """Raise ``MissingExtraError`` before long work where the page can't be made."""
    load_jinja()


def pair_page(found: PairedEvaluation, config: PairConfig) -> str:
    """The page as text; the images that changed most are read and predicted once more. Raises ``MissingExtraError`` without jinja2."""
    drift = found.drift
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
        bad=bool(found.causes or found.paying),
        facts=[words for words in (mean_words(found), agreement_words(found), drift_words(found)) if words],
        heads=class_heads(found),
        rows=[(class_row(found, one), one.pays) for one in found.classes],
        class_plot=responsive(lambda width: class_plot(found.classes, width)),
        drift_plot=responsive(None if drift is None else lambda width: drift_plot(drift, width)),
        sheets=sheets,
        images=[(pair.name, image_words(found, pair)) for pair in changed[:SHOWN_IMAGES]],
        more=max(len(changed) - SHOWN_IMAGES, 0),
    )
