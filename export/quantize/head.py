"""Finds the operators behind the last layers of a network: the decoding of boxes and scores, which int8 files keep in float.

Box coordinates, their logarithms and class scores meet in one tensor there, and one scale of 8 bits can't hold all of them: 0..640
pixels are steps of 2.5, in which scores of 0..1 vanish. These operators handle a few thousand values, so float costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.export.quantize.layers import LayerOperator

# Enlarging a map makes many values of few: behind it nothing is small any more.
ENLARGING = ("Resize", "Upsample", "Interpolate", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")


def behind_layers(operators: Sequence[LayerOperator]) -> set[str]:
    """Names of the operators whose results reach no layer and no enlargement any more; empty for a graph without layers."""
    makers = {name: operator for operator in operators for name in operator.outputs}
    todo = [operator for operator in operators if operator.is_layer or operator.kind in ENLARGING]
    before = {operator.name for operator in todo}
    if not before:
        return set()
    while todo:
        for name in todo.pop().inputs:
            maker = makers.get(name)
            if maker is not None and maker.name not in before:
                before.add(maker.name)
                todo.append(maker)
    return {operator.name for operator in operators} - before
