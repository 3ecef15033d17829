"""MQTT with a real mosquitto: everything within the bound arrives, whatever the broker does."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.sinks import UnreachableError
from edgecnn.runtime.sinks.network.mqtt import PASSWORD, MqttAddress, MqttSink
from edgecnn.runtime.sinks.queue import QueuedSink
from edgecnn.runtime.sinks.records import Recorder
from edgecnn.types import Detections, Event, Frame, Result
from tests.runtime.watchdog import finishes

paho = pytest.importorskip("paho.mqtt.client", reason='needs pip install "edgecnn[live]"')
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: bash tests/install_peers.sh")


def result(index: int, camera: str = "door") -> Result:
    return Result(Frame(index, index / 10, np.zeros((4, 4, 3), np.uint8)), Detections.empty(), {}, 1.0, camera)


def eventually(what: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.perf_counter() + seconds
    while not what():
        assert time.perf_counter() < end, "it did not happen"
        time.sleep(0.02)


class Broker:
    """A mosquitto on a port of its own that keeps sessions over a restart."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        settings = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/", "user root"]
        self._config.write_text("\n".join([*settings, *(lines or ("allow_anonymous true",))]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._listens)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def freeze(self, how: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, how)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


class Listener:
    """Reads all topics; its session survives a restart of the broker."""

    def __init__(self, port: int, name: str = "listener") -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self._ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self._take(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _take(self, message: Any) -> None:
        text = message.payload.decode()
        self.messages.append((message.topic, json.loads(text) if text[0] == "{" else text, message.retain))

    def frames(self, topic: str) -> list[int]:
        return [payload["frame"] for where, payload, _ in list(self.messages) if where == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


def sink_for(broker: Broker, query: str = "") -> MqttSink:
    return MqttSink(MqttAddress.parse(f"mqtt://127.0.0.1:{broker.port}/home/cams{query}"), Recorder(["mug"]))


@needs_broker
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_results_events_and_state_arrive(broker: Broker, listener: Listener, qos: int) -> None:
    sink = sink_for(broker, f"?qos={qos}")
    for index in range(50):
        sink.write(result(index))
    sink.write_event(Event("camera-lost", 0.0, "back/yard", {"reason": "silence"}))
    sink.close()
    sink.close()
    eventually(lambda: ("home/cams/state", "offline", False) in listener.messages)
    assert listener.frames("home/cams/door/results") == list(range(50))
    assert listener.messages[0][:2] == ("home/cams/state", "online")
    (event,) = [payload for topic, payload, _ in listener.messages if topic == "home/cams/back-yard/events"]
    assert (event["kind"], event["details"], event["version"]) == ("camera-lost", {"reason": "silence"}, 3)


@needs_broker
def test_who_subscribes_later_gets_the_state_that_the_broker_retained(broker: Broker) -> None:
    sink = sink_for(broker)
    sink.write(result(0))
    assert retained_state(broker, "first") == "online"
    sink._client.reconnect_delay_set(600, 600)
    sink._client.socket().shutdown(socket.SHUT_RDWR)  # without a DISCONNECT: the broker publishes the last will
    names = (f"after the will {number}" for number in itertools.count())
    eventually(lambda: retained_state(broker, next(names)) == "offline")
    sink.close()
    again = sink_for(broker)
    again.write(result(1))
    assert retained_state(broker, "again") == "online"
    again.close()
    assert retained_state(broker, "at the end") == "offline"


def retained_state(broker: Broker, name: str) -> str:
    """What a new subscriber is sent at once with the retained flag; fails where that is nothing."""
    newcomer = Listener(broker.port, name)
    try:
        eventually(lambda: any(topic == "home/cams/state" for topic, _, _ in newcomer.messages))
        (state,) = [payload for topic, payload, retained in newcomer.messages if topic == "home/cams/state" and retained]
        return str(state)
    finally:
        newcomer.close()


@needs_broker
def test_the_broker_publishes_the_state_when_the_connection_breaks(broker: Broker, listener: Listener) -> None:
    sink = sink_for(broker)
    sink.write(result(0))
    eventually(lambda: ("home/cams/state", "online", False) in listener.messages)
    sink._client.socket().shutdown(socket.SHUT_RDWR)  # without a DISCONNECT
    eventually(lambda: ("home/cams/state", "offline", False) in listener.messages)
    eventually(lambda: [payload for topic, payload, _ in listener.messages if topic == "home/cams/state"][-1] == "online")
    sink.close()


@needs_broker
@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        pytest.param(signal.SIGTERM, 0.5, id="ended"),
        pytest.param(signal.SIGTERM, 60.0, id="for a minute", marks=pytest.mark.slow),
        pytest.param(signal.SIGSTOP, 1.0, id="frozen", marks=pytest.mark.slow),
    ],
)
def test_what_came_while_the_broker_was_away_arrives(broker: Broker, listener: Listener, how: int, seconds: float) -> None:
    said: list[str] = []
    queued = QueuedSink(sink_for(broker), name="mqtt", capacity=200, close_within_s=10, longest_pause_s=1, say=said.append)
    for index in range(20):
        queued.write(result(index))
    eventually(lambda: len(listener.frames("home/cams/door/results")) == 20)
    frozen = how == signal.SIGSTOP
    (broker.freeze if frozen else broker.stop)(how)
    for index in range(20, 120):
        queued.write(result(index))
        time.sleep(seconds / 100)
    eventually(lambda: queued.state == "failing")
    if frozen:
        broker.freeze(signal.SIGCONT)
    else:
        broker.start()
    eventually(lambda: set(listener.frames("home/cams/door/results")) == set(range(120)), 60)
    queued.close()
    assert queued.counts.written == queued.counts.taken == 120
    assert said[0].startswith(f"output mqtt: the MQTT broker mqtt://127.0.0.1:{broker.port}/home/cams: ")
    assert said[-1] == "output mqtt: it works again"


@needs_broker
def test_the_newest_within_the_bound_are_kept_and_the_rest_is_counted(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.start()
    listener = Listener(broker.port)
    broker.stop()
    try:
        queued = QueuedSink(sink_for(broker), name="mqtt", capacity=30, close_within_s=10, say=lambda text: None)
        finishes(lambda: [queued.write(result(index)) for index in range(500)])  # 500 s if each waited for the broker
        broker.start()
        eventually(lambda: bool(listener.frames("home/cams/door/results")) and queued.counts.waiting == 0)
        queued.close()
        eventually(lambda: listener.frames("home/cams/door/results")[-1] == 499)
        frames = listener.frames("home/cams/door/results")
        assert frames == list(range(500 - len(frames), 500))
        assert len(frames) in (29, 30, 31)
        assert queued.counts.dropped == 500 - len(frames)
    finally:
        listener.close()
        broker.stop()


@needs_broker
def test_results_of_a_camera_as_often_as_wanted(broker: Broker, listener: Listener) -> None:
    sink = sink_for(broker, "?every=1&send=results")
    for index in range(30):
        sink.write(result(index))
        sink.write(result(index, "hall"))
    sink.write_event(Event("line-crossed", 0.0, "door"))
    sink.close()
    eventually(lambda: ("home/cams/state", "offline", False) in listener.messages)
    assert listener.frames("home/cams/door/results") == listener.frames("home/cams/hall/results") == [0, 10, 20]
    assert not [topic for topic, _, _ in listener.messages if topic.endswith("events")]


def test_nobody_there_is_said_and_the_end_comes_soon() -> None:
    sink = MqttSink(MqttAddress.parse("mqtt://127.0.0.1:1/x"), Recorder())
    with pytest.raises(UnreachableError, match=r"the MQTT broker mqtt://127.0.0.1:1/x: connection refused; check that it runs"):
        sink.write(result(0))
    finishes(sink.close)


@needs_broker
def test_a_password_is_needed_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto_passwd")
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "cam", "s3cret"], check=True, capture_output=True)
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    broker.start()
    try:
        url = f"mqtt://cam@127.0.0.1:{broker.port}/x"
        wrong = MqttSink(MqttAddress.parse(url), Recorder())
        eventually(lambda: "refuses" in wrong._reason)
        with pytest.raises(UnreachableError, match="not authorized") as caught:
            wrong.write(result(0))
        wrong.close()
        monkeypatch.setenv(PASSWORD, "s3cret")
        right = MqttSink(MqttAddress.parse(url), Recorder())
        right.write(result(0))
        right.close()
        monkeypatch.delenv(PASSWORD)
        (tmp_path / "secret").write_text("s3cret\n")
        also = MqttSink(MqttAddress.parse(f"{url}?password-file={tmp_path / 'secret'}"), Recorder())
        also.write(result(0))
        also.close()
        assert "s3cret" not in str(caught.value) + repr(right.address)
    finally:
        broker.stop()


