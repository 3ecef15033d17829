"""Inserts fake quantization at every point where an int8 file rounds, for quantization-aware training and as a reference.

The network is traced (torch.fx) once in train mode and once in eval mode; both graphs share their layers. Batch-norms are folded into
the convolutions before them. A ``FakeQuant`` follows each operator that computes new values: convolution or sum (after its ReLU, if it
has one), average, concatenation; not those that only move values (max pooling, reshape, nearest-neighbour), and after the last
weights only their own result, since files compute in floating point from there.
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
from edgecnn.models.fake_quant import FakeQuant, FusedLayer

# layers, functions and names of tensor methods that select or move values: their result lies on the grid of their input
PASS_THROUGH: tuple[Any, ...] = (
    *(nn.MaxPool2d, nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d, nn.PixelShuffle, nn.Upsample),
    *(F.max_pool2d, F.interpolate, F.pad, F.dropout, torch.flatten, torch.reshape, torch.permute, torch.transpose),
    *(torch.squeeze, torch.unsqueeze, torch.chunk, torch.split, operator.getitem),
    *("permute", "flatten", "view", "reshape", "transpose", "squeeze", "unsqueeze", "contiguous", "chunk", "split", "float"),
)
CHECKS: tuple[Any, ...] = (torch._assert, operator.eq, getattr)  # of shapes, without a result
# activations that files compute with the operator before them: a hard sigmoid is a sum, which goes into the bias, and a ReLU6
RELU: tuple[Any, ...] = (*(nn.ReLU, nn.ReLU6, nn.Hardsigmoid, F.relu, F.relu6, F.hardsigmoid, torch.relu, "relu", "relu_"),)


class QuantizedModel(nn.Module):
    """A network with int8 weights and activations, simulated in floating point; in eval mode its outputs are those of an int8 file.

    ``points`` are the quantization points of its activations by name. Made by ``insert_fake_quant``.
    """

    def __init__(self, root: nn.Module, graphs: dict[bool, fx.Graph]) -> None:
        super().__init__()
        self.net = fx.GraphModule(root, graphs[False])
        # Both graphs share all layers. In a list, nn.Module does not register this one: the state dict holds each tensor once.
        self._train_net = [fx.GraphModule(root, graphs[True])]

    @property
    def points(self) -> dict[str, FakeQuant]:
        """All quantization points of activations, in the order of execution."""
        return {name: layer for name, layer in self.net.points.named_children() if isinstance(layer, FakeQuant)}  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Any:
        """The outputs of the network for (B, C, H, W)."""
        return self._train_net[0](x) if self.training else self.net(x)

    def train(self, mode: bool = True) -> QuantizedModel:
        """Set the mode of both graphs."""
        self._train_net[0].train(mode)
        super().train(mode)
        return self

    def activate(self, active: bool) -> None:
        """Switch all rounding on or off."""
        for layer in self.modules():
            if isinstance(layer, FakeQuant | FusedLayer):
                layer.active = active

    def values(self, run: Callable[[], object]) -> dict[str, Tensor]:
        """The input of each quantization point while ``run`` is called, with all rounding off."""
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
        """A network of plain layers with batch-norms folded in, without fake quantization; in eval mode, for inference."""
        net = copy.deepcopy(self.net)
        for node in list(net.graph.nodes):
            layer = _layer(net, node)
            if isinstance(layer, FakeQuant):
                node.replace_all_uses_with(node.args[0])
                net.graph.erase_node(node)
            elif isinstance(layer, FusedLayer):
                net.set_submodule(node.target, layer.plain())
        net.delete_all_unused_submodules()
        net.recompile()
        return net.eval()


def _keeper(found: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def keep(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found[name] = inputs[0].detach().clone()  # an in-place operator such as ReLU may overwrite it next

    return keep


def insert_fake_quant(model: nn.Module, example: Tensor) -> QuantizedModel:
    """A copy of ``model`` on the CPU with fake quantization, whose ranges are to be set next. ``example`` is an input (1, C, H, W).

    Raises ``InputError`` for a network with data-dependent control flow, or with a layer that is used twice.
    """
    root = copy.deepcopy(model).cpu()
    # Tracing follows Python control flow once: a forward that depends on ``self.training`` gives two different graphs.
    graphs = {training: _traced(root, training) for training in (True, False)}
    for convolution, norm in list(_fusible(root, graphs[False])):
        _fuse(root, graphs.values(), convolution, norm)
    root.points = nn.ModuleDict()
    for name, answer in _places(root.eval(), graphs[False], example.cpu()).items():
        root.points[name] = FakeQuant(is_output=answer)
        for graph in graphs.values():
            _insert(graph, name)
    return QuantizedModel(root, graphs).eval()


def _traced(root: nn.Module, training: bool) -> fx.Graph:
    try:
        graph = fx.Tracer().trace(root.train(training))
        _name_norms(root, graph)
        return graph
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"the network can't be traced for quantization ({reason})", "use one whose control flow does not depend on its data"
        ) from error


def _name_norms(root: nn.Module, graph: fx.Graph) -> None:
    """Make calls of ``F.batch_norm`` with the tensors of a layer calls of a ``nn.BatchNorm2d``, and remove what computes nothing.

    They come from subclasses, such as timm's BatchNormAct2d, which are traced into, check shapes and also apply a ReLU.
    """
    for node in [node for node in graph.nodes if node.target is F.batch_norm]:
        owners = {str(tensor.target).rpartition(".")[0] for tensor in node.all_input_nodes[1:] if tensor.op == "get_attr"}
        layer = root.get_submodule(next(iter(owners))) if len(owners) == 1 else None
        if not isinstance(layer, nn.BatchNorm2d):
            continue
        name = f"{owners.pop()}.batch_norm"
        root.set_submodule(name, _plain_norm(layer))
        with graph.inserting_before(node):
            node.replace_all_uses_with(graph.call_module(name, (node.args[0],)))
        graph.erase_node(node)
    for node in reversed(graph.nodes):
        if isinstance(_layer(root, node), nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
        elif not node.users and (node.op == "get_attr" or node.target in CHECKS or _counts_batches(node)):
            graph.erase_node(node)


def _plain_norm(layer: nn.BatchNorm2d) -> nn.BatchNorm2d:
    plain = nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    plain.load_state_dict(layer.state_dict(), strict=False)
    return plain.train(layer.training)


def _counts_batches(node: fx.Node) -> bool:
    """Whether a subclass counts a batch itself: the layer that takes its place does, too."""
    counted = node.args[0] if node.target == "add_" else None
    return isinstance(counted, fx.Node) and str(counted.target).endswith("num_batches_tracked")


def _layer(root: nn.Module, node: fx.Node) -> nn.Module | None:
    return root.get_submodule(str(node.target)) if node.op == "call_module" else None


def _fusible(root: nn.Module, graph: fx.Graph) -> Iterator[tuple[str, str | None]]:
    """Names of the layers with weights, each with the batch-norm that is its only user, or None."""
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[str(node.target)] = counts.get(str(node.target), 0) + 1
    for node in graph.nodes:
        layer = _layer(root, node)
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if counts[str(node.target)] > 1:
            raise InputError(
                f"the layer {node.target} is used {counts[str(node.target)]} times and can't have a range for each use",
                "use a layer of its own in each place",
            )
        users = list(node.users)
        norm = _layer(root, users[0]) if len(users) == 1 else None
        yield str(node.target), str(users[0].target) if isinstance(norm, nn.BatchNorm2d) else None


def _fuse(root: nn.Module, graphs: Any, name: str, norm: str | None) -> None:
    """Replace a layer and its batch-norm by one module, in all graphs."""
    layer: Any = root.get_submodule(name)
    batch_norm: Any = None if norm is None else root.get_submodule(norm)
    root.set_submodule(name, FusedLayer(layer, batch_norm))
    for graph in graphs if norm is not None else ():
        for node in [node for node in graph.nodes if node.op == "call_module" and node.target == norm]:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _places(root: nn.Module, graph: fx.Graph, example: Tensor) -> dict[str, bool]:
    """Names of the nodes whose results a file rounds, in order, and whether no weights follow."""
    ShapeProp(fx.GraphModule(root, graph)).propagate(example)
    graph.owning_module = None  # the temporary module above: a graph can have only one, and gets its own later
    # Backwards through the graph: everything from which a layer with weights can be reached.
    before_weights: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if any(user in before_weights or isinstance(_layer(root, user), FusedLayer) for user in node.users):
            before_weights.add(node)
    return {node.name: node not in before_weights for node in graph.nodes if _rounds(root, node, before_weights)}


def _rounds(root: nn.Module, node: fx.Node, before_weights: set[fx.Node]) -> bool:
    metadata = node.meta.get("tensor_meta")
    if node.op not in ("call_module", "call_function", "call_method") or not isinstance(metadata, TensorMetadata):
        return False
    if not metadata.dtype.is_floating_point:
        return False
    if _is(root, node, PASS_THROUGH) or _fused_with_relu(root, node):
        return False
    made = node.all_input_nodes[0] if _is(root, node, RELU) and _fused_with_relu(root, node.all_input_nodes[0]) else node
    return node in before_weights or isinstance(_layer(root, made), FusedLayer)


def _fused_with_relu(root: nn.Module, node: fx.Node) -> bool:
    """Whether a ReLU is the only user of the node: files fuse both and round once."""
    users = list(node.users)
    return len(users) == 1 and _is(root, users[0], RELU) and not _is(root, node, PASS_THROUGH)


def _is(root: nn.Module, node: fx.Node, kinds: tuple[Any, ...]) -> bool:
    layer = _layer(root, node)
    if layer is not None:
        return isinstance(layer, tuple(kind for kind in kinds if isinstance(kind, type)))
    return node.target in [kind for kind in kinds if not isinstance(kind, type)]


def _insert(graph: fx.Graph, name: str) -> None:
    """Insert the quantization point of the node of this name between it and all its users."""
    node = next((node for node in graph.nodes if node.name == name), None)
    if node is None:  # found in the eval graph, such as the sigmoid of a detector, but not in the other
        return
    with graph.inserting_after(node):
        point = graph.call_module(f"points.{name}", (node,))
    node.replace_all_uses_with(point, delete_user_cb=lambda user: user is not point)  # else the point would be its own input
