"""One configuration for Python, the command line and TOML."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from edgecnn.card import Align, Color, Resize
from edgecnn.cli.ray_options import NAMES as RAY_NAMES
from edgecnn.cli.remote_options import PLACE_NAMES
from edgecnn.cli.run import command
from edgecnn.errors import InputError
from edgecnn.live.cameras_file import CamerasFile
from edgecnn.live.config import (
    CARD_PARSERS,
    AnalyticsConfig,
    Anchor,
    CameraConfig,
    Device,
    OutputConfig,
    Policy,
    RunConfig,
    ViewConfig,
    named,
)
from edgecnn.live.config_fields import option_name, options_of, updated
from edgecnn.live.parsers import OneOf
from edgecnn.runtime import backends
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.pipeline import camera_stream
from edgecnn.runtime.pipeline.region_inference import Tiles
from edgecnn.runtime.steps import shapes
from edgecnn.runtime.steps.line_counter import parse_line
from edgecnn.task_names import TaskName

# A value for each field that is not the default, as a command line has it.
TEXTS = {
    "source": "0",
    "policy": "all",
    "every": "2",
    "require-signature": "owner.pub",
    "max-fps": "7.5",
    "max-age": "100ms",
    "repeat": "3",
    "timeout": "7",
    "reconnect": False,
    "connect-timeout": "inf",
    "frozen-after": "1m",
    "max-image-pixels": "1000000",
    "show": True,
    "track": True,
    "track-buffer": "3s",
    "only": "person,car",
    "smooth": "200ms",
    "line": "a:0,0.5,1,0.5",
    "zone": "b:0,0,1,0,1,1",
    "anchor": "top",
    "roi": "0,0,0.5,1",
    "tiles": "2x3:0.1",
    "motion": True,
    "gallery": "known",
    "match-threshold": "0.7",
    "vectors": True,
    "class-score": "0.7",
    "class-hold": "2s",
    "drift": "learn:10m",
    "out": "v.mp4",
    "segment": "10m",
    "segments-size": "50GB",
    "snapshot": "s.png",
    "jsonl": "a.jsonl",
    "csv": "a.csv",
    "mot": "a.txt",
    "coco": "a.json",
    "npy": "tensors",
    "events": "e.jsonl",
    "rotate": "100MB",
    "clips": "clips",
    "clip-on": "line-crossed",
    "clip-before": "1s",
    "clip-after": "2s",
    "max-clips": "9",
    "clips-size": "1GB",
    "mqtt": "mqtt://host/x",
    "webhook": "http://host/x",
    "webhook-on": "zone-entered",
    "drift-frames": "odd",
    "max-drift-frames": "50",
    "drift-frames-size": "20MB",
    "task": "detect",
    "decode": "yolox",
    "labels": "a,b",
    "size": "240x320",
    "resize": "crop",
    "align": "corner",
    "pad-value": "3",
    "color": "bgr",
    "mean": "1,2,3",
    "std": "255",
    "score-threshold": "0.4",
    "iou-threshold": "0.6",
    "class-agnostic": True,
    "max-detections": "7",
    "label-threshold": "0.6",
    "class-thresholds": "person=0.4,face=.25",
}
OF_THE_RUN = {
    "device": "auto",
    "engine": "openvino:bf16",
    "threads": "2",
    "requests": "3",
    "autotune": False,
    "max-frames": "5",
    "duration": "90s",
    "stats": "s.json",
    "log": "off",
    "metrics-port": "0",
    "serve": "127.0.0.1:0",
    "token": "a-token-of-the-test",
    "view": False,
}


def leaves(config: Any) -> dict[str, Any]:
    """The values of all fields by name, also in the groups."""
    found: dict[str, Any] = {}
    for one in dataclasses.fields(config):
        value = getattr(config, one.name)
        found |= leaves(value) if "group" in one.metadata else {one.name: value}
    return found


def words_of(texts: dict[str, Any]) -> list[str]:
    words: list[str] = []
    for name, text in texts.items():
        words += [f"--{name}" if text else f"--no-{name}"] if isinstance(text, bool) else [f"--{name}", text]
    return words


def from_command_line(*words: str) -> RunConfig:
    from edgecnn.cli.run import run_config

    with command.make_context("run", list(words)) as context:
        values = dict(context.params)
        return run_config(context, values.pop("file"), values)


def from_toml(tmp_path: Path, texts: dict[str, Any]) -> CameraConfig:
    lines = [f"{name} = {str(text).lower() if isinstance(text, bool) else repr(text)}" for name, text in texts.items()]
    path = tmp_path / "cameras.toml"
    path.write_text("\n".join(["[[camera]]", "name = 'camera-0'", "model = 'cups.onnx'", *lines]))
    (config,) = CamerasFile(path, CameraConfig()).read()
    return config


def test_every_field_of_a_camera_is_reached_from_the_command_line_and_from_toml(tmp_path: Path) -> None:
    by_words = from_command_line("cups.onnx", *words_of(TEXTS)).cameras[0]
    assert by_words == from_toml(tmp_path, TEXTS)
    plain = leaves(CameraConfig())
    assert [name for name, value in leaves(by_words).items() if value == plain[name]] == []


def test_every_field_of_the_run_is_reached_from_the_command_line() -> None:
    config = from_command_line("cups.onnx", "--source", "0", *words_of(OF_THE_RUN))
    plain = leaves(RunConfig(cameras_file=Path("x.toml")))
    own = {
        name: value
        for name, value in leaves(config).items()
        if name not in ("cameras", "cameras_file", "defaults", "chosen_threads")
    }
    assert own.pop("auto") is False  # excludes the others
    assert from_command_line("cups.onnx", "--source", "0", "--auto").auto
    assert [name for name, value in own.items() if value == plain[name]] == []
    assert from_command_line("--cameras", "x.toml").cameras_file == Path("x.toml")


def test_every_option_of_the_command_is_a_field_and_has_help() -> None:
    options = [one for one in command.params if isinstance(one, click.Option) and one.opts and one.name != "help"]
    fields = {option.field for config in (RunConfig, CameraConfig) for option in options_of(config)} - {"model"}
    assert {one.name for one in options} == fields | {*PLACE_NAMES, *RAY_NAMES}
    assert [one.name for one in options if not one.help] == []


def test_the_choices_are_those_of_the_modules_below() -> None:
    for name, kind in {"task": TaskName, "resize": Resize, "align": Align, "color": Color}.items():
        parse = CARD_PARSERS[name]
        assert isinstance(parse, OneOf)
        assert parse.words == get_args(kind)
    assert set(CARD_PARSERS) == {field.name for field in dataclasses.fields(CardOptions)}
    assert get_args(Device) == get_args(backends.Device)
    assert get_args(Policy) == get_args(camera_stream.Policy)
    assert get_args(Anchor) == get_args(shapes.Anchor)


def test_an_option_is_named_like_its_field_without_the_unit() -> None:
    assert [option_name(name) for name in ("max_age_s", "clips_size_bytes", "iou_threshold", "labels")] == [
        "max-age",
        "clips-size",
        "iou-threshold",
        "labels",
    ]


def test_values_are_typed_whatever_they_were_written_as() -> None:
    given: Any = {"max_age_s": "100ms", "every": 2.0, "source": 0, "model": "cups"}
    config = CameraConfig(**given)
    assert (config.max_age_s, config.every, config.source, config.model) == (0.1, 2, "0", Path("cups"))
    lines: Any = ["a:0,0.5,1,0.5"]
    assert AnalyticsConfig(lines=lines).lines == (parse_line("a:0,0.5,1,0.5"),)
    tiles: Any = "2x2"
    assert AnalyticsConfig(tiles=tiles).tiles == Tiles(2, 2)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        pytest.param(
            CameraConfig, {"max_fps": 0}, r"CameraConfig\.max_fps: 0 is out of range; choose a value above 0", id="range"
        ),
        pytest.param(
            CameraConfig, {"policy": "newest"}, r"CameraConfig\.policy: 'newest' is not one of latest, all", id="choice"
        ),
        pytest.param(CameraConfig, {"every": 1.5}, r"CameraConfig\.every: 1\.5 is not a whole number", id="fraction"),
        pytest.param(CameraConfig, {"reconnect": "yes"}, r"CameraConfig\.reconnect: 'yes' is neither true nor false", id="flag"),
        pytest.param(CameraConfig, {"timeout_s": None}, r"CameraConfig\.timeout_s: None is not a time", id="none"),
        pytest.param(
            OutputConfig, {"segment_s": "soon"}, r"OutputConfig\.segment_s: 'soon' is not a time; write one such as", id="time"
        ),
        pytest.param(OutputConfig, {"rotate_bytes": "much"}, r"OutputConfig\.rotate_bytes: 'much' is not a size", id="size"),
        pytest.param(AnalyticsConfig, {"lines": ["0,0,1,1"]}, r"AnalyticsConfig\.lines: ", id="line without a name"),
        pytest.param(RunConfig, {"metrics_port": 70000}, r"RunConfig\.metrics_port: 70000 .* value from 0 to 65535", id="port"),
    ],
)
def test_a_wrong_value_names_the_field(kind: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**fields)


CAMERA = CameraConfig(source="0", model=Path("cups"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"segment_s": 600.0}, "--segment does nothing without --out; add --out, or leave --segment out", id="segment"
        ),
        pytest.param(
            {"out": "v.mp4", "segments_size_bytes": 9}, "--segments-size does nothing without --segment", id="segments-size"
        ),
        pytest.param({"rotate_bytes": 9}, "--rotate does nothing without --jsonl or --csv or --events", id="rotate"),
        pytest.param({"clip_on": ("line-crossed",)}, "--clip-on does nothing without --clips", id="clip-on"),
        pytest.param({"webhook_on": ("line-crossed",)}, "--webhook-on does nothing without --webhook", id="webhook-on"),
        pytest.param(
            {"track": False, "lines": "a:0,0,1,1"},
            "--no-track contradicts --line and --zone; leave --no-track out",
            id="no-track",
        ),
        pytest.param({"source": ""}, "no source is given", id="source"),
        pytest.param({"model": Path()}, "no model is given", id="model"),
    ],
)
def test_a_camera_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(cameras=(updated(CAMERA, changes),))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({}, "no camera is given; add --source or --cameras", id="no camera"),
        pytest.param({"cameras_file": "x.toml", "cameras": (CAMERA,)}, "--source and --cameras exclude each other", id="both"),
        pytest.param({"autotune": True, "threads": 2}, "--autotune and --threads exclude each other", id="autotune"),
        pytest.param({"view": ViewConfig(token="x" * 12)}, "--token does nothing without --serve", id="token"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(**{"cameras": () if not fields or "cameras_file" in fields else (CAMERA,), **fields})


def test_cameras_are_named_after_their_sources() -> None:
    cameras = named(tuple(updated(CAMERA, {"source": source}) for source in ("scene:cups", "scene:cups?seed=2", "0")))
    assert [one.name for one in cameras] == ["scene", "scene-2", "camera-0"]
    with pytest.raises(InputError, match="two cameras have the name a"):
        named((updated(CAMERA, {"name": "a"}), updated(CAMERA, {"name": "a"})))


def test_an_option_that_is_wrong_is_named() -> None:
    with pytest.raises(click.BadParameter) as caught:
        from_command_line("cups", "--source", "0", "--clips-size", "much")
    assert caught.value.format_message() == (
        "Invalid value for '--clips-size': 'much' is not a size; write one such as 100MB or 2GB."
    )


def test_the_configuration_needs_no_numpy() -> None:
    code = "import sys, edgecnn.live.config, edgecnn.cli.run; print({'numpy', 'cv2', 'onnxruntime'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_what_holds_a_password_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_SOURCE", "door=rtsp://me:secret@camera/")
    monkeypatch.setenv("EDGECNN_MQTT", "mqtt://host/x")
    monkeypatch.setenv("EDGECNN_WEBHOOK", "http://host/x")
    monkeypatch.setenv("EDGECNN_LOG", "json")
    config = from_command_line("cups")
    (door,) = config.cameras
    assert (door.name, door.source, door.outputs.mqtt, door.outputs.webhook) == (
        *("door", "rtsp://me:secret@camera/"),
        *("mqtt://host/x", "http://host/x"),
    )
    assert config.log == "json"
    assert [one.source for one in from_command_line("cups", "--source", "0").cameras] == ["0"]
    assert from_command_line("--cameras", "x.toml").cameras == ()


def test_the_command_line_completes_a_file_of_cameras() -> None:
    config = from_command_line("cups.onnx", "--cameras", "x.toml", "--track", "--max-age", "1s")
    assert config.defaults == CameraConfig(model=Path("cups.onnx"), max_age_s=1.0, analytics=AnalyticsConfig(track=True))
