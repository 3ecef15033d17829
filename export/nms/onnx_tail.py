"""Appends NMS to an ONNX graph that ends in decoded boxes and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgecnn.export.nms.tail import NmsTail
from edgecnn.postprocess.final_boxes import OUTPUTS


def append(program: Any, tail: NmsTail) -> Any:
    """``program`` with the outputs ``boxes``, ``scores``, ``classes`` and ``count``; a copy, in float32 whatever the layers are.

    The best class of each box takes part, as in ``edgecnn.postprocess.nms``; each class is moved to its own region of the plane.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(program)
    graph = _Nodes()
    best = graph.add("ArgMax", ["all_scores"], axis=2, keepdims=1)
    score = graph.add("GatherElements", ["all_scores", best], axis=2)
    _add_rows(graph, tail, best, score, _kept_boxes(graph, tail, best, score))
    model.graph.node.extend(graph.nodes)
    model.graph.initializer.extend(graph.constants)
    _declare_outputs(model, tail)
    return model


def _kept_boxes(graph: _Nodes, tail: NmsTail, best: str, score: str) -> str:
    """The indices of the boxes that stay, best first, from the class (1, boxes, 1) and the score of each box."""
    import onnx

    label = graph.add("Cast", [best], to=onnx.TensorProto.FLOAT)
    near = graph.add("Clip", ["all_boxes", graph.constant(np.float32(tail.low)), graph.constant(np.float32(tail.high))])
    moved = graph.add("Add", [near, graph.add("Mul", [label, graph.constant(np.float32(tail.span))])])
    limits = [np.array([tail.rows], np.int64), np.array([tail.iou], np.float32), np.array([tail.above], np.float32)]
    by_class = graph.add("Transpose", [score], perm=[0, 2, 1])
    chosen = graph.add("NonMaxSuppression", [moved, by_class, *map(graph.constant, limits)])  # rows of batch, class, box
    return graph.reshape(graph.add("Gather", [chosen, graph.constant(np.int64(2))], axis=1), (-1,))


def _add_rows(graph: _Nodes, tail: NmsTail, best: str, score: str, index: str) -> None:
    """The four outputs: the rows of the boxes at ``index``, and zeros below them."""
    import onnx

    count = graph.add("Shape", [index])
    padded = graph.add("Concat", [index, graph.constant(np.zeros(tail.rows, np.int64))], axis=0)
    rows = graph.add("Slice", [padded, *(graph.constant(np.array([end], np.int64)) for end in (0, tail.rows))])
    valid = graph.add("Less", [graph.constant(np.arange(tail.rows)), count])
    label = graph.add("Cast", [graph.reshape(best, (1, -1))], to=onnx.TensorProto.INT32)
    sources: tuple[tuple[str, str, tuple[int, ...], Any], ...] = (
        ("boxes", "all_boxes", (1, -1, 1), np.float32(0)),
        ("scores", graph.reshape(score, (1, -1)), (1, -1), np.float32(0)),
        ("classes", label, (1, -1), np.int32(0)),
    )
    for name, source, shape, zero in sources:
        taken = graph.add("Gather", [source, rows], axis=1)
        graph.add("Where", [graph.reshape(valid, shape), taken, graph.constant(zero)], name)
    graph.add("Cast", [count], "count", to=onnx.TensorProto.INT32)


def _declare_outputs(model: Any, tail: NmsTail) -> None:
    import onnx

    kinds = {"float32": onnx.TensorProto.FLOAT, "int32": onnx.TensorProto.INT32}
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(spec.name, kinds[spec.dtype], list(spec.shape)) for spec in tail.specs
    )
    assert [output.name for output in model.graph.output] == [*OUTPUTS]


class _Nodes:
    """New nodes and constants, with names of their own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        import onnx

        output = name or f"nms_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def reshape(self, tensor: str, shape: tuple[int, ...]) -> str:
        """The tensor in another shape."""
        return self.add("Reshape", [tensor, self.constant(np.array(shape, np.int64))])

    def constant(self, value: Any) -> str:
        """An initializer, whose name is returned."""
        import onnx

        name = f"nms_constant_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name
