"""Outputs: opened for each camera, shared where that is possible, refused in one line where it is not."""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.live.config import OutputConfig, RunConfig
from edgecnn.live.outputs import OutputCamera, Outputs, open_metrics
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.runtime.sinks.shared_sink import SharedSink
from edgecnn.types import Detections, Event, Frame, Result

BOX = Detections(np.float32([[4, 4, 20, 20]]), np.float32([0.5]), np.int64([0]), np.int64([3]))


def config_of(**fields: Any) -> OutputConfig:
    """Outputs, of which files may be paths."""
    return OutputConfig(**{name: str(value) if isinstance(value, Path) else value for name, value in fields.items()})


def camera(name: str = "door", **more: Any) -> OutputCamera:
    known: dict[str, Any] = {"live": False, "several": False, "labels": ["mug"]} | more
    painter = SharedPainter(Painter(["mug"]))
    return OutputCamera(name=name, painter=painter, title=lambda index: f"frame {index}", fps=lambda: 10.0, **known)


def result(index: int, name: str = "door", *kinds: str) -> Result:
    at = time.perf_counter() + index / 10
    events = tuple(Event(kind, at, name) for kind in kinds)
    return Result(Frame(index, at, np.full((320, 400, 3), index, np.uint8)), BOX, {}, 1.0, name, events)


def feed(sinks: list[SharedSink], *results: Result) -> None:
    """As a run does: every event is told, every result written."""
    for one in results:
        for sink in sinks:
            for event in one.events:
                sink.write_event(event)
            sink.write(one)


def close(sinks: list[SharedSink]) -> None:
    for sink in sinks:
        sink.begin_close()
    for sink in sinks:
        sink.close()


def test_every_file_that_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="videos are written by PyAV: the extra video")
    files = {
        "out": "v.mp4",
        "snapshot": "s.png",
        "jsonl": "r.jsonl",
        "csv": "r.csv",
        "mot": "t.txt",
        "coco": "c.json",
        "events": "e.jsonl",
    }
    paths = {name: tmp_path / file for name, file in files.items()}
    outputs = Outputs()
    sinks = outputs.open(camera(), config_of(**paths, clips=tmp_path / "clips", clip_on=("line-crossed",)))
    assert [sink.name for sink in outputs.sinks] == ["out", "snapshot", "jsonl", "csv", "mot", "coco", "events", "clips"]
    feed(sinks, *(result(index, "door", *(["line-crossed"] if index == 5 else [])) for index in range(10)))
    close(sinks)
    assert {path.name for path in tmp_path.iterdir()} == {*files.values(), "clips"}
    assert all(path.stat().st_size for path in tmp_path.iterdir())
    assert sorted(path.suffix for path in (tmp_path / "clips").iterdir()) == [".jpg", ".mp4"]
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == 1
    assert [sink.state for sink in sinks] == ["closed"] * 8
    assert {Path(sink.file).name for sink in sinks if sink.file} == set(files.values())
    assert outputs.sinks == []


def test_cameras_share_lines_and_have_videos_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="videos are written by PyAV: the extra video")
    config = config_of(jsonl=tmp_path / "all.jsonl", out=tmp_path / "{camera}.mp4")
    outputs = Outputs()
    door = outputs.open(camera("door", several=True), config)
    hall = outputs.open(camera("hall", several=True, labels=["cup"]), config)
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
    pytest.importorskip("av", reason="videos are written by PyAV: the extra video")
    names = {name: tmp_path / f"x.{name}" for name in ("jsonl", "csv", "mot", "coco", "events")}
    config = config_of(**names, out=tmp_path / "v.mp4")
    for path in names.values():
        path.write_text("of an earlier run\n")
    outputs = Outputs()
    for start in (0, 2):
        sinks = outputs.open(camera(), config)
        feed(sinks, result(start, "door", "line-crossed"), result(start + 1))
        close(sinks)
    frames = [json.loads(line)["frame"] for line in names["jsonl"].read_text().splitlines()]
    assert frames == [0, 1, 2, 3]
    assert len(names["csv"].read_text().splitlines()) == 5
    assert [line[0] for line in names["mot"].read_text().splitlines()] == ["1", "2", "3", "4"]
    assert [row["image_id"] for row in json.loads(names["coco"].read_text())] == [0, 1, 2, 3]
    assert len(names["events"].read_text().splitlines()) == 2
    assert len(list(tmp_path.glob("v*.mp4"))) == 2


