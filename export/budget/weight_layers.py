"""Convolutions and linear layers of a PyTorch model with the names of their parameters, found in its exported graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgecnn.export.graph import Deployable
from edgecnn.export.quiet import quiet

_aten = torch.ops.aten
CONVOLUTIONS = (_aten.conv2d.default, _aten.conv2d.padding)
LINEAR = (_aten.linear.default,)
BATCH_NORMS = (_aten.batch_norm.default, _aten._native_batch_norm_legit_no_training.default)


@dataclass(frozen=True, slots=True, eq=False)
class WeightLayer:
    """One layer: its graph node, the last node of it (the batch-norm where one follows), and its parameters' names ("" for none)."""

    node: Node
    end: Node
    weight: str
    bias: str
    norm: tuple[str, str, str] | None  # weight, bias and running variance of the batch-norm
    epsilon: float
    groups: int

    def gain(self, state: dict[str, Tensor]) -> Tensor:
        """The factor of each output channel by the batch-norm, else 1."""
        if self.norm is None:
            return torch.ones(len(state[self.weight]))
        return state[self.norm[0]] / (state[self.norm[2]] + self.epsilon).sqrt()


def exported(graph: Deployable, image: Tensor) -> GraphModule | None:
    """The operators of ``graph``, or None where PyTorch can't export it."""
    try:
        with quiet():
            module: Any = torch.export.export(graph, (image,)).module()
    except Exception:  # the converters fail on it, too, and report why
        return None
    return module if isinstance(module, GraphModule) else None


def weight_layers(module: GraphModule) -> Iterator[WeightLayer]:
    """All layers whose weights are parameters that nothing else reads."""
    for node in module.graph.nodes:
        if node.op != "call_function" or node.target not in (*CONVOLUTIONS, *LINEAR):
            continue
        given = _arguments(node)
        weight, bias = given["weight"], given.get("bias")
        if not _is_own(weight) or (bias is not None and not _is_own(bias)):
            continue
        norm, epsilon = _norm_after(node)
        names = None if norm is None else tuple(str(_arguments(norm)[key].target) for key in ("weight", "bias", "running_var"))
        yield WeightLayer(
            node,
            norm or node,
            str(weight.target),
            "" if bias is None else str(bias.target),
            names,  # type: ignore[arg-type]
            epsilon,
            int(given.get("groups", 1)),
        )


def _norm_after(node: Node) -> tuple[Node | None, float]:
    users = list(node.users)
    if len(users) != 1 or users[0].target not in BATCH_NORMS:
        return None, 0.0
    given = _arguments(users[0])
    if any(given.get(key) is None for key in ("weight", "bias", "running_var")):
        return None, 0.0
    return users[0], float(given["eps"])


def _arguments(node: Node) -> dict[str, Any]:
    """The arguments of an operator by name, defaults included."""
    arguments = node.target._schema.arguments  # type: ignore[union-attr]
    given: dict[str, Any] = {one.name: one.default_value for one in arguments if one.has_default_value()}
    return given | dict(zip((one.name for one in arguments), node.args, strict=False)) | dict(node.kwargs)


def _is_own(node: Any) -> bool:
    return isinstance(node, Node) and node.op == "get_attr" and len(node.users) == 1
