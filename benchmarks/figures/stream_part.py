"""One measurement of ``benchmarks.stream`` in a process of its own: ``python -m edgecnn.benchmarks.figures.stream_part JSON`` prints JSON.

Every part reports its number of frames, the seconds they took, and their processor time. Imports and loading are not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.runtime.model.predictor import Predictor
    from edgecnn.runtime.sources import Source

SETTLE_FRAMES = 20


@dataclass(slots=True)
class PartResult:
    """The measurement of one process; ``cpu_s`` is the processor time of all its threads."""

    frames: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


class FrameMeter:
    """Counts frames from the end of warm-up until the time is over; any thread may count."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._lock = seconds, threading.Lock()
        self._seen = -SETTLE_FRAMES
        self._wall = self._cpu = 0.0
        self.part = PartResult()

    def count(self) -> bool:
        """Count one finished frame; True once the time is over."""
        with self._lock:
            self._seen += 1
            if self._seen == 0:
                self._wall, self._cpu = time.perf_counter(), time.process_time()
            elif self._seen > 0 and not self.part.frames and time.perf_counter() - self._wall >= self._seconds:
                self.part = PartResult(self._seen, time.perf_counter() - self._wall, time.process_time() - self._cpu)
            return self.part.frames > 0


def engine_openvino(model: str, seconds: float, **_: Any) -> PartResult:
    """OpenVINO alone, as its documentation advises for throughput: the hint, and a queue of asynchronous requests on one input."""
    import numpy as np
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})
    queue = openvino.AsyncInferQueue(compiled)
    meter = FrameMeter(seconds)
    queue.set_callback(lambda request, _: meter.count())
    image = np.random.default_rng(0).integers(0, 256, compiled.input(0).shape, np.uint8)
    while not meter.part.frames:
        queue.start_async({0: image}, None, True)
    queue.wait_all()
    meter.part.extra = {"requests": len(queue), "streams": compiled.get_property("NUM_STREAMS")}
    return meter.part


