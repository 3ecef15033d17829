"""Folding: colour order and scale move into the weights of the first convolution, so that the graph has no operators for them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from edgecnn.export.graph import Deployable
from edgecnn.export.quiet import quiet

CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.convolution.default, torch.ops.aten.conv2d.padding)


def folded(graph: Deployable, image: Tensor) -> Deployable:
    """The same graph with a flip and a scale in its first convolution, where the image goes into one convolution and nowhere else.

    ``(x - mean) / std`` in RGB under weights ``w`` is ``x - mean`` in BGR under ``flip(w / std)``; the mean stays an operator of its
    own, since the border is padded with zeros after it. The graph itself is given back where there is nothing to fold or no such
    convolution; ``graph`` is not changed. Folded weights are in single precision: the result differs in the last bits.
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
    """The name of the weights that see nothing but the prepared image, or None."""
    try:
        with quiet():
            program = torch.export.export(graph, (image,))
    except Exception:  # the converter will fail on it too, and say why
        return None
    node = _after_preparation(program)
    if node is None or node.target not in CONVOLUTIONS or _groups(node) != 1:
        return None
    weight: Any = node.args[1]
    name = program.graph_signature.inputs_to_parameters.get(weight.name)
    return name if len(weight.users) == 1 else None


def _after_preparation(program: Any) -> Node | None:
    """The operator that takes the prepared image: behind the chain of our own operators, if it is the only one there."""
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
    """Whether Deployable.forward itself made the operator, not the model in it."""
    return len(node.meta.get("nn_module_stack", {})) == 1


def _groups(node: Node) -> int:
    schema = node.target._schema  # type: ignore[union-attr]
    names = [argument.name for argument in schema.arguments]
    given: Any = dict(zip(names, node.args, strict=False)) | node.kwargs
    return int(given.get("groups", 1))
