"""Every value of a configuration reaches the object that uses it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecnn.live.analytics import build_steps
from edgecnn.live.camera_source import open_camera_source
from edgecnn.live.cameras import ActiveCameras
from edgecnn.live.config import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig
from edgecnn.live.config_fields import updated
from edgecnn.live.outputs import OutputCamera, Outputs
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.runtime.pipeline.motion_gate import MotionGate
from edgecnn.runtime.pipeline.region_inference import RegionInference
from edgecnn.shown_scores import ShownScores

CAMERA = CameraConfig(source="scene:cups?size=128x96", model=Path("cups"), name="a")


class Spy:
    """Records with which arguments objects of a class are made, by the name of the class."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.calls: dict[str, dict[str, Any]] = {}

    def on(self, module: str, name: str) -> None:
        found = importlib.import_module(module)
        real = getattr(found, name)

        def make(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] = kwargs
            return real(*args, **kwargs)

        self._monkeypatch.setattr(found, name, make)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


@pytest.fixture
def opened() -> Iterator[ActiveCameras]:
    fields = {"policy": "all", "every": 3, "max_fps": 7.5, "max_age_s": 0.25, "motion": True, "roi": "0,0,0.5,1"}
    config = RunConfig(cameras=(updated(CAMERA, fields),), threads=1, requests=2)
    with ActiveCameras(config, several=False, say=lambda text: None) as cameras:
        cameras.open(config.cameras)
        yield cameras


def test_the_pipeline_gets_what_a_camera_says(opened: ActiveCameras) -> None:
    setup = opened.active["a"].setup
    assert (setup.name, setup.policy, setup.every, setup.max_fps, setup.max_age_ms) == ("a", "all", 3, 7.5, 250.0)
    assert isinstance(setup.gate, MotionGate)
    assert isinstance(setup.strategy, RegionInference)
    predictor = opened.active["a"].predictor
    assert (predictor.threads, predictor.backend.concurrency, opened.models.requests) == (1, 2, 2)


def test_a_model_is_closed_when_its_last_camera_is_removed(opened: ActiveCameras, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera

    closed: list[bool] = []
    backend = opened.active["a"].predictor.backend
    real = backend.close
    monkeypatch.setattr(type(backend), "close", lambda self: closed.append(self is backend) or real())
    with MultiCamera([opened.active["a"].setup], keep_running=True) as multi_camera:
        opened.multi_camera = multi_camera
        with pytest.raises(Exception, match="dragon"):
            opened.update([updated(CAMERA, {"name": "b"}), updated(CAMERA, {"name": "x", "only": ("dragon",)})])
        assert closed == []
        opened.update([])
        assert closed == [True]


def test_a_live_source_gets_its_time_limits(spy: Spy) -> None:
    spy.on("edgecnn.runtime.sources", "ReconnectOptions")
    spy.on("edgecnn.runtime.sources", "open_source")
    fields = {
        "source": "rtsp://127.0.0.1:1/x",
        "timeout_s": 7.0,
        "connect_timeout_s": 8.0,
        "frozen_after_s": 9.0,
        "policy": "latest",
    }
    open_camera_source(updated(CAMERA, fields))
    assert spy.calls["ReconnectOptions"] == {"max_silence_s": 7.0, "connect_timeout_s": 8.0, "frozen_after_s": 9.0}
    call = spy.calls["open_source"]
    assert (call["timeout"], call["repeat"], call["paced"]) == (7.0, 1, True)
    open_camera_source(updated(CAMERA, {**fields, "reconnect": False, "policy": "all"}))
    assert (spy.calls["open_source"]["reconnect"], spy.calls["open_source"]["paced"]) == (None, False)


def test_a_file_is_repeated(spy: Spy, tmp_path: Path) -> None:
    spy.on("edgecnn.runtime.sources", "open_source")
    (tmp_path / "a.png").write_bytes(b"png")
    open_camera_source(updated(CAMERA, {"source": str(tmp_path), "repeat": 4}))
    assert (spy.calls["open_source"]["repeat"], spy.calls["open_source"]["paced"]) == (4, None)


def test_tracking_and_counting_get_what_analytics_say(spy: Spy) -> None:
    pytest.importorskip("lap")
    spy.on("edgecnn.runtime.tracking", "TrackOptions")
    for module, name in (("tracker", "Tracker"), ("line_counter", "LineCounter"), ("zone_counter", "ZoneCounter")):
        spy.on(f"edgecnn.runtime.steps.{module}", name)
    lines: Any = ("a:0,0.5,1,0.5",)
    zones: Any = ("b:0,0,1,0,1,1",)
    config = AnalyticsConfig(lines=lines, zones=zones, track_buffer_s=2.5, anchor="top")
    build_steps(config, ("mug",), open_camera_source(CAMERA), shown=ShownScores(0.4, {0: 0.2}))
    assert spy.calls["TrackOptions"] == {"high": 0.4, "new": 0.5, "low": 0.1, "lost_s": 2.5, "classes": {0: 0.2}}
    assert {spy.calls[name]["anchor"] for name in ("Tracker", "LineCounter", "ZoneCounter")} == {"top"}


def test_outputs_get_what_the_configuration_says(spy: Spy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="videos are written by PyAV: the extra video")
    monkeypatch.chdir(tmp_path)
    for module, name in (
        ("files.video", "VideoSink"),
        ("files.json_lines", "JsonLinesSink"),
        ("files.json_lines", "EventLinesSink"),
        ("files.csv_rows", "CsvSink"),
        ("files.event_clips", "ClipOptions"),
        ("network.webhook", "WebhookSink"),
    ):
        spy.on(f"edgecnn.runtime.sinks.{module}", name)
    config = OutputConfig(
        out="v.webm",
        segment_s=600.0,
        segments_size_bytes=9000,
        jsonl="r.jsonl",
        csv="r.csv",
        events="e.jsonl",
        rotate_bytes=5000,
        clips="clips",
        clip_on=("line-crossed",),
        clip_before_s=1.0,
        clip_after_s=2.0,
        max_clips=3,
        clips_size_bytes=4000,
        webhook="http://127.0.0.1:1/x",
        webhook_on=("zone-left",),
    )
    camera = OutputCamera(
        name="a", labels=["mug"], painter=SharedPainter(Painter(["mug"])), title=str, fps=lambda: 10.0, live=True, task="detect"
    )
    sinks = Outputs(lambda text: None).open(camera, config)
    for sink in sinks:
        sink.close()
    assert (spy.calls["VideoSink"]["segment_s"], spy.calls["VideoSink"]["keep_bytes"]) == (600.0, 9000)
    assert spy.calls["VideoSink"]["realtime"]
    assert [spy.calls[name]["rotate_bytes"] for name in ("JsonLinesSink", "EventLinesSink", "CsvSink")] == [5000] * 3
    options = {"kinds": ("line-crossed",), "before_s": 1.0, "after_s": 2.0, "max_count": 3, "max_bytes": 4000}
    assert spy.calls["ClipOptions"].items() >= options.items()
    assert spy.calls["WebhookSink"]["kinds"] == ("zone-left",)
