"""Numbers for Prometheus, read back with its own parser, over HTTP."""

from __future__ import annotations

import http.client
import math
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.pipeline.camera_stream import CameraState
from edgecnn.runtime.pipeline.drift_status import DriftStatus
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.statistics import DurationHistogram, Stats
from edgecnn.runtime.sinks.network.prometheus import CAMERA_STATES, MetricsServer, PrometheusMetrics
from edgecnn.runtime.sinks.queue import QueuedSink
from edgecnn.types import Detections, Frame, Result
from tests.runtime.watchdog import finishes

parser = pytest.importorskip("prometheus_client.parser", reason='needs pip install "edgecnn[live]"')


@dataclass
class Camera:
    """As much of a camera as is measured."""

    state: CameraState
    ages: tuple[float, ...] = ()
    drift: DriftStatus | None = None

    def stats(self) -> Stats:
        age = DurationHistogram()
        for ms in self.ages:
            age.add(ms)
        ledger = FrameCounts(captured=20, processed=12, dropped=3, failed=1, skipped=2)
        return Stats("latest", 1, 1.0, 1.0, {"infer": age.summary()}, age.summary(), ledger, late=4)


class Null:
    def write(self, result: Result) -> None:
        if result.frame.index == 1:
            raise RuntimeError("odd")

    def close(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    output = QueuedSink(Null(), name='out "1"\n', say=lambda text: None)
    for index in range(3):
        output.write(Result(Frame(index, 0.0, np.zeros((2, 2, 3), np.uint8)), Detections.empty(), {}, 0.0))
    output.close()
    cameras = {"door": Camera("live", tuple(float(n) for n in range(1, 101))), "hall": Camera("lost")}
    server = MetricsServer(PrometheusMetrics(lambda: cameras, lambda: [output]), 0)
    yield server
    server.close()


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        connection.close()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families: Any = parser.text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_the_numbers_of_cameras_and_outputs(server: MetricsServer) -> None:
    status, kind, text = get(server.port, "/metrics")
    found = samples(text)

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert value("edgecnn_frames_captured_total", camera="door") == 20
    fates = {
        fate: value("edgecnn_frames_total", camera="door", fate=fate) for fate in ("processed", "dropped", "failed", "skipped")
    }
    assert fates == {"processed": 12, "dropped": 3, "failed": 1, "skipped": 2}
    assert value("edgecnn_frames_in_flight", camera="door") == 2
    assert value("edgecnn_results_late_total", camera="door") == 4
    assert value("edgecnn_frame_age_seconds", camera="door", quantile="0.9") == pytest.approx(0.09, rel=0.01)
    assert value("edgecnn_frame_age_seconds_count", camera="door") == 100
    assert value("edgecnn_frame_age_seconds_sum", camera="door") == pytest.approx(5.05)
    assert value("edgecnn_stage_seconds", camera="door", stage="infer", quantile="0.5") == pytest.approx(0.05, rel=0.01)
    assert math.isnan(value("edgecnn_frame_age_seconds", camera="hall", quantile="0.9"))
    assert {state: value("edgecnn_camera_state", camera="hall", state=state) for state in CAMERA_STATES} == {
        state: float(state == "lost") for state in CAMERA_STATES
    }
    fates = {
        fate: value("edgecnn_output_items_total", output='out "1"\n', fate=fate) for fate in ("written", "dropped", "failed")
    }
    assert fates == {"written": 2, "dropped": 0, "failed": 1}
    assert value("process_resident_memory_bytes") > 1e6


def test_a_camera_that_is_watched_for_drift() -> None:
    status = DriftStatus("drifted", "drift: brightness 9", "500 images", positions={"brightness": -4.5}, episodes=2)
    metrics = PrometheusMetrics(lambda: {"door": Camera("live", drift=status), "hall": Camera("live")}, list)
    found = {key: value for key, value in samples(metrics.page()[0].decode()).items() if key[0].startswith("edgecnn_drift")}
    assert found == {
        ("edgecnn_drift", (("camera", "door"),)): 1.0,
        ("edgecnn_drift_deviations", (("camera", "door"), ("measure", "brightness"))): -4.5,
        ("edgecnn_drifts_total", (("camera", "door"),)): 2.0,
    }


def test_openmetrics_where_it_is_asked_for(server: MetricsServer) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    _, kind, text = get(server.port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"edgecnn_frames", "edgecnn_frame_age_seconds", "edgecnn_output_up"} <= names


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/../etc/passwd"])
def test_nothing_else_is_served(server: MetricsServer, path: str) -> None:
    assert get(server.port, path)[0] == 404


def test_a_client_that_sends_nothing_delays_no_other(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.runtime.sinks.network.prometheus._MetricsRequestHandler.timeout", 600.0)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    assert finishes(lambda: get(server.port, "/metrics")[0]) == 200
    for one in silent:
        one.close()


def test_a_port_that_is_taken_is_one_line(server: MetricsServer) -> None:
    message = rf"--metrics-port: can't serve on 127.0.0.1:{server.port}, address already in use; choose another port"
    with pytest.raises(InputError, match=message):
        MetricsServer(PrometheusMetrics(dict), server.port)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[live\]"'):
        PrometheusMetrics(dict)


def test_only_this_machine_reaches_it(server: MetricsServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"
