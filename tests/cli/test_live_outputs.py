"""The outputs that options ask for: opened for each camera, shared where that is possible, refused in one line where it is not."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.cli.live_outputs import (
    OutputCamera,
    Outputs,
    open_metrics,
    output_options,
    writes_to_stdout,
)
from edgecnn.cli.units import parse_bytes, parse_seconds
from edgecnn.errors import InputError
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.runtime.sinks.shared_sink import SharedSink
from edgecnn.types import Detections, Event, Frame, Result

BOX = Detections(np.float32([[4, 4, 20, 20]]), np.float32([0.5]), np.int64([0]), np.int64([3]))


def values_of(*words: str | Path) -> dict[str, Any]:
    """What a command with these options gets."""
    got: dict[str, Any] = {}

    @click.command()
    @output_options
    def command(**values: Any) -> None:
        got.update(values)

    done = CliRunner().invoke(command, [str(word) for word in words])
    if done.exit_code:
        raise click.UsageError(done.output)
    return got


def camera(name: str = "door", **more: Any) -> OutputCamera:
    known: dict[str, Any] = {"live": False, "several": False, "labels": ["mug"]} | more
    painter = SharedPainter(Painter(["mug"]))
    return OutputCamera(name=name, painter=painter, title=lambda index: f"frame {index}", fps=lambda: 10.0, **known)


def result(index: int, name: str = "door", *kinds: str) -> Result:
    at = time.perf_counter() + index / 10
    events = tuple(Event(kind, at, name) for kind in kinds)
    return Result(Frame(index, at, np.full((320, 400, 3), index, np.uint8)), BOX, {}, 1.0, name, events)


def feed(outlets: list[SharedSink], *results: Result) -> None:
    """As a run does: every event is told, every result written."""
    for one in results:
        for outlet in outlets:
            for event in one.events:
                outlet.write_event(event)
            outlet.write(one)


def close(outlets: list[SharedSink]) -> None:
    for outlet in outlets:
        outlet.begin_close()
    for outlet in outlets:
        outlet.close()


def test_every_file_that_is_asked_for(tmp_path: Path) -> None:
    files = {
        "out": "v.mp4",
        "snapshot": "s.png",
        "jsonl": "r.jsonl",
        "csv": "r.csv",
        "mot": "t.txt",
        "coco": "c.json",
        "events": "e.jsonl",
    }
    words = [word for name, file in files.items() for word in (f"--{name}", tmp_path / file)]
    outputs = Outputs()
    outlets = outputs.open(camera(), values_of(*words, "--clips", tmp_path / "clips", "--clip-on", "line-crossed"))
    assert [sink.name for sink in outputs.sinks] == ["out", "snapshot", "jsonl", "csv", "mot", "coco", "events", "clips"]
    feed(outlets, *(result(index, "door", *(["line-crossed"] if index == 5 else [])) for index in range(10)))
    close(outlets)
    assert {path.name for path in tmp_path.iterdir()} == {*files.values(), "clips"}
    assert all(path.stat().st_size for path in tmp_path.iterdir())
    assert sorted(path.suffix for path in (tmp_path / "clips").iterdir()) == [".jpg", ".mp4"]
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == 1
    assert [outlet.state for outlet in outlets] == ["closed"] * 8
    assert {Path(outlet.file).name for outlet in outlets if outlet.file} == set(files.values())
    assert outputs.sinks == []


def test_cameras_share_lines_and_have_videos_of_their_own(tmp_path: Path) -> None:
    values = values_of("--jsonl", tmp_path / "all.jsonl", "--out", tmp_path / "{camera}.mp4")
    outputs = Outputs()
    door = outputs.open(camera("door", several=True), values)
    hall = outputs.open(camera("hall", several=True, labels=["cup"]), values)
    assert sorted(sink.name for sink in outputs.sinks) == ["jsonl", "out door", "out hall"]
    feed(door, result(0, "door"))
    feed(hall, result(0, "hall"))
    close(door)
    feed(hall, result(1, "hall"))
    close(hall)
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [(line["camera"], line["detections"][0]["label"]) for line in lines] == [
        ("door", "mug"),
        ("hall", "cup"),
        ("hall", "cup"),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"all.jsonl", "door.mp4", "hall.mp4"}


def test_a_camera_that_comes_back_goes_on_in_its_files(tmp_path: Path) -> None:
    names = {name: tmp_path / f"x.{name}" for name in ("jsonl", "csv", "mot", "coco", "events")}
    values = values_of(*(word for name, path in names.items() for word in (f"--{name}", path)), "--out", tmp_path / "v.mp4")
    for path in names.values():
        path.write_text("of an earlier run\n")
    outputs = Outputs()
    for start in (0, 2):
        outlets = outputs.open(camera(), values)
        feed(outlets, result(start, "door", "line-crossed"), result(start + 1))
        close(outlets)
    frames = [json.loads(line)["frame"] for line in names["jsonl"].read_text().splitlines()]
    assert frames == [0, 1, 2, 3]
    assert len(names["csv"].read_text().splitlines()) == 5
    assert [line[0] for line in names["mot"].read_text().splitlines()] == ["1", "2", "3", "4"]
    assert [row["image_id"] for row in json.loads(names["coco"].read_text())] == [0, 1, 2, 3]
    assert len(names["events"].read_text().splitlines()) == 2
    assert len(list(tmp_path.glob("v*.mp4"))) == 2


def open_two(outputs: Outputs, values: dict[str, Any]) -> None:
    first = outputs.open(camera("door"), values)
    try:
        outputs.open(camera("hall"), values)
    finally:
        close(first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["--out", "same.mp4"],
            r"--out: the cameras door and hall would both write .*same\.mp4; put {camera} into the name",
            id="one video",
        ),
        pytest.param(["--mot", "same.txt"], r"--mot: the cameras door and hall would both write .*same\.txt", id="one MOT file"),
        pytest.param(["--jsonl", "-", "--csv", "-"], r"--csv: - is already written by --jsonl", id="standard output twice"),
        pytest.param(["--out", "v.avi"], r"v\.avi is not the name of a video; use one of \.mp4, \.mkv, \.webm", id="suffix"),
        pytest.param(["--mqtt", "mqtt://u:s3cret@h/x"], r"found a password in it", id="password"),
        pytest.param(["--webhook", "gopher://h"], r"wanted an address such as https://host/path", id="scheme"),
        pytest.param(["--jsonl", "nowhere/r.jsonl"], r"nowhere/r\.jsonl: the folder nowhere does not exist", id="no folder"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outputs, values = Outputs(), values_of(*words)
    with pytest.raises(InputError, match=message) as caught:
        open_two(outputs, values)
    assert outputs.sinks == []
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--segment", "10m"], "wanted --out with --segment, found --segment alone: add --out, or leave --segment away"),
        (["--clip-on", "line-crossed"], "wanted --clips with --clip-on"),
        (["--webhook-on", "line-crossed"], "wanted --webhook with --webhook-on"),
        (["--rotate", "1MB"], "wanted --jsonl or --csv or --events with --rotate"),
        (["--out", "v.mp4", "--segments-size", "1GB"], "wanted --segment with --segments-size"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Outputs().open(camera(), values_of(*words))


@pytest.mark.parametrize("kind", ["mot", "coco"])
def test_boxes_of_a_classifier_are_refused(kind: str) -> None:
    with pytest.raises(InputError, match=f"wanted a detector for --{kind}, found a model that has the task classify"):
        Outputs().open(camera(task="classify"), values_of(f"--{kind}", "x"))


def test_a_live_run_drops_and_a_file_waits(tmp_path: Path) -> None:
    values = values_of("--jsonl", tmp_path / "{camera}.jsonl")
    outputs = Outputs()
    (file,), (live,) = (outputs.open(camera(name, live=name == "live"), values) for name in ("file", "live"))
    assert file.queued._lossless
    assert not live.queued._lossless
    close([file, live])


def test_a_broken_output_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    said: list[str] = []
    outputs = Outputs(said.append)
    outlets = outputs.open(camera(), values_of("--jsonl", "/dev/full", "--csv", tmp_path / "r.csv"))
    feed(outlets, *(result(index) for index in range(5)))
    close(outlets)
    assert said == ["output jsonl: can't write /dev/full: no space left on device; free some space, or name another place"]
    assert isinstance(outlets[0].error, InputError)
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 6


def test_two_brokers_have_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paho.mqtt.client")
    outputs = Outputs(lambda text: None)
    one, other = (outputs.open(camera(name), values_of("--mqtt", f"mqtt://127.0.0.1:1/{name}")) for name in ("a", "b"))
    assert [sink.name for sink in outputs.sinks] == ["mqtt", "mqtt 2"]
    close([*one, *other])


def test_the_numbers_are_served(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    outputs, values = Outputs(), values_of("--metrics-port", "0", "--jsonl", tmp_path / "r.jsonl")
    outlets = outputs.open(camera(), values)
    feed(outlets, result(0))
    metrics, server = open_metrics(values, dict, outputs)
    assert metrics is not None
    assert server is not None
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/metrics")
    assert 'edgecnn_output_up{output="jsonl"} 1.0' in connection.getresponse().read().decode()
    connection.close()
    server.close()
    close(outlets)


def test_no_port_no_server() -> None:
    pytest.importorskip("prometheus_client")
    assert open_metrics(values_of(), dict, Outputs())[1] is None


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_seconds, "10m", 600.0),
        (parse_seconds, "1h", 3600.0),
        (parse_seconds, "500ms", 0.5),
        (parse_seconds, "2.5", 2.5),
        (parse_bytes, "100MB", 100_000_000),
        (parse_bytes, "2GB", 2_000_000_000),
        (parse_bytes, "500k", 500_000),
    ],
)
def test_times_and_sizes(parse: Callable[[str], float], text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--segment", "soon"], "wanted a time such as 100ms, 30s, 10m or 1h, found 'soon'"),
        (["--segment", "0s"], "wanted a time"),
        (["--clips-size", "much"], "wanted a size such as 100MB or 2GB, found 'much'"),
        (["--clip-on", "Line Crossed!"], "wanted events such as line-crossed,zone-entered"),
        (["--metrics-port", "70000"], "is not in the range"),
    ],
)
def test_wrong_options_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        values_of(*words)


def test_who_writes_to_standard_output() -> None:
    assert writes_to_stdout(values_of("--events", "-"))
    assert not writes_to_stdout(values_of("--events", "x"))
