"""torch-pruning's dependency graph of a network: which layers have channels in common (Fang et al. 2023, arXiv:2301.12900)."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.errors import InputError, MissingExtraError


def torch_pruning() -> Any:
    """The package; raises ``MissingExtraError`` where it is not installed."""
    try:
        import torch_pruning as tp
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch-pruning", "train") from error
    return tp


def channel_graph(model: nn.Module, example: Tensor) -> Any:
    """The graph of ``model`` for an input (1, C, H, W); its groups are the layers that have channels in common.

    Raises ``InputError`` for a network whose channels can't be traced, ``MissingExtraError`` without torch-pruning.
    """
    tp = torch_pruning()
    # torch-pruning follows the autograd graph, in which frozen parameters do not appear
    states = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    for parameter, _ in states:
        parameter.requires_grad_(True)
    try:
        with silent(), torch.enable_grad():
            return tp.DependencyGraph().build_dependency(model, example_inputs=example, verbose=False)
    except (RuntimeError, ValueError, AttributeError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"the channels of the network can't be traced ({reason})", "prune a built-in network") from error
    finally:
        for parameter, trained in states:
            parameter.requires_grad_(trained)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Silences torch-pruning, which prints and warns about each operator that it assumes to be element-wise; in CNNs they are."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
