"""A network with every place in it where an int8 file rounds: how one is trained for quantization, kept in a checkpoint, and compared.

The network is traced (torch.fx) once as it trains and once as it answers; both graphs share their layers. Batch-norms go into the
convolutions before them. A ``FakeQuant`` stands behind each operator that makes new numbers: convolution or sum (behind its ReLU, if
it has one), average, concatenation; not behind those that hand numbers on (pooling by maximum, reshape, nearest-neighbour), and not
behind the last weights except on their own result, since files compute from there in real numbers.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.nn import functional as F

from edgecnn.errors import InputError
from edgecnn.models.fake_quant import FakeQuant, Fused

HANDING_ON: tuple[Any, ...] = (
    *(nn.MaxPool2d, nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d, nn.PixelShuffle, nn.Upsample),
    *(F.max_pool2d, F.interpolate, F.pad, F.dropout, torch.flatten, torch.reshape, torch.permute, torch.transpose),
    *(torch.squeeze, torch.unsqueeze, torch.chunk, torch.split, operator.getitem),
    *("permute", "flatten", "view", "reshape", "transpose", "squeeze", "unsqueeze", "contiguous", "chunk", "split", "float"),
)
RELU: tuple[Any, ...] = (nn.ReLU, nn.ReLU6, F.relu, F.relu6, torch.relu, "relu", "relu_")


class Quantized(nn.Module):
    """A network whose weights and activations are rounded as int8 rounds them; in eval mode it gives what an int8 file should give.

    ``points`` are its roundings of activations by name. Made by ``quantized``.
    """

    def __init__(self, root: nn.Module, graphs: dict[bool, fx.Graph]) -> None:
        super().__init__()
        self.net = fx.GraphModule(root, graphs[False])
        # the other graph's module shares all layers; hidden from the state dict, which else would hold each tensor twice
        self._learning = [fx.GraphModule(root, graphs[True])]

    @property
    def points(self) -> dict[str, FakeQuant]:
        """All roundings of activations, in the order of computing."""
        return {name: layer for name, layer in self.net.points.named_children() if isinstance(layer, FakeQuant)}  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Any:
        """What the network gives for (B, C, H, W), rounded on the way."""
        return self._learning[0](x) if self.training else self.net(x)

    def train(self, mode: bool = True) -> Quantized:
        """Set the mode of both graphs."""
        self._learning[0].train(mode)
        super().train(mode)
        return self

    def activate(self, active: bool) -> None:
        """Round, or let everything through as it is."""
        for layer in self.modules():
            if isinstance(layer, FakeQuant | Fused):
                layer.active = active

    def values(self, run: Callable[[], object]) -> dict[str, Tensor]:
        """What arrives at each point while ``run`` is called, without any rounding."""
        found: dict[str, Tensor] = {}
        points = self.points.items()
        hooks = [point.register_forward_pre_hook(_keeper(found, name)) for name, point in points]
        self.activate(False)
        try:
            with torch.no_grad():
                run()
        finally:
            self.activate(True)
            for hook in hooks:
                hook.remove()
        return found

    def plain(self) -> nn.Module:
        """A network of plain layers, batch-norms folded in, that computes the same without rounding; in eval mode, for inference."""
        net = copy.deepcopy(self.net)
        for node in list(net.graph.nodes):
            layer = _layer(net, node)
            if isinstance(layer, FakeQuant):
                node.replace_all_uses_with(node.args[0])
                net.graph.erase_node(node)
            elif isinstance(layer, Fused):
                net.set_submodule(node.target, layer.plain())
        net.delete_all_unused_submodules()
        net.recompile()
        return net.eval()


def _keeper(found: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def keep(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found[name] = inputs[0].detach().clone()  # the next operator may write into it

    return keep


def quantized(model: nn.Module, example: Tensor) -> Quantized:
    """A copy of ``model`` on the CPU that rounds; its ranges are still to be set. ``example`` is an input (1, C, H, W).

    Raises ``InputError`` for a network whose way of the data depends on the data.
    """
    root = copy.deepcopy(model).cpu()
    graphs = {training: _traced(root, training) for training in (True, False)}
    for convolution, norm in list(_fusible(root, graphs[False])):
        _fuse(root, graphs.values(), convolution, norm)
    root.points = nn.ModuleDict()
    for name, answer in _places(root.eval(), graphs[False], example.cpu()).items():
        root.points[name] = FakeQuant(answer=answer)
        for graph in graphs.values():
            _insert(graph, name)
    return Quantized(root, graphs).eval()


def _traced(root: nn.Module, training: bool) -> fx.Graph:
    try:
        return fx.Tracer().trace(root.train(training))
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            "a network that can be traced for quantization", said, "use one whose forward does not depend on values"
        ) from error


def _layer(root: nn.Module, node: fx.Node) -> nn.Module | None:
    return root.get_submodule(str(node.target)) if node.op == "call_module" else None


def _fusible(root: nn.Module, graph: fx.Graph) -> Iterator[tuple[str, str | None]]:
    """Names of the layers with weights, each with the batch-norm that reads it alone, or None."""
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[str(node.target)] = counts.get(str(node.target), 0) + 1
    for node in graph.nodes:
        layer = _layer(root, node)
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if counts[str(node.target)] > 1:
            raise InputError(
                "layers that are each used once",
                f"{node.target} used {counts[str(node.target)]} times",
                "give each place its own",
            )
        users = list(node.users)
        norm = _layer(root, users[0]) if len(users) == 1 else None
        yield str(node.target), str(users[0].target) if isinstance(norm, nn.BatchNorm2d) else None


def _fuse(root: nn.Module, graphs: Any, name: str, norm: str | None) -> None:
    """Put one module in the place of both."""
    layer: Any = root.get_submodule(name)
    batch_norm: Any = None if norm is None else root.get_submodule(norm)
    root.set_submodule(name, Fused(layer, batch_norm))
    for graph in graphs if norm is not None else ():
        for node in [node for node in graph.nodes if node.op == "call_module" and node.target == norm]:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _places(root: nn.Module, graph: fx.Graph, example: Tensor) -> dict[str, bool]:
    """Names of the nodes behind which a file rounds, in order, and whether no weights come after."""
    ShapeProp(fx.GraphModule(root, graph)).propagate(example)
    graph.owning_module = None  # of the graph without roundings, which is done with
    before_weights: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if any(user in before_weights or isinstance(_layer(root, user), Fused) for user in node.users):
            before_weights.add(node)
    return {node.name: node not in before_weights for node in graph.nodes if _rounds(root, node, before_weights)}


def _rounds(root: nn.Module, node: fx.Node, before_weights: set[fx.Node]) -> bool:
    made_of = node.meta.get("tensor_meta")
    if node.op not in ("call_module", "call_function", "call_method") or not isinstance(made_of, TensorMetadata):
        return False
    if not made_of.dtype.is_floating_point:
        return False
    if _is(root, node, HANDING_ON) or _waits(root, node):
        return False
    made = node.all_input_nodes[0] if _is(root, node, RELU) and _waits(root, node.all_input_nodes[0]) else node
    return node in before_weights or isinstance(_layer(root, made), Fused)


def _waits(root: nn.Module, node: fx.Node) -> bool:
    """Whether nothing but a ReLU reads the node: files compute both at once."""
    users = list(node.users)
    return len(users) == 1 and _is(root, users[0], RELU) and not _is(root, node, HANDING_ON)


def _is(root: nn.Module, node: fx.Node, kinds: tuple[Any, ...]) -> bool:
    layer = _layer(root, node)
    if layer is not None:
        return isinstance(layer, tuple(kind for kind in kinds if isinstance(kind, type)))
    return node.target in [kind for kind in kinds if not isinstance(kind, type)]


def _insert(graph: fx.Graph, name: str) -> None:
    """Let everybody who reads the node of this name read its rounding."""
    node = next((node for node in graph.nodes if node.name == name), None)
    if node is None:
        return
    with graph.inserting_after(node):
        point = graph.call_module(f"points.{name}", (node,))
    node.replace_all_uses_with(point, delete_user_cb=lambda user: user is not point)
