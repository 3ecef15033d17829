"""Time of a training step on a CPU with the gradients of ``edgecnn.train.depthwise`` over that with PyTorch's own, in alternation.

``python -m edgecnn.benchmarks.figures.depthwise_gradients edgedet mobilenet --json FILE``
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import torch
from torch import Tensor, nn

from edgecnn.benchmarks.figures import figure
from edgecnn.files import check_writable
from edgecnn.models import registry
from edgecnn.train.depthwise import QuickDepthwise
from edgecnn.train.hardware import detect_hardware


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=8, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(models: tuple[str, ...], batch: int, rounds: int, threads: int, json_path: Path | None) -> None:
    """Forward and backward pass of MODELS, in the precision that training chooses on this machine."""
    if json_path is not None:
        check_writable(json_path)
    torch.set_num_threads(threads)
    bf16 = detect_hardware("auto").bf16
    rows = []
    for name in models:
        rows.append({"model": name, **measure(registry.create(name), batch, rounds, bf16=bf16)})
        click.echo("{model}: {ratio:.3f} of the time ({low:.3f} to {high:.3f})".format(**rows[-1]))
    if json_path is not None:
        options = {"batch": batch, "rounds": rounds, "threads": threads, "bf16": bf16}
        figure.record(json_path, "depthwise_gradients", {**options, "models": rows})


def measure(model: nn.Module, batch: int, rounds: int, *, bf16: bool) -> dict[str, Any]:
    """Seconds of each step, quick and plain, and the median, lowest and highest of their ratios by round."""
    model = model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.rand(batch, _channels(model), *_size(model)).to(memory_format=torch.channels_last)
    pairs: list[tuple[float, float]] = []
    for index in range(rounds + 1):
        order = (True, False) if index % 2 else (False, True)
        seconds = {quick: _step(model, images, quick=quick, bf16=bf16) for quick in order}
        if index:  # the first one allocates memory
            pairs.append((seconds[True], seconds[False]))
    ratios = [quick / plain for quick, plain in pairs]
    return {"seconds": pairs, "ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def _size(model: Any) -> tuple[int, int]:
    height, width = model.size
    return height, width


def _channels(model: nn.Module) -> int:
    return next(layer.in_channels for layer in model.modules() if isinstance(layer, nn.Conv2d))


def _step(model: nn.Module, images: Tensor, *, quick: bool, bf16: bool) -> float:
    model.zero_grad()
    start = perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), QuickDepthwise() if quick else nullcontext():
        found = model(images)
    total = sum((part.float().mean() for part in _tensors(found)), torch.zeros(()))
    total.backward()  # type: ignore[no-untyped-call]
    return perf_counter() - start


def _tensors(found: Any) -> Iterator[Tensor]:
    yield from [found] if isinstance(found, Tensor) else found


if __name__ == "__main__":
    figure.run(command)
