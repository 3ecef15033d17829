"""Refuses models that are not ready for inference: those that train while they run, and those whose outputs are left to chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule
from torch.utils._python_dispatch import TorchDispatchMode

from edgecnn.errors import InputError

TOLERANCE = 1e-4  # of the range of an output; repeated runs differ by rounding only
BATCH_NORM, DROPOUT = "batch-norm by the batch's own statistics", "dropout"
EVAL = "call model.eval() before torch.export.export, and use no dropout or batch_norm with training=True"
MAKE_FIXED = "remove what is random or trained from the forward pass: dropout, noise, batch_norm with training=True"


def flatten(outputs: Any) -> list[Tensor]:
    """All tensors in a model's output: a tensor, or nested sequences and mappings of tensors."""
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, Mapping):
        outputs = tuple(outputs.values())
    if not isinstance(outputs, tuple | list):
        raise InputError(f"the model returns a {type(outputs).__name__}, not tensors", "wrap it in a module that returns tensors")
    return [tensor for part in outputs for tensor in flatten(part)]


def check_program(program: ExportedProgram, path: object) -> None:
    """Raise ``InputError`` for a program that was traced in training mode, draws random numbers or changes its own buffers."""
    found = Counter(kind for graph in program.graph_module.modules() for kind in _kinds_in(graph))
    if found:
        mode = "was traced in training mode" if {BATCH_NORM, DROPOUT}.intersection(found) else "draws random numbers"
        raise InputError(f"{path} {mode} ({_counted(found)})", EVAL)
    changed = [*program.graph_signature.buffers_to_mutate.values()]
    if changed:
        raise InputError(f"{path} changes its own buffers with each image ({changed[0]}), as in training mode", EVAL)


def check_inference(model: nn.Module, *shapes: Sequence[int]) -> None:
    """Raise ``InputError`` where the output for an image depends on chance, on training or on the other images of a batch.

    ``shapes`` are those of the inputs, for most models one of (1, C, H, W). A model that does not take them is left for the caller
    to report.
    """
    one, partner = (
        [torch.rand(tuple(shape), generator=torch.Generator().manual_seed(seed)) for shape in shapes] for seed in (0, 1)
    )
    batched = all(len(shape) > 1 and shape[0] == 1 for shape in shapes)
    watcher = _Watcher()
    with torch.no_grad():
        try:
            with watcher:
                first = flatten(model(*one))
            second = flatten(model(*one))
        except InputError:
            raise
        except Exception:  # the caller runs it, too, and gives the reason
            return
        if watcher.found:
            raise InputError(f"the model is not fixed even in eval mode: it has {_counted(watcher.found)}", MAKE_FIXED)
        if not all_same(first, second):
            raise InputError("the model gives two outputs for the same image", MAKE_FIXED)
        others: list[list[Tensor]] = []
        with suppress(Exception):  # many models take one image only
            zeros = [torch.zeros_like(tensor) for tensor in partner]
            pairs = [[torch.cat(pair) for pair in zip(one, other, strict=True)] for other in (partner, zeros)] if batched else []
            others = [flatten(model(*pair)) for pair in pairs]
    if others and not all_same(*([value[:1] for value in outputs if value.ndim and len(value) == 2] for outputs in others)):
        raise InputError("the model's output for an image depends on the other images of the batch", MAKE_FIXED)


def all_same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    """Whether two lists of outputs are equal except for rounding."""
    return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))


def same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are equal except for rounding; NaN equals NaN."""
    if first.shape != second.shape:
        return False
    if not first.is_floating_point() or not first.numel():
        return torch.equal(first, second)
    spread = float(first.nan_to_num(0, 0, 0).abs().max())
    return torch.allclose(first, second, rtol=0, atol=TOLERANCE * spread, equal_nan=True)


class _Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operators of a forward pass that an inference must not have."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = _kind(func, args, kwargs or {})
        if kind:
            self.found[kind] += 1
        return func(*args, **(kwargs or {}))


def _kinds_in(graph: nn.Module) -> Iterator[str]:
    nodes = graph.graph.nodes if isinstance(graph, GraphModule) else ()
    for node in nodes:
        kind = _kind(node.target, node.args, node.kwargs) if node.op == "call_function" else ""
        if kind:
            yield kind


def _kind(op: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """What an operator must not do in inference; empty for all others."""
    if not isinstance(op, torch._ops.OpOverload):
        return ""
    name = op._schema.name.partition("::")[2]
    arguments = op._schema.arguments
    given = {one.name: one.default_value for one in arguments if one.has_default_value()}
    given |= dict(zip((one.name for one in arguments), args, strict=False)) | dict(kwargs)
    training = given.get("training", given.get("train"))
    if "batch_norm" in name:
        # without stored statistics it is an instance norm, which is the same in both modes
        return BATCH_NORM if (training or "with_update" in name) and given.get("running_mean") is not None else ""
    # of dropout, attention and recurrent layers
    probability = given.get("dropout_p", given.get("dropout", given.get("p") if "dropout" in name else None))
    if probability is not None:
        return DROPOUT if probability > 0 and training is not False else ""
    if torch.Tag.nondeterministic_seeded in op.tags and training is not False:
        return f"random numbers of {name.strip('_')}"
    return ""


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} x {kind}" for kind, count in sorted(found.items()))