def open_two(outputs: Outputs, config: OutputConfig) -> None:
    first = outputs.open(camera("door"), config)
    try:
        outputs.open(camera("hall"), config)
    finally:
        close(first)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"out": "same.mp4"},
            r"--out: the cameras door and hall would both write .*same\.mp4; put {camera} into the name",
            id="one video",
        ),
        pytest.param({"mot": "same.txt"}, r"--mot: the cameras door and hall would both write .*same\.txt", id="one MOT file"),
        pytest.param({"jsonl": "-", "csv": "-"}, r"--csv: - is already written by --jsonl", id="standard output twice"),
        pytest.param({"out": "v.avi"}, r"v\.avi is not the name of a video; use one of \.mp4, \.mkv, \.webm", id="suffix"),
        pytest.param(
            {"mqtt": "mqtt://u:s3cret@h/x"},
            r"--mqtt: the address of the output holds a password, .*; put the password into",
            id="password",
        ),
        pytest.param(
            {"webhook": "gopher://h"},
            r"--webhook: the address of the output is not valid; write it like https://host/path",
            id="scheme",
        ),
        pytest.param({"jsonl": "nowhere/r.jsonl"}, r"nowhere/r\.jsonl: the folder nowhere does not exist", id="no folder"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], message: str
) -> None:
    pytest.importorskip("av", reason="videos are written by PyAV: the extra video")
    monkeypatch.chdir(tmp_path)
    outputs, config = Outputs(), config_of(**fields)
    with pytest.raises(InputError, match=message) as caught:
        open_two(outputs, config)
    assert outputs.sinks == []
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["mot", "coco"])
def test_boxes_of_a_classifier_are_refused(kind: str) -> None:
    with pytest.raises(InputError, match=f"--{kind} needs a detector, but the task of the model is classify; use another output"):
        Outputs().open(camera(task="classify"), config_of(**{kind: "x"}))


def test_outputs_that_can_not_hold_the_results_are_refused() -> None:
    with pytest.raises(InputError, match="--csv needs a model whose results are rows, but the task of the model is raw"):
        Outputs().open(camera(task="raw"), config_of(csv="x"))
    with pytest.raises(InputError, match="--npy needs a model that gives tensors, but the task of the model is detect"):
        Outputs().open(camera(), config_of(npy="x"))


@pytest.mark.parametrize("live", [True, False], ids=["live", "file"])
def test_behind_a_blocked_output_a_live_run_drops_and_a_file_waits(live: bool, tmp_path: Path) -> None:
    class Blocked:
        def write(self, result: Result) -> None:
            assert unblocked.wait(30)

        def close(self) -> None:
            pass

    unblocked, capacity, count = threading.Event(), 256, 306
    (output,) = Outputs().open(camera(live=live), config_of(jsonl=tmp_path / "r.jsonl"))
    output.queued.sink = Blocked()
    one = result(0)
    run = threading.Thread(target=lambda: [output.write(one) for _ in range(count)], daemon=True)
    run.start()
    if live:
        run.join(30)  # nobody waits for the output
        assert output.counts.taken == count
        assert output.counts.dropped >= count - capacity - 1  # all but those in the queue and the one at the output
    else:
        while output.counts.taken <= capacity:
            time.sleep(0.002)
        run.join(0.2)
        assert run.is_alive()  # it waits for room
    unblocked.set()
    run.join(30)
    close([output])
    assert output.counts.taken == count
    assert (output.counts.dropped == 0) is not live


def test_a_broken_output_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    said: list[str] = []
    outputs = Outputs(said.append)
    sinks = outputs.open(camera(), config_of(jsonl="/dev/full", csv=tmp_path / "r.csv"))
    feed(sinks, *(result(index) for index in range(5)))
    close(sinks)
    assert said == ["output jsonl: can't write /dev/full: no space left on device; free some space, or name another place"]
    assert isinstance(sinks[0].error, InputError)
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 6


def test_two_brokers_have_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paho.mqtt.client")
    outputs = Outputs(lambda text: None)
    one, other = (outputs.open(camera(name), config_of(mqtt=f"mqtt://127.0.0.1:1/{name}")) for name in ("a", "b"))
    assert [sink.name for sink in outputs.sinks] == ["mqtt", "mqtt 2"]
    close([*one, *other])


def test_the_numbers_are_served(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    outputs = Outputs()
    config = RunConfig(cameras_file=Path("x.toml"), metrics_port=0)
    sinks = outputs.open(camera(), config_of(jsonl=tmp_path / "r.jsonl"))
    feed(sinks, result(0))
    metrics, server = open_metrics(config, dict, outputs)
    assert metrics is not None
    assert server is not None
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/metrics")
    assert 'edgecnn_output_up{output="jsonl"} 1.0' in connection.getresponse().read().decode()
    connection.close()
    server.close()
    close(sinks)


def test_no_port_no_server() -> None:
    pytest.importorskip("prometheus_client")
    assert open_metrics(RunConfig(cameras_file=Path("x.toml")), dict, Outputs())[1] is None


@pytest.mark.parametrize("kind", ["jsonl", "csv", "snapshot", "events"])
def test_an_output_never_overwrites_the_source(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"the recording")
    with pytest.raises(InputError, match=rf"--{kind}: .*clip\.mp4 is the source of camera door; write to another file"):
        Outputs().open(camera(source=str(source)), config_of(**{kind: tmp_path / "." / "clip.mp4"}))
    assert source.read_bytes() == b"the recording"
