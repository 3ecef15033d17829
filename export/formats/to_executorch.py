"""ExecuTorch: a .pte program for XNNPACK in fp32, or in int8 with the XNNPACK quantizer; fp16 is not offered."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgecnn.card import Precision
from edgecnn.errors import InputError
from edgecnn.export.config import NO_HALF
from edgecnn.export.graph import Deployable
from edgecnn.export.quantize.qat_ranges import TrainedRanges
from edgecnn.export.tensor_graph import TensorGraph
from edgecnn.types import Tensors

SUFFIX = ".pte"


def convert(graph: Deployable | TensorGraph, *inputs: Any) -> Any:
    """The ``ExportedProgram`` of a graph, which ``save`` lowers to XNNPACK."""
    import torch

    with torch.no_grad():
        return torch.export.export(graph, inputs)


def lower(program: Any, precision: Precision, feeds: list[Tensors]) -> Any:
    """The same model in another precision; ``feeds`` set the ranges of int8. Raises ``InputError`` for fp16."""
    if precision == "fp16":
        raise InputError(NO_HALF, "leave out fp16")
    return _int8(program, feeds) if precision == "int8" else program


def lower_trained(program: Any, trained_ranges: TrainedRanges) -> Any:
    """Not offered: the ranges that a training learnt belong to another graph."""
    del program, trained_ranges
    raise InputError("a network trained for int8 can't be exported to ExecuTorch", "export it to ONNX, TFLite or OpenVINO")


def save(program: Any, path: Path) -> None:
    """Lower ``program`` to XNNPACK and write it; operators that XNNPACK does not have run in ExecuTorch's portable kernels."""
    with _without_warnings():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        path.write_bytes(lowered.to_executorch().buffer)


def _int8(program: Any, feeds: list[Tensors]) -> Any:
    """Static int8: weights per channel and symmetric, activations asymmetric, as XNNPACK computes them."""
    with _without_warnings():
        import torch
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        with torch.no_grad():
            observed = prepare_pt2e(_own_weights(program.module()), quantizer)
            samples = [tuple(torch.from_numpy(array) for array in feed.values()) for feed in feeds]
            for inputs in samples:
                observed(*inputs)
            return torch.export.export(convert_pt2e(observed), samples[0])


def _own_weights(module: Any) -> Any:
    """The same ``GraphModule`` with weights of its own for each operator.

    The quantizer handles only the first reader of a shared weight; XNNPACK refuses the others, whose inputs alone are quantized.
    """
    for node in [node for node in module.graph.nodes if node.op == "get_attr"]:
        weight = _attribute(module, node.target)
        for index, user in enumerate([*node.users][1:]):
            name = f"{node.target.replace('.', '_')}_{index + 2}"
            setattr(module, name, weight)
            with module.graph.inserting_before(user):
                own = module.graph.get_attr(name)
            own.meta = dict(node.meta)
            user.replace_input_with(node, own)
    module.recompile()
    return module


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


@contextmanager
def _without_warnings() -> Iterator[None]:
    """ExecuTorch warns of its own experimental and deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
