"""Refuses a model that returns NaN or infinite values in PyTorch itself: no file can be compared with those."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from torch import nn

from edgecnn.errors import InputError
from edgecnn.export.verify.probes import Probe
from edgecnn.types import Tensors

FIX = "mend the forward pass (a division by zero, a root or logarithm of a negative number, an overflow), then export again"
FIX_WEIGHTS = "load weights without NaN, or train again with a lower learning rate"


def check_finite(model: nn.Module, probes: Sequence[Probe], outputs: Sequence[Tensors]) -> None:
    """Raise ``InputError`` where one of the raw ``outputs`` of ``model`` for the ``probes`` is not finite: which, and on which inputs."""
    broken = [{name: array for name, array in tensors.items() if not np.isfinite(array).all()} for tensors in outputs]
    if not any(broken):
        return
    names = dict.fromkeys(name for one in broken for name in one)
    has_nan = any(np.isnan(array).any() for one in broken for array in one.values())
    what = "NaN" if has_nan else "infinite values"
    where = f"{'output' if len(names) == 1 else 'outputs'} {', '.join(names)}"
    found = f"the model itself returns {what} in PyTorch: {where}, on {_inputs(probes, broken)}"
    weight = _broken_weight(model)
    if weight:
        raise InputError(f"{found}; its weights are not finite either ({weight})", FIX_WEIGHTS)
    raise InputError(found, FIX)


def _inputs(probes: Sequence[Probe], broken: Sequence[Tensors]) -> str:
    """The inputs with outputs that are not finite: all, or which ones of each kind."""
    if all(broken):
        return f"all {len(probes)} inputs"
    count = Counter(probe.kind for probe in probes)
    hit = Counter(probe.kind for probe, one in zip(probes, broken, strict=True) if one)
    return f"the inputs {', '.join(_kind(kind, many, count[kind]) for kind, many in hit.items())}"


def _kind(kind: str, many: int, count: int) -> str:
    return f'"{kind}"' if count == 1 else f'"{kind}" ({many} of {count})'


def _broken_weight(model: nn.Module) -> str:
    """The first parameter or buffer that is not finite, else ""."""
    tensors = model.state_dict().items()
    return next((name for name, tensor in tensors if tensor.is_floating_point() and not bool(tensor.isfinite().all())), "")
