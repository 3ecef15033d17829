from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from edgecnn.cli.live_motion import build_gate, build_look, build_steps, least_score, motion_options
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.pipeline.region_inference import RegionInference, Tiles
from edgecnn.runtime.sources.video import VideoFile

LABELS = ("person", "car")


def values(*arguments: str) -> dict[str, Any]:
    """What the options give for these arguments."""
    got: dict[str, Any] = {}

    @click.command()
    @motion_options
    def command(**given: Any) -> None:
        got.update(given)

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return got


def names(given: dict[str, Any]) -> list[str]:
    return [type(step).__name__ for step in build_steps(given, LABELS, VideoFile(Path("a.mp4")))]


def test_without_options_only_the_threshold_is_left() -> None:
    assert names(values()) == ["ClassFilter"]
    assert build_gate(values(), VideoFile(Path("a.mp4"))) is None
    assert least_score(values(), 0.3) == 0.3


def test_counting_brings_tracking_and_what_is_counted_is_chosen_before() -> None:
    pytest.importorskip("lap")
    given = values("--line", "a:0,0.5,1,0.5", "--zone", "b:0,0,1,0,1,1", "--smooth", "200ms", "--only", "car")
    assert names(given) == ["Tracker", "Smoother", "ClassFilter", "LineCounter", "ZoneCounter", "ClassFilter"]
    assert least_score(given, 0.3) == 0.1


def test_each_step_tells_its_stage() -> None:
    pytest.importorskip("lap")
    steps = build_steps(values("--track", "--smooth", "0.2"), LABELS, VideoFile(Path("a.mp4")))
    assert [step.stage for step in steps] == ["track", "smooth", "filter"]


def test_region_and_tiles_are_ways_to_look() -> None:
    with Predictor("cups") as predictor:
        assert build_look(values(), predictor.card) is None
        assert isinstance(build_look(values("--roi", "0,0,0.5,1"), predictor.card), RegionInference)
    assert values("--tiles", "2x3")["tiles"] == Tiles(2, 3)


def test_a_line_without_tracking_is_a_contradiction() -> None:
    with pytest.raises(click.UsageError, match="--no-track"):
        names(values("--no-track", "--line", "a:0,0,1,1"))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--line", "0,0,1,1"), id="line without name"),
        pytest.param(("--zone", "a:0,0,1,1"), id="zone of two points"),
        pytest.param(("--roi", "1,2,3"), id="odd region"),
        pytest.param(("--tiles", "2"), id="tiles"),
        pytest.param(("--only", ","), id="no classes"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter, match=r"(wanted|no name|no zone|no region|neither)"):
        values(*arguments)


def test_an_unknown_class_is_said_before_the_first_frame() -> None:
    with pytest.raises(InputError, match="has no class dog"):
        names(values("--only", "dog"))


def test_a_missing_package_is_said_before_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lap", None)
    with pytest.raises(MissingExtraError):
        names(values("--track"))