def engine_onnxruntime(model: str, seconds: float, *, callers: int = 1, **_: Any) -> PartResult:
    """ONNX Runtime alone with its default threads, or with one thread for each of several callers."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if callers > 1:
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    node = session.get_inputs()[0]
    feeds = {node.name: np.random.default_rng(0).integers(0, 256, node.shape, np.uint8)}
    meter = FrameMeter(seconds)

    def call() -> None:
        done = False
        while not done:
            session.run(None, feeds)
            done = meter.count()

    _in_threads(call, callers)
    return meter.part


def decode(video: str, seconds: float, **_: Any) -> PartResult:
    """Decoding alone, in one thread, from the file to an image in memory."""
    from edgecnn.runtime.sources import open_source

    meter = FrameMeter(seconds)
    source = open_source(video, repeat=0)
    for _frame in source:
        if meter.count():
            break
    return meter.part


def stream(model: str, video: str, seconds: float, *, cameras: int = 1, requests: int | None = None, **_: Any) -> PartResult:
    """edgecnn: from the file to boxes, nothing dropped; ``cameras`` copies of the file share the model."""
    import cv2

    from edgecnn.runtime.model.autotune import Autotuner
    from edgecnn.runtime.model.predictor import Predictor
    from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
    from edgecnn.runtime.sources import open_source

    cv2.setNumThreads(1)  # as `edgecnn run` does: OpenCV's own threads would compete with the engine's
    meter = FrameMeter(seconds)
    opened = Predictor(model, requests=requests) if requests else Autotuner().open(model, goal="throughput")
    with opened as predictor:
        plans = [CameraSetup(str(n), open_source(video, repeat=0, paced=False), predictor) for n in range(cameras)]
        with MultiCamera(plans, workers=predictor.backend.concurrency) as multi_camera:
            for _result in multi_camera:
                if meter.count():
                    break
        stages = {name: clock.mean for name, clock in multi_camera.cameras["0"].stats().stage_ms.items()}
        meter.part.extra = {"requests": predictor.backend.concurrency, "stage_ms": stages}
    return meter.part


def age(model: str, video: str, seconds: float, *, fps: float = 30.0, bare: bool = False, **_: Any) -> PartResult:
    """A camera of ``fps`` frames/s with its frames in memory: age of each result, duration of each inference.

    With the live pipeline, or ``bare``: camera and model in one loop in one thread, which gives the lowest possible age.
    """
    from itertools import islice

    from edgecnn.benchmarks.measure.frame_age import PacedImageSource
    from edgecnn.runtime.model.autotune import Autotuner
    from edgecnn.runtime.sources import open_source

    images = [frame.image for frame in islice(open_source(video), 60)]
    meter, ages, infers = FrameMeter(seconds), [], []
    with Autotuner().open(model, goal="latency") as predictor:
        for age_ms, infer_ms in (_bare_ages if bare else _live_ages)(PacedImageSource(images, fps), predictor):
            ages.append(age_ms)
            infers.append(infer_ms)
            if meter.count():
                break
        threads = {"threads": predictor.threads}
    meter.part.extra = {"ages_ms": ages[SETTLE_FRAMES:], "infers_ms": infers[SETTLE_FRAMES:], **threads}
    return meter.part


def _live_ages(source: Source, predictor: Predictor) -> Iterator[tuple[float, float]]:
    from edgecnn.runtime.pipeline.single_camera import Pipeline

    with Pipeline(source, predictor) as pipeline:
        for result in pipeline:
            yield result.age_ms, result.stage_ms["infer"]


def _bare_ages(source: Source, predictor: Predictor) -> Iterator[tuple[float, float]]:
    work = predictor.worker()
    for frame in source:
        _, spent = work(frame.image)
        yield (time.perf_counter() - frame.captured_at) * 1e3, spent["infer"]


def slow(model: str, seconds: float, *, fps: float = 30.0, times: float = 3.0, plain: bool = False, **_: Any) -> PartResult:
    """A model made ``times`` slower than a web camera of ``fps``: true age of the frames over time, by edgecnn or a plain OpenCV loop."""
    from edgecnn.benchmarks.figures.web_camera import true_age
    from edgecnn.runtime.model.predictor import Predictor

    with _web_camera(fps) as (address, first_at), Predictor(model) as predictor:
        meter, ages, started = FrameMeter(seconds), [], time.perf_counter()
        slowed = SlowPredictor(predictor, times / fps)
        for image in (_plain_loop if plain else _live_loop)(address, slowed):
            ages.append((round(time.perf_counter() - started, 3), round(true_age(image, first_at, fps) * 1e3, 2)))
            if meter.count():
                break
    meter.part.extra = {"ages_ms": ages}
    return meter.part


class SlowPredictor:
    """A predictor that takes at least ``seconds`` per image: it sleeps for the rest."""

    def __init__(self, predictor: Any, seconds: float) -> None:
        self._predictor, self._seconds = predictor, seconds

    def worker(self) -> Any:
        """One worker."""
        work = self._predictor.worker()

        def slow_worker(image: Any) -> Any:
            started = time.perf_counter()
            found = work(image)
            time.sleep(max(started + self._seconds - time.perf_counter(), 0))
            return found

        return slow_worker


def _plain_loop(address: str, predictor: SlowPredictor) -> Iterator[Any]:
    """The loop of most OpenCV tutorials: it reads every frame, however old."""
    import cv2

    work, capture = predictor.worker(), cv2.VideoCapture(address)
    while True:
        found, image = capture.read()
        if not found:
            raise RuntimeError("the camera ended")
        work(image)
        yield image


def _live_loop(address: str, predictor: SlowPredictor) -> Iterator[Any]:
    from edgecnn.runtime.pipeline.single_camera import Pipeline
    from edgecnn.runtime.sources import open_source

    with Pipeline(open_source(address), predictor) as pipeline:
        for result in pipeline:
            yield result.frame.image


@contextmanager
def _web_camera(fps: float) -> Iterator[tuple[str, float]]:
    command = [sys.executable, "-m", "edgecnn.benchmarks.figures.web_camera", str(fps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as camera:
        assert camera.stdout is not None
        try:
            port, first_at = camera.stdout.readline().split()
            yield f"http://127.0.0.1:{port}/", float(first_at)
        finally:
            camera.kill()


def memory(model: str, video: str, seconds: float, *, every: float = 10.0, **_: Any) -> PartResult:
    """edgecnn at full rate on a looping file and a web camera: resident MiB, open files, sockets and threads over time."""
    import cv2

    from edgecnn.runtime.model.autotune import Autotuner
    from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
    from edgecnn.runtime.sources import open_source

    cv2.setNumThreads(1)
    meter, samples, due = FrameMeter(seconds), [], 0.0
    with _web_camera(30.0) as (address, _first), Autotuner().open(model, goal="throughput") as predictor:
        plans = [
            CameraSetup("file", open_source(video, repeat=0, paced=False), predictor),
            CameraSetup("web", open_source(address), predictor),
        ]
        with MultiCamera(plans, workers=predictor.backend.concurrency) as multi_camera:
            started = time.perf_counter()
            for _result in multi_camera:
                if (now := time.perf_counter() - started) >= due:
                    samples.append({"s": round(now, 1), **_process_resources()})
                    due += every
                if meter.count():
                    break
        ledgers = {name: asdict(camera.ledger.counts()) for name, camera in multi_camera.cameras.items()}
    meter.part.extra = {"samples": samples, "ledgers": ledgers}
    return meter.part


def _process_resources() -> dict[str, float]:
    with Path("/proc/self/status").open(encoding="ascii") as lines:
        status = dict(line.split(":", 1) for line in lines)
    files = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            files.append(str(path.readlink()))
    return {
        "mib": int(status["VmRSS"].split()[0]) / 1024,
        "files": len(files),
        "sockets": sum(name.startswith("socket:") for name in files),
        "threads": int(status["Threads"]),
    }


PARTS: dict[str, Callable[..., PartResult]] = {
    "engine_openvino": engine_openvino,
    "engine_onnxruntime": engine_onnxruntime,
    "decode": decode,
    "stream": stream,
    "age": age,
    "slow": slow,
    "memory": memory,
}


def _in_threads(call: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(arguments: dict[str, Any]) -> None:
    """Measure and print."""
    found = PARTS[arguments.pop("part")](**arguments)
    print(dump_json(asdict(found)), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    os._exit(0)  # engines with live threads may hang while the interpreter shuts down
