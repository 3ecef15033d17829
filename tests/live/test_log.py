from __future__ import annotations

import io
import json
import time
from datetime import datetime

from edgecnn.live.log import Heartbeat, JsonLog, is_json
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.types import Event


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_for_whoever_is_no_terminal() -> None:
    assert is_json("auto", io.StringIO())
    assert not is_json("auto", Terminal())
    assert is_json("json", Terminal())
    assert not is_json("text", io.StringIO())


def test_a_line_is_one_object_with_time_level_and_kind() -> None:
    out = io.StringIO()
    JsonLog(out).event(Event("camera-lost", 1.0, "door", {"why": "no\nroute"}))
    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert (found["level"], found["kind"], found["camera"], found["why"]) == ("error", "camera-lost", "door", "no\nroute")
    assert datetime.fromisoformat(found["time"]).tzinfo is not None


def test_a_reader_who_left_is_no_error() -> None:
    out = io.StringIO()
    out.close()
    JsonLog(out).say("status")


def test_heartbeat_tells_the_ledger_of_each_camera() -> None:
    out, beats = io.StringIO(), []
    plans = [CameraSetup(name, FakeSource(None, fps=50), FakePredictor()) for name in ("a", "b")]
    with MultiCamera(plans) as multi_camera, Heartbeat(JsonLog(out), multi_camera, every=0.05, beat=lambda: beats.append(1)):
        ends = time.perf_counter() + 20
        for _ in multi_camera:
            told = [json.loads(line) for line in out.getvalue().splitlines()]
            if {line["camera"] for line in told if line["processed"]} == {"a", "b"} or time.perf_counter() > ends:
                break
    assert {line["camera"] for line in told if line["processed"]} == {"a", "b"}
    assert all(line["captured"] >= line["processed"] + line["dropped"] + line["failed"] + line["skipped"] for line in told)
    assert {"p50", "p90", "p99"} == set(told[-1]["age_ms"])
    assert beats
