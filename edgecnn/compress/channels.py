"""Which channels of a network belong together, what each is worth, and how they are taken out."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.models.quantized import Quantized

PADDED = "ConstantPadNd"  # new channels of zeros beside the old ones: the graph can't follow which is which


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that go together: the layer that makes them, what each is worth (n,), and what takes some of them out."""

    name: str
    layer: nn.Module
    worth: Tensor
    take: Any


class Network:
    """The dependency graph of ``model``, which is pruned in place; ``fixed`` are layers whose outputs must stay as they are.

    These are the last layers, whose channels are the answer, and those summed with a shortcut that pads channels. ``example`` is an
    input (1, C, H, W). ``taylor``: rank by the gradients in the parameters instead of by size.
    Raises ``InputError`` for a network that can't be followed.
    """

    def __init__(self, model: nn.Module, example: Tensor, *, taylor: bool = False) -> None:
        try:
            import torch_pruning as tp
        except ModuleNotFoundError as error:
            raise MissingExtraError("torch-pruning", "train") from error
        if isinstance(model, Quantized):
            raise InputError("a float network to prune", "one trained for int8", "prune first, and train for int8 last")
        self._model = model.eval()
        importance = tp.importance.GroupTaylorImportance() if taylor else tp.importance.GroupMagnitudeImportance()
        places = {layer: name for name, layer in model.named_modules()}
        self.groups: list[Group] = []
        fixed: list[str] = []
        with _silent(), torch.enable_grad():
            example = example.to(next(model.parameters()).device)
            self._graph = self._built(tp, example)
            for members in self._graph.get_all_groups():
                layer = members[0].dep.target.module
                if _must_stay(members):
                    fixed.append(places[layer])
                    continue
                worth = importance(members)
                if worth is not None:
                    self.groups.append(Group(places[layer], layer, worth.detach().cpu(), members[0].dep.handler))
        self.fixed = tuple(fixed)
        if not self.groups:
            raise InputError("a network with channels to prune", "none that may go", "prune another network")

    def _built(self, tp: Any, example: Tensor) -> Any:
        states = [(parameter, parameter.requires_grad) for parameter in self._model.parameters()]
        for parameter, _ in states:
            parameter.requires_grad_(True)
        try:
            return tp.DependencyGraph().build_dependency(self._model, example_inputs=example, verbose=False)
        except (RuntimeError, ValueError, AttributeError, IndexError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise InputError("a network whose channels can be followed", said, "prune a network of the registry") from error
        finally:
            for parameter, wanted in states:
                parameter.requires_grad_(wanted)

    def floors(self, keep: float, round_to: int) -> dict[str, int]:
        """The fewest channels of each group: ``keep`` of those it has, as a multiple of ``round_to``."""
        return {group.name: _rounded(keep * len(group.worth), len(group.worth), round_to) for group in self.groups}

    def prune(self, share: float, floors: Mapping[str, int], round_to: int) -> None:
        """Take out the ``share`` 0..1 of all channels that is worth least, but no group below its floor."""
        every = torch.cat([group.worth for group in self.groups]).sort().values
        limit = float(every[min(int(share * len(every)), len(every) - 1)]) if share < 1 else math.inf
        for group in self.groups:
            count = len(group.worth)
            keep = max(_rounded(int((group.worth >= limit).sum()), count, round_to), min(floors[group.name], count))
            if keep < count:
                self._take(group, group.worth.argsort()[: count - keep].tolist())

    def _take(self, group: Group, channels: list[int]) -> None:
        with _silent():
            members = self._graph.get_pruning_group(group.layer, group.take, channels)
            if self._graph.check_pruning_group(members):
                members.prune()


def _rounded(count: float, most: int, round_to: int) -> int:
    """``count`` up to the next multiple of ``round_to``, at least one such multiple, at most ``most``."""
    return min(max(math.ceil(count / round_to), 1) * round_to, most)


def _must_stay(members: Any) -> bool:
    """Whether a group is the answer itself, or runs through padding of channels."""
    return any(_is_end(item.dep.target) or PADDED in str(item.dep.target.name) for item in members) or _is_last(
        members[0].dep.target
    )


def _is_end(node: Any) -> bool:
    return type(node.module).__name__ == "_OutputOp"


def _is_last(node: Any) -> bool:
    """Whether nothing with weights comes after the node."""
    todo, seen = list(node.outputs), set()
    while todo:
        found = todo.pop()
        if isinstance(found.module, nn.Conv2d | nn.Linear):
            return False
        if found not in seen:
            seen.add(found)
            todo += found.outputs
    return True


@contextlib.contextmanager
def _silent() -> Any:
    """torch-pruning prints and warns about operators that it takes for element-wise ones, which those of CNNs are."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
