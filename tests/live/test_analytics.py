from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.live.analytics import build_gate, build_regions, build_steps, check_analytics, lowest_score
from edgecnn.live.config import AnalyticsConfig
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.pipeline.region_inference import RegionInference, Tiles, parse_roi
from edgecnn.runtime.sources.video import VideoFile
from edgecnn.runtime.steps.line_counter import parse_line
from edgecnn.runtime.steps.zone_counter import ZoneCounter, parse_zone
from edgecnn.types import Detections, Frame, Result

LABELS = ("person", "car")


def names(config: AnalyticsConfig) -> list[str]:
    return [type(step).__name__ for step in build_steps(config, LABELS, VideoFile(Path("a.mp4")))]


def test_without_options_only_the_threshold_is_left() -> None:
    assert names(AnalyticsConfig()) == ["ClassFilter"]
    assert build_gate(AnalyticsConfig(), VideoFile(Path("a.mp4"))) is None
    assert lowest_score(AnalyticsConfig(), 0.3) == 0.3


def test_counting_brings_tracking_and_what_is_counted_is_chosen_before() -> None:
    pytest.importorskip("lap")
    config = AnalyticsConfig(
        lines=(parse_line("a:0,0.5,1,0.5"),), zones=(parse_zone("b:0,0,1,0,1,1"),), smooth_s=0.2, only=("car",)
    )
    assert names(config) == ["Tracker", "Smoother", "ClassFilter", "LineCounter", "ZoneCounter", "ClassFilter"]
    assert lowest_score(config, 0.3) == 0.1


@pytest.mark.parametrize(
    ("config", "option"),
    [
        pytest.param(AnalyticsConfig(track=True), "track", id="track"),
        pytest.param(AnalyticsConfig(lines=(parse_line("a:0,0.5,1,0.5"),)), "line", id="line"),
        pytest.param(AnalyticsConfig(only=("car",)), "only", id="only"),
    ],
)
def test_what_needs_boxes_is_refused_for_a_classifier(config: AnalyticsConfig, option: str) -> None:
    card = ModelCard(name="m", task="classify", labels=LABELS, preprocess=Preprocess((8, 8)), decode=Decode("softmax"))
    with pytest.raises(
        InputError, match=f"--{option} needs a detector, but the task of the model is classify; leave --{option} out"
    ):
        check_analytics(config, card)
    check_analytics(config, dataclasses.replace(card, task="detect"))
    check_analytics(AnalyticsConfig(smooth_s=0.2), card)


def test_each_step_tells_its_stage() -> None:
    pytest.importorskip("lap")
    steps = build_steps(AnalyticsConfig(track=True, smooth_s=0.2), LABELS, VideoFile(Path("a.mp4")))
    assert [step.stage for step in steps] == ["track", "smooth", "filter"]


def test_an_object_leaves_a_zone_when_its_track_ends() -> None:
    pytest.importorskip("lap")
    config = AnalyticsConfig(zones=(parse_zone("b:0,0,1,0,1,1,0,1"),), track_buffer_s=3.0)
    zone = next(step for step in build_steps(config, LABELS, VideoFile(Path("a.mp4"))) if isinstance(step, ZoneCounter))
    image = np.zeros((10, 10, 3), np.uint8)
    boxes = Detections(np.float32([[2, 2, 6, 6]]), np.float32([0.9]), np.array([0]), np.array([7]))
    seen, kinds = {0.0, 2.5}, []
    for index, at in enumerate((0.0, 1.5, 2.5, 5.0, 6.0)):
        found = boxes if at in seen else Detections.empty()
        result = Result(Frame(index, at, image, at), found, {}, 0.0)
        kinds.append([event.kind for event in zone(result).events])
    assert kinds == [["zone-entered"], [], [], [], ["zone-left"]]


def test_region_and_tiles_are_ways_to_look() -> None:
    with Predictor("cups") as predictor:
        assert build_regions(AnalyticsConfig(), predictor.card) is None
        assert isinstance(build_regions(AnalyticsConfig(roi=parse_roi("0,0,0.5,1")), predictor.card), RegionInference)
        assert isinstance(build_regions(AnalyticsConfig(tiles=Tiles(2, 3)), predictor.card), RegionInference)


def test_an_unknown_class_is_said_before_the_first_frame() -> None:
    with pytest.raises(InputError, match="has no class dog"):
        names(AnalyticsConfig(only=("dog",)))


def test_a_missing_package_is_said_before_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lap", None)
    with pytest.raises(MissingExtraError):
        names(AnalyticsConfig(track=True))
