"""What the harness adds to the time of a model: the model clock against the engine's own session in a bare loop, in alternation.

`python -m edgecnn.benchmarks.figures.harness_overhead --json RECORD.json`

Both call the same session of ONNX Runtime with the same inputs in the same process, in rounds of A B B A; several processes. The
model is a generated network of about 0.2 ms.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from itertools import cycle, pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.compare.interval import CONFIDENCE
from edgecnn.benchmarks.compare.signed_rank import signed_rank_interval
from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.inputs import BenchmarkInputs, store
from edgecnn.benchmarks.measure.model_under_test import ModelUnderTest
from edgecnn.benchmarks.measure.protocol import Protocol
from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.child_process import module_command
from edgecnn.files import check_writable
from edgecnn.json_text import dump_json
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import nearest_rank

TARGET = 1.02
SIZE = 96
INPUTS = 16


def write_network(path: Path, channels: int) -> None:
    """A classifier with three convolutions for images of 96 x 96."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = {"w0": (channels, 3, 3, 3), "w1": (channels, channels, 3, 3), "w2": (channels, channels, 3, 3), "w3": (channels, 10)}
    weights = [numpy_helper.from_array(random.normal(0, 0.1, shape).astype(np.float32), name) for name, shape in shapes.items()]
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=1),
        helper.make_node("Transpose", ["real"], ["x0"], perm=[0, 3, 1, 2]),
    ]
    for index in range(3):
        nodes.append(helper.make_node("Conv", [f"x{index}", f"w{index}"], [f"c{index}"], strides=[2, 2], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"x{index + 1}"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["x3"], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "w3"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "overhead",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = ModelCard(
        name="overhead",
        task="classify",
        labels=tuple("abcdefghij"),
        preprocess=Preprocess((SIZE, SIZE), color="bgr", input_dtype="uint8"),
        decode=Decode("softmax"),
    )
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    onnx.save(model, path)


def bare_round(session: Any, names: list[str], feeds: list[dict[str, Any]], seconds: float) -> list[float]:
    """Milliseconds from one call to the next in a bare loop, with one reading of the clock for each (about 0.1 us)."""
    times = [perf_counter()]
    until = times[0] + seconds
    for feed in cycle(feeds):
        session.run(names, feed)
        times.append(perf_counter())
        if times[-1] > until:
            break
    return [(after - before) * 1e3 for before, after in pairwise(times)]


def one_process(path: Path, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of a call by round, medians: ``bare``, and ``reported`` by the model clock."""
    predictor = Predictor(path, threads=1)
    model = ModelUnderTest(predictor)
    images = np.random.default_rng(0).integers(0, 256, (INPUTS, SIZE, SIZE, 3), np.uint8)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        store(BenchmarkInputs(tuple(images), ""), Path(folder))
        model.use(folder)
        protocol = Protocol("overhead", runs=rounds, duration_s=rounds * seconds, rounds=rounds, cold_starts=1, throughput_s=0)
        session, names = predictor.backend._session, [spec.name for spec in predictor.backend.outputs]  # type: ignore[attr-defined]
        model.warm_up("model", protocol)
        found: dict[str, list[float]] = {"bare": [], "reported": []}
        for turn in range(rounds):
            for side in ("bare", "reported") if turn % 2 == 0 else ("reported", "bare"):
                bare = side == "bare"
                times = bare_round(session, names, model.feeds, seconds) if bare else model.measure("model", protocol).samples_ms
                found[side].append(nearest_rank(times, 50))
    return found


@click.command()
@click.option("--channels", type=click.IntRange(1), default=32, show_default=True, help="Width of the network.")
@click.option("--processes", type=click.IntRange(8), default=12, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=20, show_default=True, help="Rounds of both in each process.")
@click.option("--seconds", type=float, default=0.1, show_default=True, help="Seconds of a round.")
@click.option("--part", type=click.Path(path_type=Path), hidden=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(channels: int, processes: int, rounds: int, seconds: float, part: Path | None, json_path: Path | None) -> None:
    """Compare the model clock with a bare loop."""
    if part is not None:
        click.echo(dump_json(one_process(part, rounds, seconds)))
        return
    if json_path is not None:
        check_writable(json_path)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        file = Path(folder) / "overhead.onnx"
        write_network(file, channels)
        words = ["--part", str(file), "--rounds", str(rounds), "--seconds", str(seconds)]
        start = module_command("edgecnn.benchmarks.figures.harness_overhead", *words)
        found = [json.loads(subprocess.run(start, capture_output=True, text=True, check=True).stdout) for _ in range(processes)]
    ratios = [math.log(float(np.median(np.divide(own["reported"], own["bare"])))) for own in found]
    interval = signed_rank_interval(ratios, CONFIDENCE)
    assert interval is not None
    value, low, high = map(math.exp, interval)
    bare = float(np.median([time for own in found for time in own["bare"]]))
    click.echo(f"bare loop {bare:.4f} ms, model clock {value:.4f} of it ({low:.4f} to {high:.4f}), target below {TARGET}")
    if json_path is not None:
        own = {"bare_ms": bare, "ratio": value, "low": low, "high": high, "target": TARGET, "processes": found}
        figure.record(json_path, "harness_overhead", own)


if __name__ == "__main__":
    figure.run(command)
