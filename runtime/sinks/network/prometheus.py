"""Exports the metrics of a run to Prometheus: frames by fate, frame age, state of cameras and outputs.

edgecnn_frames_captured_total{camera}              frames captured
edgecnn_frames_total{camera,fate}                  frames by fate: processed, dropped, failed, skipped
edgecnn_frames_in_flight{camera}                   captured frames without a fate yet
edgecnn_results_late_total{camera}                 results older than the camera's --max-age
edgecnn_frame_age_seconds{camera,quantile}         capture to result: p50, p90, p99, with _count and _sum
edgecnn_stage_seconds{camera,stage,quantile}       processing time of a stage, in the same way
edgecnn_camera_state{camera,state}                 1 for the current state, 0 for all others
edgecnn_drift{camera}                              1 while the camera is out of what its model knows (--drift)
edgecnn_drift_deviations{camera,measure}           where a measure lies in the reference, in standard deviations
edgecnn_drifts_total{camera}                       drifts so far
edgecnn_output_items_total{output,fate}            results and events: written, dropped, failed
edgecnn_output_queue_items{output}                 results and events in the queue
edgecnn_output_up{output}                          1 while it works
edgecnn_build_info{version}, process_*             the version, and the process
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, get_args

import edgecnn
from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.camera_stream import CameraState
from edgecnn.runtime.pipeline.drift_status import DriftStatus
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.statistics import DurationSummary, Stats
from edgecnn.runtime.sinks.queue import QueueCounts
from edgecnn.system_errors import missing_extra

CAMERA_STATES: tuple[str, ...] = get_args(CameraState)
_FATES = ("processed", "dropped", "failed", "skipped")
_QUANTILES = (("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"))
_READ_TIMEOUT_S = 5.0


class MeasuredCamera(Protocol):
    """The attributes of a camera that are exported."""

    @property
    def state(self) -> CameraState: ...  # noqa: D102

    @property
    def drift(self) -> DriftStatus | None: ...  # noqa: D102

    def stats(self) -> Stats: ...  # noqa: D102


class MeasuredOutput(Protocol):
    """The attributes of an output that are exported."""

    name: str

    @property
    def state(self) -> str: ...  # noqa: D102

    @property
    def counts(self) -> QueueCounts: ...  # noqa: D102


class PrometheusMetrics:
    """Collects the metrics of ``cameras()`` and ``outputs()``, which are called at each scrape, in any thread.

    Raises ``MissingExtraError`` without prometheus_client.
    """

    def __init__(
        self, cameras: Callable[[], Mapping[str, MeasuredCamera]], outputs: Callable[[], Iterable[MeasuredOutput]] = tuple
    ) -> None:
        try:
            import prometheus_client
        except ImportError as error:
            raise missing_extra(error, "prometheus-client", "live") from error
        self._cameras, self._outputs = cameras, outputs
        self._registry = prometheus_client.CollectorRegistry(auto_describe=False)
        self._registry.register(self)  # type: ignore[arg-type,unused-ignore]
        prometheus_client.ProcessCollector(registry=self._registry)
        prometheus_client.PlatformCollector(registry=self._registry)

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics and their content type, in the text format or in OpenMetrics, as the ``accept`` header requests."""
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def describe(self) -> Iterable[Any]:
        """Return nothing; without this method prometheus_client would collect once at registration."""
        return ()

    def collect(self) -> Iterable[Any]:
        """Return all metric families with their current values; called by prometheus_client."""
        from prometheus_client.core import GaugeMetricFamily

        info = GaugeMetricFamily("edgecnn_build_info", "The version of edgecnn.", labels=["version"])
        info.add_metric([edgecnn.__version__], 1)
        cameras = {name: (camera.state, camera.stats()) for name, camera in dict(self._cameras()).items()}
        drifts = {name: status for name, camera in dict(self._cameras()).items() if (status := camera.drift) is not None}
        return [
            info,
            *_frames(cameras),
            *_clocks(cameras),
            _states(cameras),
            *_drifts(drifts),
            *_outputs(list(self._outputs())),
        ]


Readings = Mapping[str, tuple[str, Stats]]


