"""Limits of boxes that `edgecnn export --nms` has put into a graph: what options can still change, and what they can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.postprocess.final_boxes import NMS_OF

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions


def within_graph(card: ModelCard, limits: dict[str, Any], path: Path) -> dict[str, Any]:
    """``limits`` as the file can follow them: with NMS in its graph it may give fewer boxes than it holds, but not others.

    Raises ``InputError`` for another IoU threshold than that of the graph.
    """
    own = card.decode.options
    if NMS_OF not in own:
        return limits
    if limits.get("iou_threshold", own["iou_threshold"]) != own["iou_threshold"]:
        raise InputError(
            f"--iou-threshold can't change {path.name}, whose graph suppresses boxes with {own['iou_threshold']:g}",
            "leave it out, or export the model again with it",
        )
    kept = dict(limits)
    if "score_threshold" in limits:
        kept["score_threshold"] = max(limits["score_threshold"], own["score_threshold"])
    if "max_detections" in limits:
        kept["max_detections"] = min(limits["max_detections"], own["max_detections"])
    return kept


def limit_warnings(card: ModelCard, path: Path, asked: CardOptions) -> Iterator[str]:
    """A sentence for each limit that the user has asked for and that the graph of the file at ``path`` does not follow.

    ``asked`` are the options as the user gave them, ``card`` is that of the opened file.
    """
    own, score, count = card.decode.options, asked.score_threshold, asked.max_detections
    if NMS_OF not in own:
        return
    if score is not None and score < own["score_threshold"]:
        yield (
            f"a score threshold of {score:g} has no effect: NMS in the graph of {path.name} keeps boxes from "
            f"{own['score_threshold']:g} on; export it again with --score-threshold {score:g}"
        )
    if count is not None and count > own["max_detections"]:
        yield (
            f"at most {count} boxes are asked for, but the graph of {path.name} gives {own['max_detections']}; "
            f"export it again with --max-detections {count}"
        )
