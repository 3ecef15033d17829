"""Converts the published CIFAR-10 ResNets of akamaster/pytorch_resnet_cifar10 (BSD-2-Clause) to checkpoints.

`python -m edgecnn.models.akamaster resnet20-12fca82f.th --out resnet-20.safetensors`
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError, InputError
from edgecnn.models.checkpoint import save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.models.registry import MODELS, create, defaults
from edgecnn.models.weight_names import is_counter
from edgecnn.models.weights_file import read_values, tensors_in

if TYPE_CHECKING:
    from torch import Tensor

# of CIFAR-10, in its order
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, which these were trained with, in pixels
HEAD = {"conv1": "stem.0", "bn1": "stem.1", "linear": "head.2"}
INNER = {"conv1": "first.0", "bn1": "first.1", "conv2": "second.0", "bn2": "second.1"}
BLOCK = re.compile(r"layer([123])\.(\d+)\.(\w+)\.(\w+)")
FIRST = "conv1.weight"
SOURCE = "akamaster/pytorch_resnet_cifar10, BSD-2-Clause"


def convert(file: Path, out: Path, labels: Sequence[str] = ()) -> ModelCard:
    """Convert the state dict in ``file`` to the checkpoint ``out``, and return its card.

    Tensors are renamed (``renamed``), their values do not change. The depth, 6 x blocks per stage + 2 layers, and the classes follow
    from the file; ``labels`` may be left out for CIFAR-10. Raises ``ArtifactError`` for a file that is none of these networks,
    ``InputError`` for labels that do not fit it.
    """
    stored, record = _read(file)
    blocks = 1 + max((int(found[2]) for found in map(BLOCK.fullmatch, stored) if found), default=-1)
    if blocks < 1:
        raise _misfit(file, "it has no residual blocks of that name")
    name, options = _network(blocks, len(stored.get("linear.bias", ())) or len(LABELS))
    labels = tuple(labels) or (LABELS if options["classes"] == len(LABELS) else ())
    if len(labels) != options["classes"]:
        raise InputError(
            f"{file} has {options['classes']} classes, {len(labels)} names were given", "name them with --labels a,b,..."
        )
    model = create(name, **options)
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    weights = {renamed(key, blocks): tensor for key, tensor in stored.items() if not is_counter(key)}
    if expected != {key: tuple(tensor.shape) for key, tensor in weights.items()}:
        wrong = sorted(
            key for key in expected.keys() | weights.keys() if key not in weights or expected.get(key) != weights[key].shape
        )
        raise _misfit(file, f"{len(wrong)} tensors have other names or shapes, such as {wrong[0]}")
    # not strict: files of old PyTorch versions lack batch-norm's counters, which inference does not use
    model.load_state_dict(weights, strict=False)
    card = new_card(name, options, labels).replace(name=f"resnet-{6 * blocks + 2}")
    preprocess = card.preprocess.__class__(size=(32, 32), resize="stretch", mean=MEAN, std=STD)
    return save_checkpoint(
        out, model, card.replace(preprocess=preprocess, training={"source": SOURCE, "file": file.name, **record})
    )


def _network(blocks: int, classes: int) -> tuple[str, dict[str, Any]]:
    """A network of the registry and its options; depths that have no name of their own are resnet-20 with more blocks."""
    name = next((name for name, entry in MODELS.items() if entry.preset.get("blocks") == blocks), "resnet-20")
    return name, {**defaults(name), "blocks": blocks, "classes": classes}


def renamed(key: str, blocks: int) -> str:
    """The name in ``CifarResNet`` of a tensor of the original: layer2.0.bn1.weight is stages.3.first.1.weight with 3 blocks a stage."""
    found = BLOCK.fullmatch(key)
    if found:
        stage, index, layer, kind = found.groups()
        return f"stages.{(int(stage) - 1) * blocks + int(index)}.{INNER.get(layer, layer)}.{kind}"
    layer, _, kind = key.partition(".")
    return f"{HEAD.get(layer, layer)}.{kind}"


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The tensors by their names in the original, without what wrappers put before them, and the published accuracy in the file."""
    try:
        values = read_values(file)
    except InputError as error:
        raise _misfit(file, error.problem) from error
    found = tensors_in(values)
    start = min((name for name in found if name.endswith(FIRST)), key=len, default=FIRST).removesuffix(FIRST)
    accuracy = values.get("best_prec1") if isinstance(values, Mapping) else None
    record = {"published_top1": float(accuracy) / 100} if isinstance(accuracy, int | float) else {}
    return {name.removeprefix(start): one.tensor for name, one in found.items() if name.startswith(start)}, record


def _misfit(file: Path, reason: str) -> ArtifactError:
    return ArtifactError(f"{file} is no state dict of {SOURCE.partition(',')[0]} ({reason})", "name one of its .th files")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The checkpoint to write, .safetensors.")
@click.option("--labels", default="", help="Class names, separated by commas.  [default: those of CIFAR-10]")
def main(file: Path, out: Path, labels: str) -> None:
    """Convert FILE, a .th of akamaster/pytorch_resnet_cifar10."""
    try:
        card = convert(file, out, [name.strip() for name in labels.split(",") if name.strip()])
    except EdgeCnnError as error:
        raise SystemExit(f"error: {error}") from error
    click.echo(f"wrote {out}: {card.name}")


if __name__ == "__main__":
    main()
