"""Models that take tensors, several or other ones than an image: their card, and the graph that is exported."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError, first_line
from edgecnn.export.config import GraphOptions, InputTensor
from edgecnn.export.inference_check import check_inference, flatten
from edgecnn.tensor_pack import DTYPE, pack_size, sample, unpack
from edgecnn.types import TensorSpec


class TensorGraph(nn.Module):
    """A model that takes float32 tensors by position, and names its outputs; takes the place of ``edgecnn.export.graph.Deployable``."""

    flip = has_scale = has_mean = False
    is_plain = True  # nothing to fold

    def __init__(self, model: nn.Module, inputs: Sequence[str], names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.input_names, self.names = model, tuple(inputs), names
        self.options = GraphOptions()

    def forward(self, *tensors: Tensor) -> dict[str, Tensor]:
        """Outputs by name."""
        return dict(zip(self.names, flatten(self.model(*tensors)), strict=True))

    def free_axes(self) -> None:
        """None: all axes are fixed."""


def tensor_preprocess(specs: Sequence[TensorSpec]) -> Preprocess:
    """The preprocessing of a card for inputs of these ``specs``; raises ``InputError`` for inputs that are too large."""
    try:
        return Preprocess(size=pack_size(specs), resize="stretch", color="gray", input_dtype="uint8", tensors=tuple(specs))
    except ValueError as error:
        raise InputError(f"--input: the inputs are too large ({error})", "give smaller inputs") from error


def tensor_card(name: str, model: nn.Module, inputs: Sequence[InputTensor], outputs: Sequence[str]) -> ModelCard:
    """The card of the task raw for a model with these ``inputs``, which are named as its forward method names them."""
    names = input_names(model, inputs)
    specs = tuple(TensorSpec(given, one.shape, DTYPE) for given, one in zip(names, inputs, strict=True))
    return ModelCard(
        name=name,
        task="raw",
        labels=(),
        preprocess=tensor_preprocess(specs),
        decode=Decode("raw"),
        inputs=specs,
        outputs=tuple(TensorSpec(output, (), DTYPE) for output in outputs),
    )


def input_names(model: nn.Module, inputs: Sequence[InputTensor]) -> tuple[str, ...]:
    """The names that were given, else those of the parameters of the forward method. Raises ``InputError`` for another number."""
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    free = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    own = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one.name for one in own if one.default is one.empty]
    if not free and own and not len(needed) <= len(inputs) <= len(own):
        names = ", ".join(needed) or "none"
        raise InputError(
            f"--input: {len(inputs)} given, but the model takes {len(needed)} ({names})",
            "give the shape of each, separated by commas: --input 1x3x64x64,1x6",
        )
    usual = [own[index].name if index < len(own) else f"input_{index}" for index in range(len(inputs))]
    found = tuple(one.name or name for one, name in zip(inputs, usual, strict=True))
    if len(set(found)) < len(found):
        raise InputError(f"--input: the names {', '.join(found)} are not different", "give each input a name of its own")
    return found


def needed_inputs(model: nn.Module) -> tuple[str, ...]:
    """The names of the tensors that a model can't do without; () where that is not known."""
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return ()
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return tuple(one.name for one in positional if one.default is one.empty)


def wrap_tensors(model: nn.Module, card: ModelCard, options: GraphOptions | None, named: Any) -> tuple[TensorGraph, ModelCard]:
    """The graph around ``model`` and the card of its artifacts; ``named`` gives the names of outputs.

    Raises ``InputError`` where the model does not take its inputs, or is not fixed.
    """
    if options not in (None, GraphOptions(opset=options.opset if options else None)):
        raise InputError(
            "a model of tensors keeps its inputs as they are", "leave out --layout, --input-dtype, --batch and --dynamic-size"
        )
    specs = card.preprocess.tensors
    try:
        with torch.no_grad():
            raw = model(*tensor_examples(card))
    except Exception as error:  # of any layer of other people's code
        shapes = ", ".join(f"{spec.name} {'x'.join(map(str, spec.shape))}" for spec in specs)
        raise InputError(f"the model does not accept the inputs {shapes}: {first_line(error)}", "correct --input") from error
    check_inference(model, *(spec.shape for spec in specs))
    graph = TensorGraph(model, [spec.name for spec in specs], named(raw, card))
    if options is not None:
        graph.options = options
    outputs = zip(graph.names, flatten(raw), strict=True)
    made = tuple(TensorSpec(name, tuple(tensor.shape), DTYPE) for name, tensor in outputs)
    return graph.eval(), card.replace(inputs=specs, outputs=made)


def tensor_examples(card: ModelCard) -> tuple[Tensor, ...]:
    """Random inputs, so that data-dependent branches are not traced for zeros."""
    specs = card.preprocess.tensors
    return tuple(torch.from_numpy(array) for array in unpack(sample("noise", specs), specs).values())
