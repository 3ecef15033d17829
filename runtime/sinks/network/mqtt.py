"""Publishes results and events to an MQTT broker, with paho-mqtt.

Topics under the path of the address: ``<base>/<camera>/results`` and ``<base>/<camera>/events`` hold JSON as in JSON lines,
``<base>/state`` is "online", or "offline" after the end or a lost connection (MQTT's last will); it is retained, so that later
subscribers get it. The topic of a camera without a name has no camera part.
"""

from __future__ import annotations

import re
import ssl
import sys
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from edgecnn.errors import InputError
from edgecnn.runtime.sinks import UnreachableError
from edgecnn.runtime.sinks.files.json_lines import as_line
from edgecnn.runtime.sinks.network.endpoint import parse_endpoint, read_secret
from edgecnn.runtime.sinks.records import SCHEMA_VERSION, Record, Recorder, event_record
from edgecnn.runtime.sources.redact import printable
from edgecnn.system_errors import missing_extra
from edgecnn.types import Event, Result

PASSWORD = "EDGECNN_MQTT_PASSWORD"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXAMPLE = "mqtt://user@host:1883/base?qos=1"
_TOPICS = ("events", "results")
_MAX_IN_FLIGHT = 20
_WAIT_S, _FLUSH_S, _TIMEOUT_S = 1.0, 1.0, 5.0
_KEEPALIVE_S, _MAX_RECONNECT_DELAY_S = 15, 15


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Address of a broker, and the options of publishing."""

    host: str
    port: int
    base: str
    user: str | None = None
    tls: bool = False
    qos: int = 1
    send: tuple[str, ...] = _TOPICS
    every_s: float = 0.0
    client: str = ""
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    password_file: str | None = None

    @property
    def name(self) -> str:
        """The address for messages, without the user."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}/{self.base}"

    @classmethod
    def parse(cls, address: str) -> MqttAddress:
        """Parse mqtt[s]://[user@]host[:port]/base?OPTION=VALUE&...

        The options are qos (0, 1 or 2), send (events,results), every (seconds), client (id), ca, cert, key, password-file.
        ``every`` is the minimum time between two published results of a camera. Raises ``InputError``.
        """
        parts = parse_endpoint(address, _PORTS, _EXAMPLE)
        options = {name.replace("-", "_"): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
        base = unquote(parts.path).strip("/") or "edgecnn"
        if re.search(r"[+#]", base) or not base.isprintable():
            problem = f"the MQTT topic {printable(base)} holds a wildcard (+ or #) or a control character"
            raise InputError(problem, "choose another topic")
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            base=base,
            user=unquote(parts.username) if parts.username else None,
            tls=parts.scheme == "mqtts",
            **_parse_options(options),
        )


def _parse_options(options: dict[str, str]) -> dict[str, Any]:
    known = ("qos", "send", "every", "client", "ca", "cert", "key", "password_file")
    parsers: dict[str, Callable[[str], Any]] = {"qos": _qos, "send": _topics, "every": _seconds}
    values: dict[str, Any] = {}
    for name, text in options.items():
        if name not in known:
            names = ", ".join(known).replace("_", "-")
            raise InputError(f"an MQTT address has no option {printable(name).replace('_', '-')}", f"the options are {names}")
        try:
            values["every_s" if name == "every" else name] = parsers.get(name, str)(text)
        except ValueError:
            fix = "write qos=0, 1 or 2, send=events,results and every=SECONDS"
            raise InputError(f"{name}={printable(text)} in the MQTT address is not valid", fix) from None
    return values


def _qos(text: str) -> int:
    return ("0", "1", "2").index(text)