def _frames(cameras: Readings) -> Iterable[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    captured = CounterMetricFamily("edgecnn_frames_captured", "Frames captured.", labels=["camera"])
    fates = CounterMetricFamily("edgecnn_frames", "Captured frames by fate.", labels=["camera", "fate"])
    flying = GaugeMetricFamily("edgecnn_frames_in_flight", "Captured frames without a fate yet.", labels=["camera"])
    late = CounterMetricFamily("edgecnn_results_late", "Results older than the maximum age.", labels=["camera"])
    for name, (_, stats) in cameras.items():
        ledger: FrameCounts = stats.ledger
        captured.add_metric([name], ledger.captured)
        for fate in _FATES:
            fates.add_metric([name, fate], getattr(ledger, fate))
        flying.add_metric([name], ledger.in_flight)
        late.add_metric([name], stats.late)
    return captured, fates, flying, late


def _clocks(cameras: Readings) -> Iterable[Any]:
    from prometheus_client.core import SummaryMetricFamily

    age = SummaryMetricFamily("edgecnn_frame_age_seconds", "Time from capture to result.", labels=["camera"])
    stage = SummaryMetricFamily("edgecnn_stage_seconds", "Processing time of a frame by stage.", labels=["camera", "stage"])
    for name, (_, stats) in cameras.items():
        _add(age, {"camera": name}, stats.age_ms)
        for step, summary in stats.stage_ms.items():
            _add(stage, {"camera": name, "stage": step}, summary)
    return age, stage


def _add(family: Any, labels: dict[str, str], summary: DurationSummary) -> None:
    """Add a summary with quantiles, which the summaries of prometheus_client do not support."""
    for quantile, percentile in _QUANTILES:
        family.add_sample(family.name, {**labels, "quantile": quantile}, getattr(summary, percentile) / 1e3)
    # Prometheus uses seconds as base unit. The mean of no values is NaN, but a sum has to start at 0.
    total = summary.mean * summary.count / 1e3
    family.add_sample(f"{family.name}_count", labels, summary.count)
    family.add_sample(f"{family.name}_sum", labels, total if math.isfinite(total) else 0.0)


def _states(cameras: Readings) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("edgecnn_camera_state", "1 for the current state of the camera.", labels=["camera", "state"])
    for name, (state, _) in cameras.items():
        for other in CAMERA_STATES:
            family.add_metric([name, other], float(other == state))
    return family


def _drifts(cameras: Mapping[str, DriftStatus]) -> Iterable[Any]:
    """Metrics of the cameras that are watched; none where no camera is."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    if not cameras:
        return ()
    now = GaugeMetricFamily("edgecnn_drift", "1 while the camera is out of what its model knows.", labels=["camera"])
    far = GaugeMetricFamily(
        "edgecnn_drift_deviations", "Where a measure lies in the reference, in standard deviations.", labels=["camera", "measure"]
    )
    count = CounterMetricFamily("edgecnn_drifts", "Drifts so far.", labels=["camera"])
    for name, status in cameras.items():
        now.add_metric([name], float(status.state == "drifted"))
        count.add_metric([name], status.episodes)
        for measure, position in status.positions.items():
            far.add_metric([name, measure], position)
    return now, far, count


def _outputs(outputs: list[MeasuredOutput]) -> Iterable[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    items = CounterMetricFamily("edgecnn_output_items", "Results and events by fate.", labels=["output", "fate"])
    waiting = GaugeMetricFamily("edgecnn_output_queue_items", "Results and events in the queue.", labels=["output"])
    up = GaugeMetricFamily("edgecnn_output_up", "1 while the output works.", labels=["output"])
    for output in outputs:
        counts = output.counts
        for fate in ("written", "dropped", "failed"):
            items.add_metric([output.name, fate], getattr(counts, fate))
        waiting.add_metric([output.name], counts.waiting)
        up.add_metric([output.name], float(output.state == "working"))
    return items, waiting, up


class MetricsServer:
    """Serves ``metrics`` at http://host:port/metrics until ``close``; port 0 selects a free port.

    Raises ``InputError`` if the port is in use.
    """

    def __init__(self, metrics: PrometheusMetrics, port: int, host: str = "127.0.0.1") -> None:
        class Handler(
            _MetricsRequestHandler
        ):  # http.server creates one for each request, so the metrics are an attribute of the class
            prometheus = metrics

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except (OSError, OverflowError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise InputError(f"--metrics-port: can't serve on {host}:{port}, {reason}", "choose another port") from error
        # An open connection of a scraper must not delay the end of the process.
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="edgecnn-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)


class _MetricsRequestHandler(BaseHTTPRequestHandler):
    prometheus: PrometheusMetrics
    timeout = _READ_TIMEOUT_S  # a client that sends its request slowly is disconnected
    server_version, sys_version = "edgecnn", ""

    def do_GET(self) -> None:
        """Respond with the metrics, or 404 for another path."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        body, kind = self.prometheus.page(self.headers.get("Accept", ""))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing: each scrape would print a line to the terminal."""
