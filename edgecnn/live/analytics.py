"""Builds the steps, the motion gate and the regions of a camera from its configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgecnn.errors import InputError
from edgecnn.live.config import AnalyticsConfig
from edgecnn.thresholds import MATCH_SIMILARITY, NEW_TRACK_MARGIN, SHOWN_SCORE, WEAK_TRACK_SCORE

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.runtime.model.predictor import Predictor
    from edgecnn.runtime.pipeline.controls import Controls
    from edgecnn.runtime.pipeline.motion_gate import MotionGate
    from edgecnn.runtime.pipeline.region_inference import RegionInference
    from edgecnn.runtime.sources import Source
    from edgecnn.runtime.steps import Step
    from edgecnn.runtime.steps.gallery import GalleryStep
    from edgecnn.runtime.tracking import TrackOptions
    from edgecnn.shown_scores import ShownScores


def build_steps(
    config: AnalyticsConfig,
    labels: Sequence[str],
    source: Source,
    controls: Controls | None = None,
    *,
    shown: ShownScores | None = None,
    gallery: GalleryStep | None = None,
    drift: Step | None = None,
) -> list[Step]:
    """Build the steps of one camera in order; ``shown`` are the scores from which boxes are shown, ``gallery`` names embeddings.

    ``drift`` comes first, as it compares what the model itself said.
    The filter of a viewer comes last, so that it changes the display and not the counts. Raises ``InputError`` for a class that
    the model does not have, and ``MissingExtraError`` if tracking needs a package that is not installed.
    """
    from edgecnn.runtime.steps.class_filter import ClassFilter
    from edgecnn.runtime.steps.clock import clock_of
    from edgecnn.shown_scores import ShownScores

    shown = ShownScores() if shown is None else shown
    clock, anchor, steps = clock_of(source), config.anchor, list[Any]([] if drift is None else [drift])
    if config.tracks:
        from edgecnn.runtime.steps.tracker import Tracker  # here and below: unused steps must not lengthen the cold start

        _check_installed()
        steps.append(Tracker(_track_options(shown, config.track_buffer_s), clock=clock, anchor=anchor))
    # Before the counters, so that jitter of a box does not cross a line.
    if config.smooth_s:
        from edgecnn.runtime.steps.smoother import Smoother

        steps.append(Smoother(config.smooth_s, clock=clock))
    # Also before the counters, which count these classes only.
    if config.only:
        steps.append(ClassFilter(labels, config.only))
    if config.lines:
        from edgecnn.runtime.steps.line_counter import LineCounter

        steps.append(LineCounter(config.lines, labels, anchor=anchor))
    if config.zones:
        from edgecnn.runtime.steps.zone_counter import ZoneCounter

        steps.append(ZoneCounter(config.zones, labels, anchor=anchor, lost_after_s=config.track_buffer_s, clock=clock))
    if gallery is not None:
        steps.append(gallery)
    if config.class_score is not None:
        from edgecnn.runtime.steps.class_events import ClassEvents

        steps.append(ClassEvents(labels, config.class_score, config.class_hold_s, clock=clock))
    steps.append(ClassFilter(labels, None, shown, controls))
    return steps


def build_gallery(config: AnalyticsConfig, predictor: Predictor, warn: Callable[[str], None]) -> GalleryStep | None:
    """Embed the images of the gallery; None without one. Raises ``InputError`` for a folder or a model that does not fit."""
    if config.gallery is None:
        return None
    from edgecnn.runtime.steps.gallery import GalleryStep, load_gallery

    if predictor.card.task != "embed":
        raise InputError(
            f"--gallery needs an embedding model, but the task of the model is {predictor.card.task}", "leave it out"
        )
    gallery = load_gallery(config.gallery, predictor)
    if gallery.unread:
        warn(f"images of the gallery that can't be read are left out ({len(gallery.unread)}): {gallery.unread[0]}")
    own = predictor.card.decode.options.get("match_threshold", MATCH_SIMILARITY)
    threshold = own if config.match_threshold is None else config.match_threshold
    return GalleryStep(gallery, float(threshold), written=config.vectors)


def check_analytics(config: AnalyticsConfig, card: ModelCard) -> None:
    """Raise ``InputError`` for an option that needs boxes if the model returns none."""
    from edgecnn.tasks import find

    needs = {"track": config.track, "line": config.lines, "zone": config.zones, "only": config.only}
    given = [name for name, value in needs.items() if value]
    if given and not find(card.task).has_boxes:
        raise InputError(f"--{given[0]} needs a detector, but the task of the model is {card.task}", f"leave --{given[0]} out")


def build_gate(config: AnalyticsConfig, source: Source) -> MotionGate | None:
    """Build the gate that passes frames only while there is motion; None without ``motion``."""
    if not config.motion:
        return None
    from edgecnn.runtime.pipeline.motion_gate import MotionGate

    # A source knows its frame rate only after it is opened, so it is read when the first frame arrives.
    return MotionGate(fps=lambda: source.fps)


def build_regions(config: AnalyticsConfig, card: ModelCard) -> RegionInference | None:
    """Build inference in a region or on tiles; None for the whole image. Raises ``InputError`` for tiles with a classifier."""
    if config.roi is None and config.tiles is None:
        return None
    from edgecnn.runtime.pipeline.region_inference import RegionInference

    return RegionInference(card, config.roi, config.tiles)


def lowest_score(config: AnalyticsConfig, shown: float) -> float:
    """Return the score threshold of the model: tracking also uses boxes with scores below the shown ones."""
    # drift is measured on the boxes that a reference profile counts, whatever is shown
    compared = shown if config.drift is None else min(shown, SHOWN_SCORE)
    return min(WEAK_TRACK_SCORE, compared) if config.tracks else compared


def _track_options(shown: ShownScores, buffer_s: float) -> TrackOptions:
    from edgecnn.runtime.tracking import TrackOptions

    # A new track needs a margin above the shown scores, so that noise near the threshold starts no tracks.
    return TrackOptions(
        high=shown.usual,
        new=min(shown.usual + NEW_TRACK_MARGIN, 1.0),
        low=min(WEAK_TRACK_SCORE, shown.usual),
        lost_s=buffer_s,
        classes=shown.own,
    )


def _check_installed() -> None:
    """Raise ``MissingExtraError`` at the start of a run instead of at the first frame."""
    from edgecnn.runtime.tracking.assignment import load_lap

    load_lap()
