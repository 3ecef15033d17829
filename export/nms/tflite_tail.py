"""Appends NMS to a TFLite graph that ends in decoded boxes and scores, with builtin operators only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgecnn.export.nms.tail import NmsTail


def append(program: bytes, tail: NmsTail) -> bytes:
    """The flatbuffer with the outputs ``boxes``, ``scores``, ``classes`` and ``count``, in float whatever the layers are.

    The best class of each box takes part, as in ``edgecnn.postprocess.nms``; each class is moved to its own region of the plane.
    NON_MAX_SUPPRESSION_V4 is an operator of TFLite since 2.2 (2020).
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(program))
    graph = _Graph(model)
    boxes, scores = (graph.output(name) for name in ("all_boxes", "all_scores"))
    count = graph.shape(scores)[1]
    label = graph.add("ARG_MAX", [scores, graph.constant(np.int32(2))], (1, count), np.int32)
    score = graph.add("REDUCE_MAX", [scores, graph.constant(np.array([2], np.int32))], (1, count), np.float32)
    near = graph.add("MINIMUM", [boxes, graph.constant(np.float32(tail.high))], (1, count, 4), np.float32)
    near = graph.add("MAXIMUM", [near, graph.constant(np.float32(tail.low))], (1, count, 4), np.float32)
    near = graph.thick(near, count)
    region = graph.add(
        "MUL", [graph.add("CAST", [label], (1, count), np.float32), graph.constant(np.float32(tail.span))], (1, count), np.float32
    )
    moved = graph.add("ADD", [near, graph.reshape(region, (1, count, 1))], (1, count, 4), np.float32)
    limits = [graph.constant(value) for value in (np.int32(tail.rows), np.float32(tail.iou), np.float32(tail.above))]
    index, valid = graph.add_all(
        "NON_MAX_SUPPRESSION_V4",
        [graph.reshape(moved, (count, 4)), graph.reshape(score, (count,)), *limits],
        [((tail.rows,), np.int32), ((), np.int32)],
    )
    inside = graph.add("LESS", [graph.constant(np.arange(tail.rows, dtype=np.int32)), valid], (tail.rows,), np.bool_)
    outputs = []
    for spec, source, mask in zip(
        tail.specs, (boxes, score, label), ((1, tail.rows, 1), (1, tail.rows), (1, tail.rows)), strict=False
    ):
        kind = np.dtype(spec.dtype).type
        taken = graph.add("GATHER", [source, index], spec.shape, kind)
        nothing = graph.constant(np.zeros((), kind))
        outputs.append(graph.add("SELECT_V2", [graph.reshape(inside, mask), taken, nothing], spec.shape, kind, spec.name))
    outputs.append(graph.reshape(valid, (1,), "count"))
    graph.finish([spec.name for spec in tail.specs], outputs)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


# Operators by name: their table of options in the schema, and values in it that are not the defaults.
_OPTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ARG_MAX": ("ArgMaxOptions", {"outputType": 2}),
    "REDUCE_MAX": ("ReducerOptions", {}),
    "MINIMUM": ("MaximumMinimumOptions", {}),
    "MAXIMUM": ("MaximumMinimumOptions", {}),
    "MUL": ("MulOptions", {}),
    "ADD": ("AddOptions", {}),
    "CAST": ("CastOptions", {"inDataType": 2, "outDataType": 0}),
    "RESHAPE": ("ReshapeOptions", {}),
    "NON_MAX_SUPPRESSION_V4": ("NonMaxSuppressionV4Options", {}),
    "LESS": ("LessOptions", {}),
    "GATHER": ("GatherOptions", {"axis": 1}),
    "SELECT_V2": ("SelectV2Options", {}),
    "SLICE": ("SliceOptions", {}),
    "CONCATENATION": ("ConcatenationOptions", {"axis": 2}),
}
# The operator gives a box without an area again and again, because it does not overlap itself
# (tensorflow/lite/kernels/internal/reference/non_max_suppression.h).
THIN = 0.125
# Types of tensors in the schema.
_TYPES: Mapping[type, int] = {np.float32: 0, np.int32: 2, np.bool_: 6}
_OLD_CODES = 127  # operators up to this one are also in a field of one byte, which old interpreters read


