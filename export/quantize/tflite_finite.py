"""TFLite int8 without infinite ranges: max-pools are padded with the smallest code, other operators on infinite values stay in float."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.types import Array

# The converter writes a padded max-pool as PADV2 with minus infinity, then a max-pool without padding.
PAD = "PADV2"
HUGE = 1e30  # converters also write the largest float32 for infinity


def finite(program: bytes, ends: dict[str, dict[str, Array]]) -> tuple[bytes, dict[str, dict[str, Array]], list[str]]:
    """The program with finite pads, the range of each tensor for it, and names of operators to keep in float.

    ``ends`` are the measured ranges in the quantizer's format. A pad of minus infinity becomes the minimum of the padded tensor's range,
    the smallest int8 code, which never exceeds a value in a window of a max-pool. Operators that read or make another tensor with an
    infinite range, such as a mask before a softmax, can't be int8.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    if all(_is_finite(value) for value in ends.values()):
        return program, ends, []
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(program))
    found, changed = dict(ends), False
    free: list[str] = []
    for graph in model.subgraphs:
        names = [tensor.name.decode() for tensor in graph.tensors]
        for operator in graph.operators:
            if flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) == PAD:
                changed = _pad(model, graph, operator, names, found) or changed
        for operator in graph.operators:
            around = [names[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
            if not all(_is_finite(found[name]) for name in around if name in found):
                free += [names[index] for index in operator.outputs]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if changed else program, found, free


def _pad(model: Any, graph: Any, operator: Any, names: list[str], ends: dict[str, dict[str, Array]]) -> bool:
    """Give a PADV2 of minus infinity a finite value and its result the range of its input; returns whether it was one."""
    source, _, value = operator.inputs
    buffer = model.buffers[graph.tensors[value].buffer]
    if buffer.data is None or names[source] not in ends:
        return False
    if not (np.frombuffer(bytes(buffer.data), np.float32) < -HUGE).all():
        return False
    low = min(float(np.min(ends[names[source]]["min"])), 0.0)  # a range always includes 0
    buffer.data = np.array([low], np.float32).view(np.uint8)
    ends[names[operator.outputs[0]]] = {key: np.array(end, np.float32) for key, end in ends[names[source]].items()}
    if names[value] in ends:
        ends[names[value]] = {key: np.array(low, np.float32) for key in ("min", "max")}
    return True


def _is_finite(ends: dict[str, Array]) -> bool:
    return all(bool((np.abs(np.asarray(end, np.float64)) < HUGE).all()) for end in ends.values())
