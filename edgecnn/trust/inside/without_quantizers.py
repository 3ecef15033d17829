"""The graph of a file without its quantizers, which move no values: int8 and float files then have the same layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from edgecnn.trust.inside.graph import CUT_AT_ZERO, InsideNode


def without_quantizers(nodes: Sequence[InsideNode]) -> tuple[list[InsideNode], dict[str, str]]:
    """The nodes that do more than quantize, and which tensor holds the values of another as the next operator reads them.

    A DequantizeLinear or FakeQuantize gives the rounded values; QUANTIZE of TFLite only changes a scale, and is passed over.
    """
    same: dict[str, str] = {}
    read: dict[str, str] = {}
    cut: set[str] = set()
    kept = []
    for node in nodes:
        inputs = tuple(dict.fromkeys(same.get(name, name) for name in node.inputs))
        if node.kind != "quantize":
            # a bias, or a factor, is a constant
            kind = "same" if node.kind in ("sum", "product") and len(inputs) == 1 else node.kind
            kept.append(dataclasses.replace(node, inputs=inputs, kind=kind))
            continue
        same[node.output] = inputs[0]
        if node.word.endswith(CUT_AT_ZERO):
            cut.add(inputs[0])
        if node.word.lower().replace("_", "").startswith(("dequantizelinear", "fakequantize")):
            read.setdefault(inputs[0], node.output)
    return [_cut(node) if node.output in cut else node for node in kept], read


def _cut(node: InsideNode) -> InsideNode:
    return node if node.kind == "activation" or "+" in node.word else dataclasses.replace(node, word=node.word + CUT_AT_ZERO)