class _Graph:
    """The only subgraph of a model, to which operators are appended; tensors are given by their indices."""

    def __init__(self, model: Any) -> None:
        self.model, self.graph = model, model.subgraphs[0]
        self.signature = model.signatureDefs[0]

    def output(self, name: str) -> int:
        """The tensor that the signature calls ``name``."""
        return next(int(entry.tensorIndex) for entry in self.signature.outputs if entry.name.decode() == name)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        return tuple(int(size) for size in self.graph.tensors[tensor].shape)

    def constant(self, value: Any) -> int:
        """A constant tensor."""
        from ai_edge_litert import schema_py_generated as schema

        array = np.asarray(value)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self._tensor(array.shape, array.dtype.type, "", len(self.model.buffers) - 1)

    def reshape(self, tensor: int, shape: tuple[int, ...], name: str = "") -> int:
        """The tensor in another shape."""
        kind = next(kind for kind, code in _TYPES.items() if code == self.graph.tensors[tensor].type)
        return self.add("RESHAPE", [tensor, self.constant(np.array(shape, np.int32))], shape, kind, name)

    def thick(self, boxes: int, count: int) -> int:
        """Boxes (1, count, 4) of at least ``THIN`` pixels on each side."""
        low, high = (
            self.add(
                "SLICE",
                [boxes, self.constant(np.array([0, 0, start], np.int32)), self.constant(np.array([1, count, 2], np.int32))],
                (1, count, 2),
                np.float32,
            )
            for start in (0, 2)
        )
        least = self.add("ADD", [low, self.constant(np.float32(THIN))], (1, count, 2), np.float32)
        high = self.add("MAXIMUM", [high, least], (1, count, 2), np.float32)
        return self.add("CONCATENATION", [low, high], (1, count, 4), np.float32)

    def add(self, kind: str, inputs: Sequence[int], shape: tuple[int, ...], dtype: type, name: str = "") -> int:
        """An operator with one output, which is returned."""
        return self.add_all(kind, inputs, [(shape, dtype)], name)[0]

    def add_all(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[tuple[tuple[int, ...], type]], name: str = ""
    ) -> list[int]:
        """An operator with outputs of these shapes and types, which are returned."""
        from ai_edge_litert import schema_py_generated as schema

        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, kind))
        operator.inputs = [*inputs]
        operator.outputs = [self._tensor(shape, dtype, name, 0) for shape, dtype in outputs]
        table, values = _OPTIONS[kind]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
        operator.builtinOptions = getattr(schema, f"{table}T")()
        for key, value in values.items():
            setattr(operator.builtinOptions, key, value)
        if kind == "RESHAPE":
            operator.builtinOptions.newShape = [*outputs[0][0]]
        self.graph.operators.append(operator)
        return list(operator.outputs)

    def finish(self, names: Sequence[str], outputs: Sequence[int]) -> None:
        """Make ``outputs`` the outputs of the model, with these ``names`` in its signature."""
        from ai_edge_litert import schema_py_generated as schema

        self.graph.outputs = [*outputs]
        self.signature.outputs = []
        for name, tensor in zip(names, outputs, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name.encode(), tensor
            self.signature.outputs.append(entry)

    def _tensor(self, shape: tuple[int, ...], kind: type, name: str, buffer: int) -> int:
        from ai_edge_litert import schema_py_generated as schema

        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer, tensor.hasRank = [*shape], _TYPES[kind], buffer, True
        tensor.name = (name or f"n{len(self.graph.tensors)}").encode()
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _code(self, builtin: int) -> int:
        """The index of an operator in the model's list, which gets it where it is missing."""
        from ai_edge_litert import schema_py_generated as schema

        for index, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == builtin and code.version == 1:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, _OLD_CODES)
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1
