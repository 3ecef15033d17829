"""The cameras of a run, opened and replaced while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecnn.cpus import usable_cpus
from edgecnn.errors import EdgeCnnError
from edgecnn.live.camera_source import open_camera_source
from edgecnn.live.cameras import ActiveCameras
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.config_fields import updated
from edgecnn.live.models import autotunes, default_requests
from edgecnn.runtime.pipeline.multi_camera import MultiCamera
from edgecnn.shown_scores import ShownScores

CAMERA = CameraConfig(source="scene:cups?size=128x96&fps=30", model=Path("cups"))


def named(name: str, **fields: Any) -> CameraConfig:
    return updated(CAMERA, {"name": name, **fields})


@pytest.fixture
def cameras() -> Iterator[ActiveCameras]:
    """Two cameras a and b that run."""
    config = RunConfig(cameras=(named("a"), named("b")), threads=1)
    with (
        ActiveCameras(config, several=True, say=lambda text: None) as opened,
        MultiCamera(opened.open(config.cameras), keep_running=True) as multi_camera,
    ):
        opened.multi_camera = multi_camera
        yield opened


def test_cameras_with_one_model_share_it(cameras: ActiveCameras) -> None:
    assert cameras.active["a"].predictor is cameras.active["b"].predictor


def test_only_what_changed_is_replaced(cameras: ActiveCameras) -> None:
    before = dict(cameras.active)
    changed = cameras.update([named("b"), named("a", every=2), named("c")])
    assert changed == {"added": ["c"], "removed": [], "changed": ["a"]}
    assert cameras.active["b"] is before["b"]
    assert cameras.active["a"] is not before["a"]
    assert cameras.update([named("c")]) == {"added": [], "removed": ["b", "a"], "changed": []}
    assert [one.config.name for one in cameras.removed] == ["a", "b", "a"]
    assert all(one.camera is not None for one in cameras.removed)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"source": "absent.mp4"}, id="source"),
        pytest.param({"model": Path("absent.onnx")}, id="model"),
        pytest.param({"only": ("dragon",)}, id="class"),
    ],
)
def test_an_error_leaves_the_cameras_as_they_are(fields: dict[str, Any], cameras: ActiveCameras) -> None:
    before = dict(cameras.active)
    with pytest.raises(EdgeCnnError):
        cameras.update([named("a", every=2), named("x", **fields)])
    assert cameras.active == before
    assert cameras.removed == []
    assert cameras.update([]) == {"added": [], "removed": ["a", "b"], "changed": []}


def test_an_output_that_can_not_be_opened_brings_the_old_cameras_back(cameras: ActiveCameras, tmp_path: Path) -> None:
    before = {name: active.config for name, active in cameras.active.items()}
    with pytest.raises(EdgeCnnError, match="can't write"):
        cameras.update([named("c"), named("a", jsonl=str(tmp_path / "absent" / "a.jsonl")), named("b", every=2)])
    assert {name: active.config for name, active in cameras.active.items()} == before
    assert cameras.multi_camera is not None
    seen = set()
    for result in cameras.multi_camera:
        seen.add(result.camera)
        if seen == {"a", "b"}:
            break
    assert cameras.update([]) == {"added": [], "removed": ["a", "b"], "changed": []}


def cups_with(folder: Path, *thresholds: tuple[str, float]) -> Path:
    """A copy of the shipped detector whose card has these thresholds of classes and no others."""
    from edgecnn.integrity.rewrite import write_with_card
    from edgecnn.shipped import artifact
    from edgecnn.shown_scores import with_class_thresholds
    from edgecnn.trust.card_file import own_card

    shipped, file = artifact("cups"), folder / "own.onnx"
    plain = with_class_thresholds(own_card(shipped, ""), ())
    write_with_card(shipped, file, with_class_thresholds(plain, thresholds))
    return file


def test_a_page_and_tracking_need_weaker_boxes_than_are_shown(tmp_path: Path) -> None:
    lowest, file = {}, cups_with(tmp_path)
    for name, fields, view in (
        ("plain", {}, {}),
        ("page", {}, {"serve": "127.0.0.1:0"}),
        ("strict", {"score_threshold": 0.5}, {}),
        ("mugs", {"class_thresholds": (("mug", 0.2), ("glass", 0.6))}, {}),
        ("both", {"score_threshold": 0.5, "class_thresholds": (("mug", 0.4),)}, {}),
    ):
        camera = named(name, model=file, **fields)
        config = updated(RunConfig(cameras=(camera,), threads=1), view)
        with ActiveCameras(config, several=False, say=lambda text: None) as opened:
            opened.open([camera])
            lowest[name] = opened.active[name].predictor.card.decode.options["score_threshold"], opened.active[name].shown
    assert lowest == {
        "plain": (0.3, ShownScores(0.3)),
        "page": (0.1, ShownScores(0.3)),
        "strict": (0.5, ShownScores(0.5)),
        "mugs": (0.2, ShownScores(0.3, {0: 0.2, 1: 0.6})),
        "both": (0.4, ShownScores(0.5, {0: 0.4})),
    }


def test_the_thresholds_of_the_card_hold_unless_one_is_given_for_all(tmp_path: Path) -> None:
    file = cups_with(tmp_path, ("mug", 0.15), ("plate", 0.5))
    found = {}
    for name, fields in (
        ("card", {}),
        ("one score", {"score_threshold": 0.4}),
        ("one class", {"class_thresholds": (("plate", 0.7),)}),
        ("both", {"score_threshold": 0.4, "class_thresholds": (("plate", 0.7),)}),
    ):
        camera = named("a", model=file, **fields)
        with ActiveCameras(RunConfig(cameras=(camera,), threads=1), several=False, say=lambda text: None) as opened:
            opened.open([camera])
            found[name] = opened.active["a"].shown
    assert found == {
        "card": ShownScores(0.3, {0: 0.15, 3: 0.5}),
        "one score": ShownScores(0.4),
        "one class": ShownScores(0.3, {0: 0.15, 3: 0.7}),
        "both": ShownScores(0.4, {3: 0.7}),
    }


@pytest.mark.parametrize(
    ("source", "policy", "requests"),
    [
        pytest.param("scene:cups", None, 1, id="a camera"),
        pytest.param("scene:cups", "all", usable_cpus() + 1, id="every frame of a camera"),
        pytest.param("clip.avi", None, usable_cpus() + 1, id="a video"),
        pytest.param("clip.avi", "latest", 1, id="a video played as a camera"),
        pytest.param("images", None, 1, id="images"),
    ],
)
def test_requests_by_default(
    source: str, policy: str | None, requests: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.avi").write_bytes(b"RIFF")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"png")
    camera = named("a", source=source, policy=policy)
    assert default_requests([camera], [open_camera_source(camera)]) == requests


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, True, id="a camera until it is stopped"),
        pytest.param({"policy": "all"}, False, id="every frame"),
        pytest.param({"max_frames": 5}, False, id="some frames"),
        pytest.param({"duration_s": 5}, False, id="some seconds"),
        pytest.param({"threads": 1}, False, id="threads"),
        pytest.param({"requests": 1}, False, id="requests"),
        pytest.param({"device": "auto"}, False, id="perhaps no CPU"),
        pytest.param({"autotune": False}, False, id="refused"),
        pytest.param({"autotune": True, "policy": "all", "max_frames": 5}, True, id="asked for"),
    ],
)
def test_autotuning_by_default(fields: dict[str, Any], expected: bool) -> None:
    camera = named("a", **fields)
    config = updated(RunConfig(cameras=(camera,)), fields)
    assert autotunes(config, [camera], [open_camera_source(camera)]) == expected
