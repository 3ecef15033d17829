"""Converts the published CIFAR-10 ResNets of akamaster/pytorch_resnet_cifar10 (BSD-2-Clause) to checkpoints.

`python -m edgecnn.models.akamaster resnet20-12fca82f.th --out resnet-20.safetensors`
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError
from edgecnn.models.checkpoint import save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.models.registry import MODELS, create, defaults

if TYPE_CHECKING:
    from torch import Tensor

# of CIFAR-10, in its order
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, which these were trained with, in pixels
HEAD = {"conv1": "stem.0", "bn1": "stem.1", "linear": "head.2"}
INNER = {"conv1": "first.0", "bn1": "first.1", "conv2": "second.0", "bn2": "second.1"}
BLOCK = re.compile(r"layer([123])\.(\d+)\.(\w+)\.(\w+)")
SOURCE = "akamaster/pytorch_resnet_cifar10, BSD-2-Clause"


def convert(file: Path, out: Path) -> ModelCard:
    """Convert the state dict in ``file`` to the checkpoint ``out``, and return its card.

    Tensors are renamed (``renamed``), their values do not change. Raises ``ArtifactError`` for a file that is none of these networks.
    """
    stored, record = _read(file)
    # the depth is not in the file: it follows from the highest index of a block
    blocks = 1 + max((int(found[2]) for found in map(BLOCK.fullmatch, stored) if found), default=-1)
    name = next((name for name, entry in MODELS.items() if entry.preset.get("blocks") == blocks), None)
    if name is None:
        raise _misfit(file, f"it has {blocks} blocks per stage")
    model = create(name)
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    weights = {renamed(key, blocks): tensor for key, tensor in stored.items()}
    if expected != {key: tuple(tensor.shape) for key, tensor in weights.items()}:
        raise _misfit(file, "its tensors have other names or shapes")
    # not strict: files of old PyTorch versions lack batch-norm's counters, which inference does not use
    model.load_state_dict(weights, strict=False)
    card = new_card(name, defaults(name), LABELS)
    preprocess = card.preprocess.__class__(size=(32, 32), resize="stretch", mean=MEAN, std=STD)
    return save_checkpoint(
        out, model, card.replace(preprocess=preprocess, training={"source": SOURCE, "file": file.name, **record})
    )


def renamed(key: str, blocks: int) -> str:
    """The name in ``CifarResNet`` of a tensor of the original: layer2.0.bn1.weight is stages.3.first.1.weight with 3 blocks a stage."""
    found = BLOCK.fullmatch(key)
    if found:
        stage, index, layer, kind = found.groups()
        return f"stages.{(int(stage) - 1) * blocks + int(index)}.{INNER.get(layer, layer)}.{kind}"
    layer, _, kind = key.partition(".")
    return f"{HEAD.get(layer, layer)}.{kind}"


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors without the prefix "module." of DataParallel, and the published accuracy in the file."""
    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        stored = {key.removeprefix("module."): tensor for key, tensor in found["state_dict"].items()}
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise _misfit(file, (str(error).splitlines() or [type(error).__name__])[0][:120]) from error
    return stored, {"published_top1": float(found["best_prec1"]) / 100} if "best_prec1" in found else {}


def _misfit(file: Path, reason: str) -> ArtifactError:
    return ArtifactError(f"{file} is no state dict of {SOURCE.partition(',')[0]} ({reason})", "name one of its .th files")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The checkpoint to write, .safetensors.")
def main(file: Path, out: Path) -> None:
    """Convert FILE, a .th of akamaster/pytorch_resnet_cifar10."""
    try:
        card = convert(file, out)
    except EdgeCnnError as error:
        raise SystemExit(f"error: {error}") from error
    click.echo(f"wrote {out}: {card.model['name']}")


if __name__ == "__main__":
    main()