@needs_broker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a failed handshake, by paho
def test_tls_knows_whom_to_trust(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", *subject, "-keyout", key, "-out", cert], check=True, capture_output=True)
    broker = Broker(tmp_path, "allow_anonymous true", f"certfile {cert}", f"keyfile {key}")
    broker.start()
    try:
        trusting = MqttSink(MqttAddress.parse(f"mqtts://127.0.0.1:{broker.port}/x?ca={cert}"), Recorder())
        trusting.write(result(0))
        trusting.close()
        doubting = MqttSink(MqttAddress.parse(f"mqtts://127.0.0.1:{broker.port}/x"), Recorder())
        eventually(lambda: doubting._reason != "not connected yet")
        with pytest.raises(UnreachableError, match="certificate verify failed"):
            doubting.write(result(0))
        doubting.close()
    finally:
        broker.stop()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[live\]"'):
        MqttSink(MqttAddress.parse("mqtt://127.0.0.1:1/x"), Recorder())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        pytest.param("localhost:1883", "the address of the output is not valid; write it like mqtt://", id="no scheme"),
        pytest.param("mqtt://", "the address of the output is not valid; write it like mqtt://", id="no host"),
        pytest.param("mqtt://h:99999/x", "the address of the output is not valid; write it like mqtt://", id="port"),
        pytest.param("mqtt://u:s3cret@h/x", "holds a password, which every user of this machine can read", id="password"),
        pytest.param("mqtt://h/a/%23", "the MQTT topic a/# holds a wildcard", id="wildcard"),
        pytest.param(
            "mqtt://h/a%0Ab", r"the MQTT topic a\\nb holds a wildcard \(\+ or #\) or a control character", id="line break"
        ),
        pytest.param("mqtt://h/a b", "the address of the output holds a space", id="space"),
        pytest.param("mqtt://h/x?a%0Ab=1", r"an MQTT address has no option a\\nb", id="option with a line break"),
        pytest.param("mqtt://h/x?qos=3", "qos=3 in the MQTT address is not valid", id="qos"),
        pytest.param("mqtt://h/x?send=all", "send=all in the MQTT address is not valid", id="send"),
        pytest.param("mqtt://h/x?every=-1", "every=-1 in the MQTT address is not valid", id="every"),
        pytest.param("mqtt://h/x?retain=1", "an MQTT address has no option retain; the options are qos", id="unknown"),
    ],
)
def test_wrong_addresses_are_refused(address: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        MqttAddress.parse(address)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("what", ["ca", "password-file"])
def test_files_that_are_not_there_are_named(what: str) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pem"):
        MqttSink(MqttAddress.parse(f"mqtts://u@127.0.0.1:1/x?{what}=/nowhere.pem"), Recorder())
