"""The exported graph: uint8 NHWC BGR image in, then layout, channel order and scale, then the model, named outputs."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard, Preprocess
from edgecnn.errors import InputError, first_line
from edgecnn.export.config import GraphOptions
from edgecnn.export.inference_check import check_inference, flatten
from edgecnn.export.quiet import quiet
from edgecnn.export.tensor_graph import needed_inputs, tensor_examples
from edgecnn.tasks import check_outputs, find
from edgecnn.types import TensorSpec

IMAGE = "image"


class Deployable(nn.Module):
    """A model that takes an image in OpenCV's format, and names its outputs.

    In: (N, H, W, 3) uint8 BGR, or (N, H, W, 1) gray. Out: a dict of float32 tensors. ``(pixel - mean) / std`` is one
    multiplication, and one addition where there is a mean. With other ``options`` the image has planes (N, 3, H, W), or it is the
    float32 input of the model itself.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, model: nn.Module, preprocess: Preprocess, names: tuple[str, ...], options: GraphOptions | None = None
    ) -> None:
        super().__init__()
        self.model, self.names, self.input_names = model, names, (IMAGE,)
        self.options = options or GraphOptions()
        if self.options.input_dtype == "float32":  # colour order and scale are left to the caller
            preprocess = dataclasses.replace(
                preprocess, color="bgr" if preprocess.channels == 3 else "gray", mean=(0.0,), std=(1.0,)
            )
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
        x = image if self.options.layout == "nchw" else image.permute(0, 3, 1, 2)
        if self.flip:
            x = torch.flip(x, [1])
        x = x.float()
        if self.has_scale:
            x = x * self.scale
        if self.has_mean:
            x = x + self.shift
        return dict(zip(self.names, flatten(self.model(x)), strict=True))

    def free_axes(self) -> dict[str, dict[int, Any]] | None:
        """The free axes of the input for torch.export, None where all are fixed."""
        if not self.options.is_dynamic:
            return None
        sides = (2, 3) if self.options.layout == "nchw" else (1, 2)
        axes = ([0] if self.options.batch == -1 else []) + ([*sides] if self.options.dynamic_size else [])
        return {IMAGE: dict.fromkeys(axes, torch.export.Dim.DYNAMIC)}

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


def example(card: ModelCard, options: GraphOptions | None = None) -> Tensor:
    """An example input of the exported graph: noise, so that data-dependent branches are not traced for a blank image."""
    spec = _image_spec(card.preprocess, dataclasses.replace(options or GraphOptions(), dynamic_size=False))
    generator = torch.Generator().manual_seed(0)
    # a free batch is traced with 2, because torch.export takes a 1 as fixed
    shape = (2 if spec.shape[0] == -1 else spec.shape[0], *spec.shape[1:])
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return pixels if spec.dtype == "uint8" else pixels.float() / 127.5 - 1


def examples(card: ModelCard, options: GraphOptions | None = None) -> tuple[Tensor, ...]:
    """Example inputs of the exported graph: an image, or the tensors of a model that takes tensors."""
    return tensor_examples(card) if card.preprocess.tensors else (example(card, options),)


def wrap(model: nn.Module, card: ModelCard, options: GraphOptions | None = None) -> tuple[Deployable, ModelCard]:
    """The deployable graph around ``model`` (a copy that may be changed) and the card of its artifacts.

    Raises ``InputError`` where the model does not take the input of its card, is not fixed (``check_inference``), or its outputs do
    not fit the card's labels.
    """
    options = options or GraphOptions()
    raw = _dry_run(model, card, options)
    check_inference(model, (1, card.preprocess.channels, *card.preprocess.size))
    graph = Deployable(model, card.preprocess, output_names(raw, card), options).eval()
    specs = tuple(
        TensorSpec(name, tuple(tensor.shape), "float32") for name, tensor in zip(graph.names, flatten(raw), strict=True)
    )
    check_outputs(tuple(dataclasses.replace(spec, shape=(1, *spec.shape[1:])) for spec in specs), card)
    if options.is_dynamic:
        specs = tuple(dataclasses.replace(spec, shape=_free(spec.shape, options)) for spec in specs)
    is_float = options.input_dtype == "float32"
    preprocess = dataclasses.replace(card.preprocess, input_dtype="float32") if is_float else card.preprocess.folded()
    return graph, card.replace(preprocess=preprocess, inputs=(_image_spec(card.preprocess, options),), outputs=specs)


def _image_spec(preprocess: Preprocess, options: GraphOptions) -> TensorSpec:
    sides = (-1, -1) if options.dynamic_size else preprocess.size
    planes = options.layout == "nchw"
    shape = (options.batch, preprocess.channels, *sides) if planes else (options.batch, *sides, preprocess.channels)
    return TensorSpec(IMAGE, shape, options.input_dtype, options.layout.upper())


def _free(shape: tuple[int, ...], options: GraphOptions) -> tuple[int, ...]:
    """The declared shape of an output: its batch is free with that of the input; with a free size every axis may be."""
    batch = (-1,) if options.batch == -1 else shape[:1]
    if not options.dynamic_size or len(shape) <= 2:
        return (*batch, *shape[1:])
    return (*batch, *(-1 for _ in shape[1:]))


def _dry_run(model: nn.Module, card: ModelCard, options: GraphOptions) -> Any:
    shape = (max(options.batch, 1), card.preprocess.channels, *card.preprocess.size)
    try:
        with torch.no_grad():
            return model(torch.zeros(shape))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError) as error:
        needed = needed_inputs(model)
        if len(needed) > 1:
            raise InputError(
                f"the model takes {len(needed)} inputs ({', '.join(needed)}), not one image",
                "give --task raw and the shape of each: --input 1x3x64x64,1x6",
            ) from error
        raise InputError(
            f"the model does not accept a {'x'.join(map(str, shape))} float32 input: {first_line(error)}",
            "give its input shape as --input 1x3xHxW, and --color gray for one channel"
            if shape[0] == 1
            else "leave out --batch, or make the model accept several images",
        ) from error
