"""Which units of a network detect a colour, a texture, a part or an object, by layer, beside the same network with shuffled weights.

``python -m edgecnn.benchmarks.figures.dissection cups --int8 cups.onnx --data ADDRESS --plot PNG --json FILE``

The control has the weights of the checkpoint, those of each layer in random order, and batch-norm statistics of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.invariances import with_palette
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.columns import align_columns
from edgecnn.data import Dataset, open_dataset
from edgecnn.files import check_writable
from edgecnn.models import load_checkpoint, save_checkpoint
from edgecnn.preprocess import Preprocessor
from edgecnn.shipped import artifact
from edgecnn.train import plots
from edgecnn.trust.explain.dissection.concept_maps import KINDS
from edgecnn.trust.explain.dissection.result import Dissection
from edgecnn.trust.explain.dissection.run import dissect
from edgecnn.trust.explain.inner import open_inner
from edgecnn.trust.explain.units import OF_UNITS
from edgecnn.types import TensorSpec

STATISTICS = 16  # images for the batch norms of the shuffled network
COLOURS = {"colour": "#e69f00", "texture": "#56b4e9", "part": "#cc79a7", "object": "#0072b2"}  # Okabe and Ito


@click.command()
@click.argument("checkpoint")
@click.option("--int8", type=click.Path(path_type=Path), help="The int8 file of the same network.")
@click.option("--data", required=True, metavar="ADDRESS", help="Dataset, whose concepts the renderer knows.")
@click.option("--limit", type=click.IntRange(2), default=100, show_default=True, help="Number of images.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the shuffled weights.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Write the bars as PNG.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the record as JSON.")
def command(
    checkpoint: str, int8: Path | None, data: str, limit: int, seed: int, plot_path: Path | None, json_path: Path | None
) -> None:
    """Dissect the CHECKPOINT, its int8 file, and the same network with shuffled weights."""
    for path in filter(None, (plot_path, json_path)):
        check_writable(path)
    dataset = open_dataset(data, limit=limit)
    own = figure.checkpoint(checkpoint)
    with tempfile.TemporaryDirectory() as folder, ProgressLine() as line:
        files = {"trained, fp32": own}
        if int8 is not None:
            files["trained, int8"] = artifact(int8)
        files["weights shuffled"] = shuffled(own, dataset, seed, Path(folder) / "shuffled.safetensors")
        found = {name: _dissected(path, dataset, data, line) for name, path in files.items()}
        digests = {name: sha256_of(path) for name, path in files.items()}
    click.echo(_table(found))
    if plot_path is not None:
        plots.save(_drawn(found), plot_path)
        with_palette(plot_path)
    if json_path is not None:
        rows = [{"name": name, "sha256": digests[name], **_record(one)} for name, one in found.items()]
        figure.record(json_path, "dissection", {"data": data, "images": limit, "seed": seed, "networks": rows})


def shuffled(checkpoint: Path, dataset: Dataset, seed: int, out: Path) -> Path:
    """The network of a checkpoint with the weights of each layer in random order, written to ``out``.

    Its batch norms get the statistics of some images, without which most units would be silent.
    """
    import torch
    from torch import nn

    model, card = load_checkpoint(checkpoint)
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                flat = module.weight.reshape(-1)
                module.weight.copy_(flat[torch.from_numpy(random.permutation(len(flat)))].reshape(module.weight.shape))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # the mean over all images
                module.train()
        prepare = Preprocessor(card.preprocess, TensorSpec("image", (1, 3, *card.preprocess.size), "float32", "NCHW"))
        chosen = np.linspace(0, len(dataset) - 1, min(STATISTICS, len(dataset))).round().astype(int).tolist()
        images = [prepare(dataset.samples[index].read())[0]["image"].copy() for index in chosen]
        model(torch.from_numpy(np.concatenate(images)))
    save_checkpoint(out, model.eval(), card)
    return out


def _dissected(path: Path, dataset: Dataset, data: str, line: ProgressLine) -> Dissection:
    with open_inner(path) as reader:
        layers = [layer.name for layer in reader.layers if layer.kind in OF_UNITS]

        def progress(what: str, done: int, total: int) -> None:
            line(f"{path.name}, {what}: image {done} of {total}")

        return dissect(reader, dataset, reader.card.preprocess, name=data, layers=layers, limit=len(dataset), progress=progress)


def _table(found: dict[str, Dissection]) -> str:
    rows = [["network", "layers", "units", *KINDS, "detectors", "by chance", "different concepts"]]
    for name, one in found.items():
        counts = [sum(layer.detectors[kind] for layer in one.layers) for kind in KINDS]
        chance = sum(layer.by_chance for layer in one.layers)
        rows.append(
            [name, str(len(one.layers)), str(one.units), *map(str, counts), str(sum(counts)), str(chance), str(_concepts(one))]
        )
    return align_columns(rows, left=1)


def _concepts(one: Dissection) -> int:
    """How many concepts at least one unit detects."""
    return len({(unit.kind, unit.concept) for layer in one.layers for unit in layer.units if unit.detects})


def _record(one: Dissection) -> dict[str, Any]:
    """The numbers by layer, and the best units; those of all units would be a megabyte."""
    document = one.to_document()
    layers = [{key: value for key, value in layer.items() if key != "units"} for layer in document["layers"]]
    best = [
        {
            "layer": unit.layer,
            "unit": unit.unit,
            "kind": unit.kind,
            "concept": unit.concept,
            "iou": unit.iou,
            "by_chance": unit.chance,
        }
        for unit in one.best(5)
    ]
    return {**document, "layers": layers, "best_units": best, "different_concepts": _concepts(one)}


def _by_depth(one: Dissection) -> Iterator[tuple[int, dict[str, float], float]]:
    """The depth of each layer, the share of its units that detect a concept of each kind, and the share by chance."""
    for depth, layer in enumerate(one.layers, 1):
        yield (
            depth,
            {kind: 100 * count / layer.channels for kind, count in layer.detectors.items()},
            100 * layer.by_chance / layer.channels,
        )


def _drawn(found: dict[str, Dissection]) -> Any:
    """A panel for each network: a bar for each layer from the input on, and as a line what chance gives."""
    drawn = plots.blank(9.6, 1.0 + 2.0 * len(found))
    panels = drawn.subplots(len(found), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (name, one) in zip(panels, found.items(), strict=True):
        layers = list(_by_depth(one))
        bottom = np.zeros(len(layers))
        for kind in KINDS:
            shares = np.array([share[kind] for _, share, _ in layers])
            axes.bar([depth for depth, _, _ in layers], shares, bottom=bottom, width=0.8, color=COLOURS[kind], label=kind)
            bottom += shares
        axes.plot([depth for depth, _, _ in layers], [chance for _, _, chance in layers], "k.-", lw=0.9, ms=3, label="by chance")
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_ylabel("% of the units", fontsize=9)
        axes.grid(alpha=0.3, axis="y")
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("layer, from the input on")
    handles, names = panels[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    return drawn


if __name__ == "__main__":
    figure.run(command)
