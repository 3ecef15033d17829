"""TFLite int8 with ranges trained by QAT, passed to ai-edge-quantizer instead of a calibration."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgecnn.export.quantize.qat_ranges import Range, TrainedRanges, propagate
from edgecnn.types import Array

# Kernels that copy values: output scale and zero-point equal those of the input.
PASS_THROUGH = (
    *("RESHAPE", "TRANSPOSE", "MAX_POOL_2D", "PAD", "SLICE", "STRIDED_SLICE", "SQUEEZE", "EXPAND_DIMS", "SPLIT"),
    *("RESIZE_NEAREST_NEIGHBOR", "GATHER", "GATHER_ND"),
)


def ranges(program: bytes, trained_ranges: TrainedRanges) -> tuple[dict[str, dict[str, Array]], list[str]]:
    """Minimum and maximum of tensors by name in the quantizer's format, and the outputs of operators to keep in floating point.

    Operators with an input or output of unknown range stay in floating point.
    Raises ``InputError`` where a trained range matches no tensor of the graph.
    """
    interpreter = open_and_run(program, trained_ranges.image)
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    made = {int(index): details[index]["name"] for operator in operators for index in operator["outputs"]}
    real = {index: name for index, name in made.items() if details[index]["dtype"] is np.float32}
    known = trained_ranges.match({name: interpreter.get_tensor(index) for index, name in real.items()})
    known = propagate(known, _links(operators, made))
    unknown = [operator for operator in operators if _lacks(operator, real, known)]
    free = [made[int(index)] for operator in unknown for index in operator["outputs"]]
    return {name: as_ends(ends) for name, ends in known.items()}, free


def open_and_run(program: bytes, *inputs: Array) -> Any:
    """An interpreter after one run on the inputs in the order of the signature, with all intermediate tensors preserved."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns that keeping all tensors needs memory
        interpreter = Interpreter(
            model_content=program,
            experimental_preserve_all_tensors=True,
            # without XNNPACK: a delegate computes several operators at once and keeps no tensors between them
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    interpreter.allocate_tensors()
    set_inputs(interpreter, *inputs)
    interpreter.invoke()
    return interpreter


def set_inputs(interpreter: Any, *inputs: Array) -> None:
    """Feed inputs by their shapes where those differ, else in the order of the graph."""
    details = interpreter.get_input_details()
    for array in inputs:
        place = next((one for one in details if tuple(one["shape"]) == array.shape), details[0])
        details.remove(place)
        interpreter.set_tensor(place["index"], array)


def _links(operators: list[Any], made: Mapping[int, str]) -> list[tuple[str, str]]:
    return [
        (made[int(source)], made[int(target)])
        for operator in operators
        if operator["op_name"] in PASS_THROUGH
        for source in operator["inputs"]
        for target in operator["outputs"]
        if int(source) in made
    ]


def _lacks(operator: Any, real: Mapping[int, str], known: Mapping[str, Range]) -> bool:
    around = [int(index) for index in (*operator["inputs"], *operator["outputs"])]
    return any(index in real and real[index] not in known for index in around)


def as_ends(ends: Range) -> dict[str, Array]:
    """A range in the quantizer's format; scalars, because it takes an array of one for a value per channel."""
    return {"min": np.array(ends[0], np.float32), "max": np.array(ends[1], np.float32)}
