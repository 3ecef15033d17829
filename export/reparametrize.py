"""Fuses the parallel branches of a training form (RepVGG, MobileOne, ...) where a network offers it and its outputs stay the same."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from edgecnn.export.inference_check import all_same, flatten
from edgecnn.export.quiet import quiet

# What the authors of such networks and timm call it. A method may change its module or return another one.
METHODS = ("switch_to_deploy", "reparameterize", "fuse", "fuse_repvgg_block")


def fused(model: nn.Module, *shapes: Sequence[int]) -> nn.Module:
    """A copy of ``model`` with fused branches, or ``model`` itself where it has none or its outputs would change.

    ``shapes`` are those of the inputs, for most models one of (1, C, H, W). The model is as exact as before, but quicker, and rounds
    better to 8 bits.
    """
    if not any(_method(module) for module in model.modules()):
        return model
    inputs = [torch.rand(tuple(shape), generator=torch.Generator().manual_seed(0)) for shape in shapes]
    try:
        with quiet(), torch.no_grad():
            result = copy.deepcopy(model)
            result = _fuse(result)
            return result if all_same(flatten(model(*inputs)), flatten(result.eval()(*inputs))) else model
    except Exception:  # a method of that name with another purpose
        return model


def _fuse(module: nn.Module) -> nn.Module:
    """The module after its own method, which knows its children, or with fused children."""
    method = _method(module)
    if method is not None:
        found = method()
        module = found if isinstance(found, nn.Module) else module
    for name, child in list(module.named_children()):
        after = _fuse(child)
        if after is not child:
            setattr(module, name, after)
    return module


def _method(module: nn.Module) -> Any:
    """The method that fuses the module, or None; one with arguments has another purpose."""
    for name in METHODS:
        method = getattr(module, name, None)
        if inspect.ismethod(method) and not _required(method):
            return method
    return None


def _required(method: Any) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return any(one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)
