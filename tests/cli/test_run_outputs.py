"""`edgecnn run` with every output at once: two cameras, zones, a real broker; all outputs tell the same."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.videos.opencv_logging import silence_video_logs

silence_video_logs()
pytestmark = pytest.mark.slow
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
FRAMES = 60


@pytest.fixture
def broker() -> Iterator[int]:
    if MOSQUITTO is None:
        pytest.skip("needs mosquitto: bash tests/install_peers.sh")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen([MOSQUITTO, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.perf_counter() + 20
    while socket.socket().connect_ex(("127.0.0.1", port)):
        assert time.perf_counter() < end
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", got
        server.shutdown()
        thread.join()


def listen(port: int, messages: list[tuple[str, Any]]) -> Any:
    from paho.mqtt import client as paho

    ready = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _, __, message: messages.append((message.topic, message.payload.decode()))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    return client


@pytest.mark.skipif(importlib.util.find_spec("paho") is None, reason='needs pip install "edgecnn[live]"')
@pytest.mark.skipif(importlib.util.find_spec("lap") is None, reason='needs pip install "edgecnn[live]"')
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_all_outputs_tell_the_same(tmp_path: Path, broker: int, hook: tuple[str, list[Any]]) -> None:
    messages: list[tuple[str, Any]] = []
    client = listen(broker, messages)
    sources = [
        "--source",
        "door=scene:cups",
        "--source",
        "hall=scene:cups?seed=3",
        "--policy",
        "all",
        "--max-frames",
        str(FRAMES),
    ]
    zone = ["--zone", "left:0.0,0.0,0.6,0.0,0.6,1.0,0.0,1.0"]
    files = [
        "--out",
        "{camera}.mp4",
        "--jsonl",
        "all.jsonl",
        "--csv",
        "all.csv",
        "--mot",
        "{camera}.txt",
        "--coco",
        "{camera}.json",
    ]
    more = ["--events", "-", "--clips", "clips", "--max-clips", "3", "--stats", "s.json"]
    peers = ["--mqtt", f"mqtt://127.0.0.1:{broker}/home", "--webhook", hook[0], "--metrics-port", "0"]
    command = [sys.executable, "-m", "edgecnn", "run", "cups", *sources, *zone, *files, *more, *peers]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    client.disconnect()
    client.loop_stop()
    assert done.returncode == 0, done.stderr

    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    boxes = Counter({name: sum(len(line["detections"]) for line in lines if line["camera"] == name) for name in ("door", "hall")})
    assert Counter(line["camera"] for line in lines) == {"door": FRAMES, "hall": FRAMES}
    for name in ("door", "hall"):
        assert len((tmp_path / f"{name}.txt").read_text().splitlines()) == boxes[name] > 0
        assert len(json.loads((tmp_path / f"{name}.json").read_text())) == boxes[name]
        assert cv2.VideoCapture(str(tmp_path / f"{name}.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    with (tmp_path / "all.csv").open(newline="") as stream:
        assert Counter(row["camera"] for row in csv.DictReader(stream)) == boxes

    events = [json.loads(line) for line in done.stdout.splitlines()]
    in_lines = sum(len(line["events"]) for line in lines)
    assert len(events) == in_lines > 0
    assert {event["kind"] for event in events} <= {"zone-entered", "zone-left"}
    assert len(hook[1]) == len(events)
    topics = Counter(topic for topic, _ in messages)
    assert topics["home/door/results"] == topics["home/hall/results"] == FRAMES
    assert topics["home/door/events"] + topics["home/hall/events"] == len(events)
    assert [payload for topic, payload in messages if topic == "home/state"] == ["online", "offline"]
    assert 1 <= len({path.stem for path in (tmp_path / "clips").iterdir()}) <= 3

    stats = json.loads((tmp_path / "s.json").read_text())
    for camera in stats["cameras"]:
        for counts in camera["outputs"].values():
            assert (counts["state"], counts["dropped"], counts["failed"]) == ("closed", 0, 0)
            assert counts["taken"] == counts["written"]


@pytest.mark.skipif(importlib.util.find_spec("paho") is None, reason='needs pip install "edgecnn[live]"')
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_drift_reaches_the_broker_and_the_webhook(tmp_path: Path, broker: int, hook: tuple[str, list[Any]]) -> None:
    """What happened, which measure, its value and what is usual, and since when."""
    messages: list[tuple[str, Any]] = []
    client = listen(broker, messages)
    (tmp_path / "night").mkdir()
    for index in range(80):
        image = np.random.default_rng(index).integers(0, 20, (60, 80, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "night" / f"{index:04d}.png"), image)
    peers = ["--mqtt", f"mqtt://127.0.0.1:{broker}/home", "--webhook", hook[0], "--webhook-on", "drift-started"]
    command = [sys.executable, "-m", "edgecnn", "run", "cups", "--source", "door=night", "--drift", "--log", "text", *peers]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    client.disconnect()
    client.loop_stop()
    assert done.returncode == 0, done.stderr
    assert "door: drift started: " in done.stderr
    told = [json.loads(payload) for topic, payload in messages if topic == "home/door/events"]
    assert told[0]["kind"] == "drift-started"
    details = told[0]["details"]
    assert details["text"].partition(" for ")[0] in done.stderr
    (farthest, *_) = details["measures"]
    assert farthest["measure"] in details["text"]
    assert not farthest["usual_low"] <= farthest["value"] <= farthest["usual_high"]
    assert 0 <= farthest["since_s"] <= 60
    (posted,) = hook[1]
    assert (posted["kind"], posted["camera"], posted["details"]) == ("drift-started", "door", details)
