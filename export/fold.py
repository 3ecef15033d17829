"""Folds channel order and scale of the preprocessing into the weights of the first convolution."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from edgecnn.export.graph import Deployable
from edgecnn.export.quiet import quiet

CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.convolution.default, torch.ops.aten.conv2d.padding)


def fold_preprocessing(graph: Deployable, image: Tensor) -> Deployable:
    """The same graph with flip and scale folded into its first convolution, if the image is read by one convolution only.

    A convolution of ``(x - mean) / std`` in RGB with weights ``w`` equals one of ``x - mean`` in BGR with ``flip(w / std)``. The mean
    remains an operator: a bias could not replace it at the border, where the convolution pads with zeros. Returns ``graph`` itself
    where there is nothing to fold or no such convolution; never modifies it. Folded weights are float32: results differ in the last
    bits.
    """
    if graph.is_plain:
        return graph
    name = _first_weight(graph, image)
    if name is None:
        return graph
    result = copy.deepcopy(graph)
    weight = result.get_parameter(name)
    with torch.no_grad():
        changed = (weight.double() * graph.scale.double()).float()
        weight.copy_(torch.flip(changed, [1]) if graph.flip else changed)
    result.absorb()
    return result


def _first_weight(graph: nn.Module, image: Tensor) -> str | None:
    """The name of the convolution weights that read only the preprocessed image, or None."""
    try:
        with quiet():
            program = torch.export.export(graph, (image,))
    except Exception:  # the converter fails on it, too, and reports why
        return None
    node = _after_preparation(program)
    if node is None or node.target not in CONVOLUTIONS or _groups(node) != 1:
        return None
    weight: Any = node.args[1]
    name = program.graph_signature.inputs_to_parameters.get(weight.name)
    return name if len(weight.users) == 1 else None


def _after_preparation(program: Any) -> Node | None:
    """The operator that reads the preprocessed image, if there is only one."""
    (name,) = program.graph_signature.user_inputs
    node: Node = next(node for node in program.graph.nodes if node.name == name)
    while True:
        users: list[Node] = [user for user in node.users if "_assert" not in str(user.target)]
        if len(users) != 1:
            return None
        node = users[0]
        if not _is_ours(node):
            return node


def _is_ours(node: Node) -> bool:
    """Whether the operator comes from Deployable.forward, not from the model inside."""
    return len(node.meta.get("nn_module_stack", {})) == 1


def _groups(node: Node) -> int:
    schema = node.target._schema  # type: ignore[union-attr]
    names = [argument.name for argument in schema.arguments]
    given: Any = dict(zip(names, node.args, strict=False)) | node.kwargs
    return int(given.get("groups", 1))
