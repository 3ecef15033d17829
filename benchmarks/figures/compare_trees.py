"""Two source trees of edgecnn, started alternately: cold start of a run, load of a large file, evaluation, in wall and processor time.

``python -m edgecnn.benchmarks.figures.compare_trees BEFORE AFTER IMAGE --rounds 31 --json FILE``

BEFORE and AFTER are checkouts. Each runs its own shipped ``cups``, and the same random network of about 40 MB, with the digests that
its edgecnn writes. The order within a round alternates; the result are medians, and the median of the ratios of each round.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.columns import align_columns
from edgecnn.errors import BackendError
from edgecnn.files import check_writable
from edgecnn.integrity.digest import sealed

SIDE, CHANNELS, LAYERS = 32, 512, 4  # 4 layers of 512 x 512 x 3 x 3 weights are 38 MB
LOAD = """
import resource, sys, time
from edgecnn.runtime.backends import open_backend
import edgecnn.runtime.backends.ort
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime
(wall, cpu) = spent()
open_backend(sys.argv[1])
print(*(after - before for after, before in zip(spent(), (wall, cpu))))
"""


def write_network(path: Path, *, digests: bool) -> None:
    """A random classifier of ``LAYERS`` wide convolutions as ONNX, with a card."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    chance, name, nodes, weights = np.random.default_rng(0), "real", [], []
    nodes.append(helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Transpose", ["cast"], ["real"], perm=[0, 3, 1, 2]))
    for layer in range(LAYERS + 1):
        shape = (CHANNELS, CHANNELS if layer else 3, 3, 3)
        weights.append(numpy_helper.from_array(chance.normal(0, 0.02, shape).astype(np.float32), f"w{layer}"))
        nodes.append(helper.make_node("Conv", [name, f"w{layer}"], [f"c{layer}"], strides=[2, 2], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        name = f"r{layer}"
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["logits"]))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIDE, SIDE, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CHANNELS])
    graph = helper.make_graph(nodes, "wide", [image], [logits], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    card = ModelCard(
        name="wide",
        task="classify",
        labels=tuple(map(str, range(CHANNELS))),
        preprocess=Preprocess((SIDE, SIDE), "stretch", color="bgr", input_dtype="uint8"),
        decode=Decode("softmax"),
    )
    if not digests:
        # An older edgecnn does not know the field.
        helper.set_model_props(model, {CARD_KEY: card.to_json().replace(',"graph_sha256":""', "")})
    onnx.save(model, path)
    if digests:
        path.write_bytes(sealed(path, card, {})[1])


def start(tree: Path, words: list[str]) -> dict[str, float]:
    """Run a command of a tree to its end: wall and processor seconds, by the command's own account where it prints two numbers."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(tree), "EDGECNN_TRIAL_LOAD": "off"}
    began = perf_counter()
    child = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True, cwd=tree
    )
    assert child.stdout is not None
    with child.stdout:
        output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)  # os.wait4 has reaped the child, tell Popen
    if child.returncode:
        raise BackendError(f"{' '.join(words[:4])} failed in {tree}", "run it manually")
    if words[0] == "-c":
        wall, processor = map(float, output.split())
        return {"wall_s": wall, "processor_s": processor}
    return {"wall_s": wall, "processor_s": used.ru_utime + used.ru_stime}


def compare(trees: dict[str, Path], tasks: dict[str, dict[str, list[str]]], rounds: int) -> dict[str, Any]:
    """Start everything alternately; the first round only fills caches."""
    samples: dict[str, dict[str, list[dict[str, float]]]] = {task: {name: [] for name in trees} for task in tasks}
    for number in range(rounds + 1):
        for task, words in tasks.items():
            for name in trees if number % 2 else reversed(trees):
                found = start(trees[name], words[name])
                if number:
                    samples[task][name].append(found)
        click.echo(f"\r{number}/{rounds}", err=True, nl=number == rounds)
    return {task: {**_summary(own), "samples": own} for task, own in samples.items()}


def _summary(own: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for clock in ("wall_s", "processor_s"):
        before, after = ([sample[clock] for sample in own[name]] for name in ("before", "after"))
        ratios = [b / a for a, b in zip(before, after, strict=True)]
        found[clock] = {
            "before": statistics.median(before),
            "after": statistics.median(after),
            "ratio_of_medians": statistics.median(after) / statistics.median(before),
            "ratio_of_fastest": min(after) / min(before),
            "median_ratio": statistics.median(ratios),
        }
    return found


def table(found: dict[str, Any]) -> str:
    """The result for a terminal."""
    rows = [["", "clock", "before", "after", "ratio of medians", "of fastest", "median of ratios"]]
    for task, own in found.items():
        for clock, title in (("wall_s", "wall"), ("processor_s", "processor")):
            one = own[clock]
            ratios = [f"{one[name]:.3f}" for name in ("ratio_of_medians", "ratio_of_fastest", "median_ratio")]
            rows.append([task, title, f"{one['before'] * 1e3:.0f} ms", f"{one['after'] * 1e3:.0f} ms", *ratios])
    return align_columns(rows, left=2)


@click.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True))
@click.argument("after", type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True))
@click.argument("image", type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True))
@click.option("--rounds", type=click.IntRange(1), default=31, show_default=True, help="Starts of each command in each tree.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(before: Path, after: Path, image: Path, rounds: int, json_path: Path | None) -> None:
    """Compare the checkouts BEFORE and AFTER; IMAGE is a photo for the cold start."""
    if json_path is not None:
        check_writable(json_path)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        files = {name: Path(folder) / f"{name}.onnx" for name in ("before", "after")}
        for name, path in files.items():
            write_network(path, digests=name == "after")
        run = ["-m", "edgecnn", "run", "cups", "--source", str(image)]
        scores = ["-m", "edgecnn", "evaluate", "cups", "--data", "scene:cups?seed=3&count=20&fps=1&cut=1"]
        tasks = {
            "cold start": dict.fromkeys(files, run),
            "load of 40 MB": {name: ["-c", LOAD, str(path)] for name, path in files.items()},
            "evaluate": dict.fromkeys(files, scores),
        }
        found = compare({"before": before, "after": after}, tasks, rounds)
    click.echo(table(found))
    if json_path is not None:
        figure.record(json_path, "compare_trees", {"rounds": rounds, "tasks": found})


if __name__ == "__main__":
    figure.run(command)
