"""A detector for timing: ``edgedet-m`` at 320 px with 80 classes (0.8 GMAC, as YOLO11n), random weights, a score for about 100 cells.

``python -m edgecnn.benchmarks.figures.network net.safetensors``, then ``edgecnn export net.safetensors --precision fp32 --out OUT``

Its detections are meaningless, only its latency counts. Batch-norm statistics are computed on frames of the scene, and the biases of
the score heads are shifted so that about a hundred cells of a frame pass the score threshold, as in a busy street with a real detector.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.files import check_writable
from edgecnn.scene import Scene, parse_scene

SIZE, CLASSES, CELLS, THRESHOLD = 320, 80, 100, 0.3


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
def command(out: Path) -> None:
    """Write the checkpoint OUT (.safetensors); needs the extra train."""
    check_writable(out)
    torch, models = (
        import_module("torch"),
        import_module("edgecnn.models"),
    )  # by name: benchmarks must not import torch statically (import contract)
    torch.manual_seed(0)
    options = {"classes": CLASSES, "size": [SIZE, SIZE]}
    model = models.create("edgedet-m", **options)
    with torch.no_grad():
        _settle(model, torch, _frames())
    models.save_checkpoint(out, model.eval(), card(options))
    click.echo(f"wrote {out}")


def card(options: dict[str, Any]) -> ModelCard:
    """The card of the checkpoint."""
    defaults = import_module("edgecnn.models.registry").defaults("edgedet-m")
    decoding = {"strides": [8, 16, 32], "score_threshold": THRESHOLD, "iou_threshold": 0.6, "max_detections": 100}
    return ModelCard(
        name="edgedet-m-random",
        task="detect",
        labels=tuple(f"class {number}" for number in range(CLASSES)),
        preprocess=Preprocess((SIZE, SIZE), color="rgb", std=(255.0,)),
        decode=Decode("fcos", decoding),
        model={"name": "edgedet-m", "options": {**defaults, **options}},
    )


def _frames() -> Any:
    """Eight frames of the scene, (8, 3, 320, 320) float32 in 0..1."""
    scene = Scene(parse_scene("scene:cups?size=320x320"))
    images = [scene.render(number * 100)[0] for number in range(8)]
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255


def _settle(model: Any, torch: Any, frames: Any) -> None:
    batch = torch.from_numpy(frames)
    for head in model.heads:
        torch.nn.init.normal_(head.score[-1].weight, std=0.2)
    model.train()
    for _ in range(20):
        model(batch)
    logits = torch.logit(model.eval()(batch)[1]).amax(dim=2)
    least = torch.quantile(logits, 1 - CELLS / logits.shape[1])
    for head in model.heads:
        head.score[-1].bias += float(np.log(THRESHOLD / (1 - THRESHOLD))) - least


if __name__ == "__main__":
    figure.run(command)
