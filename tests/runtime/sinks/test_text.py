"""Outputs in text: JSON lines by their schema, CSV, MOT, COCO, events; whole whatever happens."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import edgecnn
import edgecnn.runtime.sinks.files
from edgecnn.errors import InputError
from edgecnn.labels import COCO_80
from edgecnn.runtime.sinks import Sink
from edgecnn.runtime.sinks.files.coco_results import CocoSink
from edgecnn.runtime.sinks.files.csv_rows import COLUMNS, CsvSink
from edgecnn.runtime.sinks.files.json_lines import EventLinesSink, JsonLinesSink
from edgecnn.runtime.sinks.files.mot_text import MotSink
from edgecnn.runtime.sinks.records import Recorder
from edgecnn.types import Classes, Detections, Event, Frame, LabelScores, Prediction, RawTensors, Result, Values

spec = importlib.util.spec_from_file_location("schema_checker", Path(__file__).with_name("schema.py"))
assert spec is not None
assert spec.loader is not None
schema = importlib.util.module_from_spec(spec)
spec.loader.exec_module(schema)

SCHEMA = json.loads((Path(edgecnn.runtime.sinks.files.__path__[0]) / "json_lines.schema.json").read_text())
TWO = Detections(np.float32([[10, 20, 30, 60], [0.5, 0, 5.25, 9]]), np.float32([0.9, 0.3]), np.int64([1, 0]), np.int64([7, 8]))
CROSSED = Event("line-crossed", 12.0, "door", {"line": "gate", "track_id": 7, "direction": "in"})


def result(index: int, prediction: Prediction = TWO, camera: str = "", events: tuple[Event, ...] = ()) -> Result:
    frame = Frame(index, 10.0 + index, np.zeros((48, 64, 3), np.uint8))
    return Result(frame, prediction, {"infer": 1.0}, 2.0, camera, events)


def write(sink: Sink, *results: Result) -> None:
    for one in results:
        sink.write(one)
    sink.close()
    sink.close()


@pytest.mark.parametrize(
    "prediction",
    [
        pytest.param(TWO, id="tracked"),
        pytest.param(Detections.empty(), id="nothing"),
        pytest.param(Classes(np.float32([0.1, 0.9])), id="classes"),
        pytest.param(LabelScores(np.float32([0.1, 0.9]), 0.5), id="labels"),
        pytest.param(RawTensors({"mask": np.float32([[0.5, np.nan]]), "count": np.int64(3)}), id="tensors"),
        pytest.param(Classes(np.float32([np.nan, 0.9])), id="classes-nan"),
        pytest.param(Values(np.float32([1.5, np.nan])), id="values"),
    ],
)
def test_lines_follow_their_schema(tmp_path: Path, prediction: Prediction) -> None:
    write(JsonLinesSink(tmp_path / "r.jsonl", ["a", "b"]), result(0, prediction, "door", (CROSSED,)), result(1, prediction))
    for line in (tmp_path / "r.jsonl").read_text().splitlines():
        schema.check(json.loads(line), SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 2}, id="version"),
        pytest.param({"size_px": [64]}, id="size"),
        pytest.param({"new": 1}, id="unknown key"),
        pytest.param({"values": []}, id="two predictions"),
        pytest.param({"detections": [{"label": "a"}]}, id="half a box"),
        pytest.param({"time": "yesterday"}, id="time"),
        pytest.param({"frame": True}, id="type"),
    ],
)
def test_the_schema_refuses_what_is_wrong(change: dict[str, object]) -> None:
    record = Recorder(["a", "b"])(result(0))
    schema.check(record, SCHEMA)
    with pytest.raises(AssertionError):
        schema.check(record | change, SCHEMA)


def test_several_cameras_have_their_own_labels_and_names(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.add("door", ["cat", "dog"])
    recorder.add("hall", ["cup", "mug"], title=lambda index: f"{index}.png")
    write(JsonLinesSink(tmp_path / "r.jsonl", recorder=recorder), result(1, camera="door"), result(2, camera="hall"))
    door, hall = (json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines())
    assert (door["camera"], door["name"], door["detections"][0]["label"]) == ("door", "frame 1", "dog")
    assert (hall["camera"], hall["name"], hall["detections"][0]["label"]) == ("hall", "2.png", "mug")
    assert hall["time_s"] == 1.0


def test_events_are_in_the_line_of_their_frame_and_in_a_file_of_their_own(tmp_path: Path) -> None:
    write(JsonLinesSink(tmp_path / "r.jsonl"), result(0, events=(CROSSED,)))
    sink = EventLinesSink(tmp_path / "e.jsonl")
    sink.write_event(Event("camera-lost", 11.0, "hall"))
    sink.write_event(CROSSED)
    write(sink, result(0, events=(CROSSED,)), result(1))
    inside = json.loads((tmp_path / "r.jsonl").read_text())["events"]
    alone = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert [event["kind"] for event in alone] == ["camera-lost", "line-crossed"]
    assert alone[1]["details"] == inside[0]["details"] == {"line": "gate", "track_id": 7, "direction": "in"}
    assert alone[1]["version"] == 3


def test_a_file_that_grew_is_begun_anew(tmp_path: Path) -> None:
    write(JsonLinesSink(tmp_path / "r.jsonl", rotate_bytes=2000), *(result(index) for index in range(40)))
    old, new = (tmp_path / "r.jsonl.1").read_text(), (tmp_path / "r.jsonl").read_text()
    assert max(len(old), len(new)) <= 2000
    frames = [json.loads(line)["frame"] for line in (old + new).splitlines()]
    assert frames == list(range(frames[0], 40))


def test_csv_has_a_row_for_each_box(tmp_path: Path) -> None:
    write(CsvSink(tmp_path / "r.csv", Recorder(["a", 'b, "c"'])), result(3, camera="door"), result(4, Detections.empty()))
    with (tmp_path / "r.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert tuple(first) == COLUMNS
    assert (first["camera"], first["frame"], first["label"], first["track_id"], first["value"]) == (
        "door",
        "3",
        'b, "c"',
        "7",
        "",
    )
    assert [float(second[edge]) for edge in ("left", "top", "right", "bottom")] == [0.5, 0.0, 5.25, 9.0]


def test_the_time_stamp_of_a_video_is_written(tmp_path: Path) -> None:
    frame = Frame(0, 10.0, np.zeros((48, 64, 3), np.uint8), 2.04)
    at = Result(frame, TWO, {}, 2.0)
    write(JsonLinesSink(tmp_path / "r.jsonl"), at)
    write(CsvSink(tmp_path / "r.csv", Recorder()), at)
    record = json.loads((tmp_path / "r.jsonl").read_text())
    schema.check(record, SCHEMA)
    rows = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    assert record["media_time_s"] == 2.04
    assert [row["media_time_s"] for row in rows] == ["2.04", "2.04"]


def test_csv_of_classes_and_values(tmp_path: Path) -> None:
    write(CsvSink(tmp_path / "c.csv", Recorder(["a", "b"])), result(0, Classes(np.float32([0.25, 0.75]))))
    write(CsvSink(tmp_path / "v.csv", Recorder(["level"])), result(0, Values(np.float32([1.5]))))
    best, worse = csv.DictReader((tmp_path / "c.csv").read_text().splitlines())
    (value,) = csv.DictReader((tmp_path / "v.csv").read_text().splitlines())
    assert [(row["label"], row["score"]) for row in (best, worse)] == [("b", "0.75"), ("a", "0.25")]
    assert (value["label"], value["value"], value["score"]) == ("level", "1.5", "")


def test_mot_counts_from_one(tmp_path: Path) -> None:
    untracked = Detections(TWO.xyxy, TWO.score, TWO.class_id)
    write(MotSink(tmp_path / "t.txt"), result(0), result(1, untracked[[0]]), result(2, Detections.empty()))
    assert (tmp_path / "t.txt").read_text().splitlines() == [
        "1,7,11.00,21.00,20.00,40.00,0.9000,-1,-1,-1",
        "1,8,1.50,1.00,4.75,9.00,0.3000,-1,-1,-1",
        "2,-1,11.00,21.00,20.00,40.00,0.9000,-1,-1,-1",
    ]


def test_coco_results_are_whole_json_after_every_frame(tmp_path: Path) -> None:
    sink = CocoSink(tmp_path / "r.json", Recorder(["a", "b"]))
    counts = []
    for index, prediction in enumerate((Detections.empty(), TWO, Detections.empty(), TWO)):
        sink.write(result(index, prediction))
        counts.append(len(json.loads((tmp_path / "r.json").read_text())))
    sink.close()
    assert counts == [0, 2, 2, 4]
    assert json.loads((tmp_path / "r.json").read_text())[2] == {
        "image_id": 3,
        "category_id": 2,
        "bbox": [10.0, 20.0, 20.0, 40.0],
        "score": 0.9,
    }


def test_coco_numbers_are_those_of_coco(tmp_path: Path) -> None:
    recorder = Recorder(COCO_80, title=lambda index: "000000000139.jpg")
    last = Detections(TWO.xyxy[:1], TWO.score[:1], np.int64([79]))
    write(CocoSink(tmp_path / "r.json", recorder), result(5, last))
    (row,) = json.loads((tmp_path / "r.json").read_text())
    assert (row["image_id"], row["category_id"]) == (139, 90)


@pytest.mark.parametrize("kind", ["mot", "coco"])
def test_what_has_no_boxes_can_not_be_written_as_boxes(tmp_path: Path, kind: str) -> None:
    sink = MotSink(tmp_path / "x") if kind == "mot" else CocoSink(tmp_path / "x", Recorder())
    with pytest.raises(InputError, match="boxes, but the model gives classes; use a detector"):
        sink.write(result(0, Classes(np.float32([1]))))


CHILD = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import numpy as np
from edgecnn.errors import InputError
from edgecnn.runtime.sinks.files.coco_results import CocoSink
from edgecnn.runtime.sinks.files.csv_rows import CsvSink
from edgecnn.runtime.sinks.files.json_lines import JsonLinesSink
from edgecnn.runtime.sinks.files.mot_text import MotSink
from edgecnn.runtime.sinks.records import Recorder
from edgecnn.types import Detections, Frame, Result

path, limit = Path(sys.argv[3]), int(sys.argv[4])
make = {"jsonl": JsonLinesSink, "csv": lambda p: CsvSink(p, Recorder()), "mot": MotSink, "coco": lambda p: CocoSink(p, Recorder())}
sink = make[sys.argv[2]](path)
image = np.zeros((4, 4, 3), np.uint8)
boxes = Detections(np.ones((60, 4), np.float32), np.ones(60, np.float32), np.zeros(60, np.int64))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for index in range(10**9 if not limit else 40):
    try:
        sink.write(Result(Frame(index, 0.0, image), boxes, {}, 0.0))
    except InputError as error:
        print(error)
        break
sink.close()
"""


