from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.live.analytics import build_gate, build_regions, build_steps, lowest_score
from edgecnn.live.config import AnalyticsConfig
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.pipeline.region_inference import RegionInference, Tiles, parse_roi
from edgecnn.runtime.sources.video import VideoFile
from edgecnn.runtime.steps.line_counter import parse_line
from edgecnn.runtime.steps.zone_counter import parse_zone

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


def test_each_step_tells_its_stage() -> None:
    pytest.importorskip("lap")
    steps = build_steps(AnalyticsConfig(track=True, smooth_s=0.2), LABELS, VideoFile(Path("a.mp4")))
    assert [step.stage for step in steps] == ["track", "smooth", "filter"]


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
