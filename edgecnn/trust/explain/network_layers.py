"""The layers of a file with maps: convolutions, pooling and sums, each behind its activation, with window and receptive field."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecnn.trust.explain.inner_layer import InnerLayer
from edgecnn.trust.inside.graph import InsideNode, SlidingWindow
from edgecnn.trust.inside.receptive_field import Field

LAYER_KINDS = ("conv", "depthwise conv", "transposed conv", "max pool", "average pool", "sum")
_MOST_STEPS = 6  # between a convolution and its activation: a batch norm, a bias, ...


@dataclass(frozen=True, slots=True)
class LayerStep:
    """A layer with what makes it: its node in the graph, the maps that it reads (channels, height, width), its activation, its field.

    ``pads`` (top, left) is the padding of the window and of an operator before it, in places of ``source``. ``read`` is the tensor that
    holds its values; that of the layer's name has them before they are rounded to int8.
    """

    layer: InnerLayer
    node: InsideNode
    source: tuple[int, int, int] | None
    activation: str
    field: Field
    pads: tuple[int, int]
    read: str
    channels_last: bool

    @property
    def window(self) -> SlidingWindow | None:
        """The window of a convolution or of pooling."""
        return self.node.window


class GraphReader:
    """Finds what follows a node in a graph without quantizers."""

    def __init__(self, nodes: Sequence[InsideNode]) -> None:
        self._made_by = {node.output: node for node in nodes}
        self._readers: dict[str, list[InsideNode]] = defaultdict(list)
        for node in nodes:
            for name in node.inputs:
                self._readers[name].append(node)

    def end(self, node: InsideNode) -> tuple[InsideNode, str]:
        """The last node that belongs to a layer, and its activation: "" where it has none."""
        for _ in range(_MOST_STEPS):
            fused = node.word.partition("+")[2]
            if fused:
                return node, fused
            after = self._readers[node.output]
            gate = self._gate(node, after)
            if gate is not None:
                return gate
            if len(after) != 1 or not _keeps_places(after[0], node):
                break
            node = after[0]
            if node.kind == "activation":
                return node, _word(node)
        return node, ""

    def _gate(self, node: InsideNode, after: Sequence[InsideNode]) -> tuple[InsideNode, str] | None:
        """SiLU, hard-swish and Mish as several operators: x times a function of x."""
        for product in after:
            others = [name for name in product.inputs if name != node.output]
            if product.kind != "product" or len(others) != 1 or product.shape != node.shape:
                continue
            function = ""
            name = others[0]
            for _ in range(_MOST_STEPS):
                made = self._made_by.get(name)
                if made is None or len(made.inputs) != 1 or made.kind not in ("same", "activation", "whole"):
                    break
                if made.kind == "activation":
                    function = _word(made)
                name = made.inputs[0]
                if name == node.output and function:
                    last, _ = self._scaled(product)
                    return last, {"sigmoid": "silu", "relu6": "hard-swish", "hardsigmoid": "hard-swish"}.get(function, function)
        return None

    def _scaled(self, node: InsideNode) -> tuple[InsideNode, str]:
        """A constant factor behind a product, as in x * relu6(x + 3) / 6."""
        after = self._readers[node.output]
        if len(after) == 1 and after[0].kind == "same" and after[0].word.lower() in ("mul", "multiply", "div", "divide"):
            return after[0], ""
        return node, ""


def layer_steps(
    nodes: Sequence[InsideNode], read: Mapping[str, str], fields: Mapping[str, Field], colours: int = 3
) -> tuple[LayerStep, ...]:
    """The layers in the order of the network; ``colours`` are those of its input.

    Layers with a single place, as behind a global pooling, have no maps and are left out.
    """
    reader = GraphReader(nodes)
    made_by = {node.output: node for node in nodes}
    found: dict[str, LayerStep] = {}
    for node in nodes:
        if node.kind not in LAYER_KINDS or node.places in (None, (1, 1)) or node.output not in fields:
            continue
        last, activation = reader.end(node)
        field = fields[last.output]
        if last.output in found or len(last.shape) != 4:
            continue
        height, width = field.places
        layer = InnerLayer(
            name=last.output,
            kind=node.kind,
            channels=_channels(last.shape, field),
            height=height,
            width=width,
            stride=field.stride,
            receptive_field=max(field.y.size, field.x.size),
            depth=len(found),
        )
        source = _source(made_by, node)
        before = fields.get(source)
        known = source in made_by and len(made_by[source].shape) == 4
        maps = _channels(made_by[source].shape, before) if known and before is not None else colours
        found[last.output] = LayerStep(
            layer=layer,
            node=node,
            source=None if before is None else (maps, *before.places),
            activation=activation,
            field=field,
            pads=_pads(node, before, field),
            read=read.get(last.output, last.output),
            channels_last=field.channels_last,
        )
    return tuple(found.values())


def _keeps_places(node: InsideNode, before: InsideNode) -> bool:
    """Whether a node works on each place by itself, or only changes the order of the axes."""
    return (node.kind in ("same", "activation") and node.shape == before.shape) or _is_transpose(node)


def _is_transpose(node: InsideNode) -> bool:
    return node.kind == "shape" and len(node.shape) == 4 and node.word.lower().startswith(("transpose", "permute"))


def _channels(shape: Sequence[int], field: Field) -> int:
    return shape[3 if field.channels_last else 1]


def _source(made_by: Mapping[str, InsideNode], node: InsideNode) -> str:
    """The tensor that a node reads; padding that is an operator of its own, and another order of axes, are passed over."""
    name = node.inputs[0]
    while name in made_by and (made_by[name].kind == "pad" or _is_transpose(made_by[name])):
        name = made_by[name].inputs[0]
    return name


def _pads(node: InsideNode, before: Field | None, after: Field) -> tuple[int, int]:
    """The padding at the top and at the left, by how far the first field moved."""
    if node.window is None:
        return 0, 0
    if before is None or node.kind in ("transposed conv", "sum"):
        return node.window.pads
    top, left = (round((old.low - new.low) / old.jump) for old, new in ((before.y, after.y), (before.x, after.x)))
    return top, left


def _word(node: InsideNode) -> str:
    plain = node.word.lower().replace("_", "")
    return {
        "logistic": "sigmoid",
        "clip": "relu6",
        "clamp": "relu6",
        "hardtanh": "relu6",
        "swish": "silu",
        "hardswish": "hard-swish",
    }.get(plain, plain)