def child(kind: str, path: Path, limit: int) -> list[str]:
    return [sys.executable, "-c", CHILD, str(Path(edgecnn.__file__).parents[1]), kind, str(path), str(limit)]


def whole_lines(path: Path, kind: str) -> int:
    """How many frames are readable; fails where a line with an end is not whole."""
    text = path.read_text()
    if kind == "coco":
        return len(json.loads(text)) // 60
    lines = text.splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    assert len(lines) - len(whole) <= 1
    if kind == "jsonl":
        return len([json.loads(line) for line in whole])
    assert {line.count(",") for line in whole} == {whole[0].count(",")}
    return len(whole) // 60


@pytest.mark.parametrize("kind", ["jsonl", "csv", "mot", "coco"])
def test_a_full_disk_is_one_line_and_all_before_it_is_readable(tmp_path: Path, kind: str) -> None:
    done = subprocess.run(child(kind, tmp_path / "x", 60_000), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "file too large; free some space" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert whole_lines(tmp_path / "x", kind) >= 5
    assert not (tmp_path / "x").read_text().rpartition("\n")[2]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 60_000


@pytest.mark.parametrize("kind", ["jsonl", "csv", "mot"])
def test_killed_at_any_moment_the_lines_are_readable(tmp_path: Path, kind: str) -> None:
    chance = random.Random(kind)
    for attempt in range(4):
        path = tmp_path / str(attempt)
        with subprocess.Popen(child(kind, path, 0)) as process:
            while not path.exists():
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(chance.uniform(0.02, 0.3))
            os.kill(process.pid, signal.SIGKILL)
        whole_lines(path, kind)
        assert path.stat().st_size
