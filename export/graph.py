"""The exported graph: uint8 NHWC BGR image in, then layout, channel order and scale, then the model, named outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard, Preprocess
from edgecnn.errors import InputError, first_line
from edgecnn.export.inference_check import check_inference, flatten
from edgecnn.export.quiet import quiet
from edgecnn.tasks import check_outputs, find
from edgecnn.types import TensorSpec

IMAGE = "image"


class Deployable(nn.Module):
    """A model that takes an image in OpenCV's format, and names its outputs.

    In: (1, H, W, 3) uint8 BGR, or (1, H, W, 1) gray. Out: a dict of float32 tensors. ``(pixel - mean) / std`` is one
    multiplication, and one addition where there is a mean.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, model: nn.Module, preprocess: Preprocess, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names
        self.flip = preprocess.color == "rgb"
        mean, std = (_per_channel(values, preprocess.channels) for values in (preprocess.mean, preprocess.std))
        self.has_scale, self.has_mean = bool((std != 1).any()), bool(mean.any())
        self.register_buffer("scale", (1 / std).float())
        self.register_buffer("shift", (-mean / std).float())

    @property
    def is_plain(self) -> bool:
        """Whether the graph has neither channel flip nor scale."""
        return not (self.flip or self.has_scale)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs by name for one image."""
        x = image.permute(0, 3, 1, 2)
        if self.flip:
            x = torch.flip(x, [1])
        x = x.float()
        if self.has_scale:
            x = x * self.scale
        if self.has_mean:
            x = x + self.shift
        return dict(zip(self.names, flatten(self.model(x)), strict=True))

    def absorb(self) -> None:
        """Remove flip and scale after they were folded into the weights; the mean is then subtracted from raw BGR pixels."""
        mean = self.shift / self.scale
        self.shift = torch.flip(mean, [1]) if self.flip else mean
        self.scale = torch.ones_like(self.scale)
        self.flip = self.has_scale = False


def _per_channel(values: tuple[float, ...], channels: int) -> Tensor:
    """(1, C or 1, 1, 1) float64, so that 1 / std is rounded to float32 only once."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, -1 if len(values) > 1 else 1, 1, 1)


def output_names(outputs: Any, card: ModelCard) -> tuple[str, ...]:
    """The card's output names, else the keys of the model's mapping, else the task's usual names, else output_0, output_1, ..."""
    count = len(flatten(outputs))
    if card.outputs and len(card.outputs) != count:
        names = ", ".join(spec.name for spec in card.outputs)
        raise InputError(
            f"--output-names: {len(card.outputs)} given ({names}), the model has {count} outputs", "name all of them"
        )
    if card.outputs:
        return tuple(spec.name for spec in card.outputs)
    if isinstance(outputs, Mapping) and len(outputs) == count:
        return tuple(str(key) for key in outputs)
    return find(card.task).output_names(card.decode.name, count) or tuple(f"output_{index}" for index in range(count))


def inference_copy(model: nn.Module) -> nn.Module:
    """A float32 copy on the CPU in eval mode; the caller's model is not modified."""
    with quiet():  # deepcopy of an exported program warns about torch internals
        mine = copy.deepcopy(model).cpu().float()
    try:
        return mine.eval()
    except NotImplementedError:  # modules of torch.export programs can't switch modes: the mode was fixed while tracing
        return mine


def example(card: ModelCard) -> Tensor:
    """An example input of the exported graph: noise, so that data-dependent branches are not traced for a blank image."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, *card.preprocess.size, card.preprocess.channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def wrap(model: nn.Module, card: ModelCard) -> tuple[Deployable, ModelCard]:
    """The deployable graph around ``model`` (a copy that may be changed) and the card of its artifacts.

    Raises ``InputError`` where the model does not take the input of its card, is not fixed (``check_inference``), or its outputs do
    not fit the card's labels.
    """
    raw = _dry_run(model, card)
    check_inference(model, (1, card.preprocess.channels, *card.preprocess.size))
    graph = Deployable(model, card.preprocess, output_names(raw, card)).eval()
    specs = tuple(
        TensorSpec(name, tuple(tensor.shape), "float32") for name, tensor in zip(graph.names, flatten(raw), strict=True)
    )
    check_outputs(specs, card)
    image = TensorSpec(IMAGE, (1, *card.preprocess.size, card.preprocess.channels), "uint8", "NHWC")
    return graph, card.replace(preprocess=card.preprocess.folded(), inputs=(image,), outputs=specs)


def _dry_run(model: nn.Module, card: ModelCard) -> Any:
    shape = (1, card.preprocess.channels, *card.preprocess.size)
    try:
        with torch.no_grad():
            return model(torch.zeros(shape))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError) as error:
        raise InputError(
            f"the model does not accept a {'x'.join(map(str, shape))} float32 input: {first_line(error)}",
            "give its input shape as --input 1x3xHxW, and --color gray for one channel",
        ) from error
