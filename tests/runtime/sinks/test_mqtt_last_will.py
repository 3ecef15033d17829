"""The last will of an MQTT client, read from the bytes of its CONNECT packet (MQTT 3.1.1, section 3.1)."""

from __future__ import annotations

import socket

import pytest

pytest.importorskip("paho.mqtt")

from edgecnn.runtime.sinks.network.mqtt import MqttAddress, MqttSink
from edgecnn.runtime.sinks.records import Recorder

WILL, QOS_1, RETAIN = 0x04, 0x08, 0x20  # of the connect flags


def received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        assert part, "the client left"
        data += part
    return data


def field(data: bytes) -> tuple[bytes, bytes]:
    """A field with its length in two bytes before it, and what follows."""
    length = int.from_bytes(data[:2], "big")
    return data[2 : 2 + length], data[2 + length :]


def test_the_last_will_is_a_retained_offline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        sink = MqttSink(MqttAddress.parse(f"mqtt://127.0.0.1:{server.getsockname()[1]}/home/cams"), Recorder())
        connection, _ = server.accept()
        with connection:
            connection.settimeout(20)
            kind, length = received(connection, 2)
            assert kind == 0x10  # CONNECT; it is short, so that its length is one byte
            assert length < 0x80
            protocol, rest = field(received(connection, length))
            flags, payload = rest[1], rest[4:]  # after the level and before the keep-alive
        _client, payload = field(payload)
        topic, payload = field(payload)
        message, payload = field(payload)
        assert protocol == b"MQTT"
        assert flags & (WILL | RETAIN | 0x18) == WILL | RETAIN | QOS_1
        assert (topic, message) == (b"home/cams/state", b"offline")
        assert payload == b""  # neither user nor password
    sink.close()