def _topics(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if not set(words) <= set(_TOPICS):
        raise ValueError(text)
    return words


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


class MqttSink:
    """Publishes results and events; connects in the background and reconnects whenever the connection is lost.

    ``write`` and ``write_event`` raise ``UnreachableError`` while the broker can't be reached. With QoS 1 and 2, accepted
    messages are delivered even after an outage; at most 20 are unacknowledged at a time. Raises ``MissingExtraError`` without
    paho-mqtt and ``InputError`` for certificates that can't be read.
    """

    def __init__(self, address: MqttAddress, recorder: Recorder) -> None:
        self.address, self._recorder = address, recorder
        self._connected = threading.Event()
        self._changed = threading.Condition()
        self._sent = self._acknowledged = 0
        self._reason = "not connected yet"
        self._sent_at: dict[str, float] = {}
        self._state_topic = f"{address.base}/state"
        self._client = self._new_client()
        self._client.connect_async(address.host, address.port, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    def write(self, result: Result) -> None:
        """Publish one result, at most one per camera in ``every`` seconds."""
        now = result.frame.captured_at
        if "results" not in self.address.send or now - self._sent_at.get(result.camera, -1e9) < self.address.every_s:
            return
        self._publish(self._topic(result.camera, "results"), self._recorder(result))
        self._sent_at[result.camera] = now

    def write_event(self, event: Event) -> None:
        """Publish one event."""
        if "events" in self.address.send:
            self._publish(self._topic(event.camera, "events"), {"version": SCHEMA_VERSION, **event_record(event)})

    def close(self) -> None:
        """Wait up to a second for acknowledgements, then disconnect. Raises ``UnreachableError`` if messages may be lost."""
        if self._client is None:
            return
        # A disconnect by the client does not trigger the last will, so "offline" is published below.
        client, self._client = self._client, None
        missing = self._wait_for_acknowledgements(0, _FLUSH_S) if self._connected.is_set() else self._sent - self._acknowledged
        if self._connected.is_set():
            with suppress(ValueError, RuntimeError):
                client.publish(self._state_topic, "offline", qos=1, retain=True).wait_for_publish(_FLUSH_S / 2)
        client.disconnect()
        ender = threading.Thread(target=client.loop_stop, name="edgecnn-mqtt-end", daemon=True)
        ender.start()
        ender.join(_FLUSH_S)  # a thread that is connecting ends by itself after the connect timeout
        if missing and self.address.qos:
            raise UnreachableError(f"{self.address.name} did not acknowledge {missing} messages", "check the broker")

    def _topic(self, camera: str, what: str) -> str:
        return "/".join(part for part in (self.address.base, re.sub(r"[/+#\0]", "-", camera), what) if part)

    def _publish(self, topic: str, record: Record) -> None:
        if not self._connected.wait(_WAIT_S):
            raise self._unreachable(self._reason)
        if self.address.qos and self._wait_for_acknowledgements(_MAX_IN_FLIGHT - 1, _TIMEOUT_S) >= _MAX_IN_FLIGHT:
            raise self._unreachable(f"it did not acknowledge {_MAX_IN_FLIGHT} messages")
        with self._changed:
            # Counted before: paho's thread may report the acknowledgement while publish() still runs.
            self._sent += 1
        info = self._client.publish(topic, as_line(record)[:-1], qos=self.address.qos)
        if not self.address.qos:
            self._wait_until_sent(info)

    def _wait_until_sent(self, info: Any) -> None:
        """Wait until a message of QoS 0 is sent; it gets no acknowledgement, and the queue of paho would grow without limit."""
        with suppress(ValueError, RuntimeError):
            info.wait_for_publish(_TIMEOUT_S)
        if not info.is_published():
            with self._changed:
                self._sent = self._acknowledged
            raise self._unreachable("the connection accepts no data")

    def _wait_for_acknowledgements(self, most: int, seconds: float) -> int:
        """Wait until at most ``most`` messages are unacknowledged or ``seconds`` have passed; return their number."""
        with self._changed:
            self._changed.wait_for(lambda: self._sent - self._acknowledged <= most, seconds)
            return self._sent - self._acknowledged

    def _unreachable(self, reason: str) -> UnreachableError:
        return UnreachableError(
            f"the MQTT broker {self.address.name}: {reason}", "check that it runs, the address and the password"
        )

    # callbacks of paho, in its thread

    def _new_client(self) -> Any:
        try:
            from paho.mqtt import client as paho
        except ImportError as error:
            raise missing_extra(error, "paho-mqtt", "live") from error
        address = self.address
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=address.client or f"edgecnn-{uuid.uuid4().hex[:12]}",
            protocol=paho.MQTTv311,
        )
        if address.user is not None:
            client.username_pw_set(address.user, read_secret(PASSWORD, address.password_file))
        if address.tls:
            self._set_tls(client)
        # The broker publishes the last will when the connection is lost without a DISCONNECT packet.
        client.will_set(self._state_topic, "offline", qos=1, retain=True)
        client.max_inflight_messages_set(_MAX_IN_FLIGHT + 1)
        client.reconnect_delay_set(1, _MAX_RECONNECT_DELAY_S)
        client.connect_timeout = _TIMEOUT_S
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        return client

    def _set_tls(self, client: Any) -> None:
        address = self.address
        try:
            client.tls_set(ca_certs=address.ca, certfile=address.cert, keyfile=address.key)
        except (OSError, ValueError, ssl.SSLError) as error:
            files = ", ".join(name for name in (address.ca, address.cert, address.key) if name)
            raise InputError(f"can't read the certificates {files}: {str(error).lower()}", "check the files") from error

    def _on_connect(self, client: Any, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self._reason = f"it refuses the connection: {str(reason).lower()}"
            return
        client.publish(self._state_topic, "online", qos=1, retain=True)
        with self._changed:
            self._sent += 1
        self._connected.set()

    def _on_disconnect(self, _: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if self._connected.is_set():
            self._reason = f"the connection was lost: {str(reason).lower()}"
        self._connected.clear()

    def _on_connect_fail(self, _: Any, __: Any) -> None:
        error = sys.exc_info()[1]
        text = (getattr(error, "strerror", None) or str(error or "") or "no connection").lower()
        self._reason = " ".join(text.split())

    def _on_publish(self, *_: Any) -> None:
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()
