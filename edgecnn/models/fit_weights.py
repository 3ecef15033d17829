"""Fills a network with the weights in other people's files, whatever is wrapped around them; nothing of it stays random.

Where several sets of weights fit, a moving average over the training is taken; where the choice is open, none is.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.models.misfit import fits, listed, misfit, shown
from edgecnn.models.weight_names import Candidate, find_candidates, find_without_wrappers, is_counter
from edgecnn.models.weights_file import StoredTensor, read_tensors, reason_of

OF_OPTIMIZER = re.compile(r"(^|\.)(optim\w*|exp_avg\w*|momentum|momentum_buffers?|grads?|\w*scheduler\w*)\.")
OF_TRAINING = re.compile(r"(.*_)?(criterion|criteria|loss\w*|metrics?|acc|accuracy)(_.*)?|(train|val|test)_\w+")
BEFORE_AVERAGING = "current_model_state"  # of Lightning's WeightAveraging, whose state_dict is the average
IN_ORDER = "in order"  # stands in names for the indices of a list
LEFT_OUT = 8  # names in a card


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """What was taken from ``file``: dictionary ``key``, names without ``prefix``, and what was not.

    ``beside`` are the keys of other weights that fit, ``left_out`` are tensors that only training uses, ``remarks`` are sentences.
    """

    file: str
    key: str
    prefix: str
    tensors: int
    average: bool
    beside: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain values for the card, without those that are empty."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value}


def load_weights_file(model: nn.Module, path: Path, key: str = "") -> LoadedWeights:
    """Fill ``model`` with the tensors at ``path``; ``key`` names the dictionary to take, such as "ema.module", where several fit.

    Every parameter and stored buffer is replaced, except counters of batches. Raises ``InputError`` where the file can't be read,
    where a tensor is missing, of another shape or left over, and where several different sets of weights fit.
    """
    stored = read_tensors(path)
    if key:
        found = {name: one for name, one in stored.items() if name.startswith(f"{key}.")}
        if not found:
            keys = sorted({".".join(one.group) for one in stored.values()} - {""})
            raise InputError(f"{path} has no weights under the key {key!r}", f"its keys are {listed(keys) or 'none'}")
        stored = found
    return _Fit(model, {name: one for name, one in stored.items() if not OF_OPTIMIZER.search(name)}, path).fill()


class _Fit:
    """One network and the tensors of one file."""

    def __init__(self, model: nn.Module, stored: Mapping[str, StoredTensor], path: Path) -> None:
        self.model, self.path, self.remarks = model, path, list[str]()
        self.own = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
        self.needed = [name for name in self.own if not is_counter(name)]
        trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
        self.parameters = [name for name in self.needed if name in trained]
        self.stored = dict(stored)
        self._name_lists()

    def fill(self) -> LoadedWeights:
        candidates = self._candidates(find_candidates)
        whole = [one for one in candidates if self._has(one, self.needed)]
        if not whole:
            candidates = self._candidates(find_without_wrappers) or candidates
            whole = [one for one in candidates if self._has(one, self.needed)]
        if not whole:
            raise misfit(self.path, self.own, candidates[0] if candidates else Candidate(""), self.stored)
        raw = self._choice(whole)
        chosen = self._with_average(raw, candidates)
        left_out = self._left_over(chosen, whole)
        taken = set(chosen.names.values())
        beside = [one.key for one in whole if not taken.issuperset(one.names[name] for name in self.needed)]
        self._check_finite(chosen)
        self._copy({name: self.stored[full].tensor for name, full in chosen.names.items()})
        key, prefix = self._place(chosen)
        average = chosen.is_average or f"{chosen.prefix.removesuffix('module.')}n_averaged" in self.stored
        return LoadedWeights(self.path.name, key, prefix, len(self.needed), average, tuple(beside), left_out, tuple(self.remarks))

    def _copy(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights, and compare: layers may have hooks that change what is loaded."""
        versioned = OrderedDict(weights)
        # the versions of the layers' state dicts: without them, some layers take the weights for those of an older version
        versioned._metadata = getattr(self.model.state_dict(), "_metadata", None)  # type: ignore[attr-defined]
        try:
            self.model.load_state_dict(versioned, strict=False)  # not strict only for counters: all else is there
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"the model refuses the weights in {self.path}: {reason_of(error)}", "save them with its version"
            ) from error
        after = self.model.state_dict()
        for name in set(self.needed).intersection(weights):
            if not torch.allclose(after[name].cpu(), weights[name].to(after[name].dtype), rtol=0, atol=0, equal_nan=True):
                raise InputError(
                    f"the model changes {name} while it is loaded", "save the weights with this version of the model"
                )

    def _check_finite(self, chosen: Candidate) -> None:
        broken = [name for name in self.parameters if not bool(torch.isfinite(self._tensor(chosen, name)).all())]
        if broken:
            problem = f"{len(broken)} of the weights in {self.path} hold NaN or infinite numbers ({listed(broken)})"
            raise InputError(problem, "take a checkpoint from before the training diverged")

    def _name_lists(self) -> None:
        """Give the tensors of lists the network's names where all shapes fit in its order; lists of averages hold only parameters."""
        lists: dict[tuple[str, ...], list[Tensor]] = {}
        for name, one in self.stored.items():
            if name.rpartition(".")[2].isdigit() and name.count(".") == len(one.group):
                lists.setdefault(one.group, []).append(one.tensor)
        for group, tensors in lists.items():
            for names in (list(self.own), self.needed, self.parameters):
                if len(names) == len(tensors) and all(fits(a, self.own[b]) for a, b in zip(tensors, names, strict=True)):
                    place = (*group, IN_ORDER)
                    self.stored |= {".".join((*place, b)): StoredTensor(a, place) for a, b in zip(tensors, names, strict=True)}
                    for index in range(len(tensors)):
                        del self.stored[".".join((*group, str(index)))]
                    self.remarks.append(f"a list of {len(tensors)} tensors, read in the order of the network's own")
                    break

    def _candidates(self, find: Any) -> list[Candidate]:
        found: list[Candidate] = find(list(self.stored), list(self.own))
        places = {value.data_ptr(): name for name, value in self.own.items() if value.numel()}
        tied = {name: places[value.data_ptr()] for name, value in self.own.items() if value.numel()}
        for one in found:  # of tensors that two layers share, some files hold only one
            held = {tied[name]: full for name, full in one.names.items() if name in tied}
            one.names |= {name: held[tied[name]] for name in self.needed if name not in one.names and tied.get(name) in held}
        return found

    def _has(self, one: Candidate, names: Sequence[str]) -> bool:
        return all(name in one.names and fits(self._tensor(one, name), self.own[name]) for name in names)

    def _tensor(self, one: Candidate, name: str) -> Tensor:
        return self.stored[one.names[name]].tensor

    def _choice(self, whole: Sequence[Candidate]) -> Candidate:
        found = [one for one in whole if one.is_average]
        found = found or [one for one in whole if not one.prefix.startswith(BEFORE_AVERAGING)] or list(whole)
        different = [one for one in found[1:] if not self._equal(one, found[0])]
        if different:
            keys = [one.key for one in (found[0], *different)]
            raise InputError(
                f"{self.path} holds {len(keys)} different sets of weights that fit the model ({listed(keys)})",
                "name the one to take with --weights-key",
            )
        return found[0]

    def _equal(self, one: Candidate, other: Candidate) -> bool:
        return all(torch.equal(self._tensor(one, name), self._tensor(other, name)) for name in self.needed)

    def _with_average(self, chosen: Candidate, candidates: Sequence[Candidate]) -> Candidate:
        """``chosen`` with the parameters of a moving average beside it that holds only parameters, as many do."""
        averages = [] if chosen.is_average else [one for one in candidates if one.is_average]
        for one in averages:
            if self._has(one, self.parameters):
                self.remarks.append(f"batch-norm statistics and other buffers from {chosen.key}")
                return Candidate(one.prefix, {**chosen.names, **one.names})
        if averages:
            self.remarks.append(f"the average in {averages[0].key} is incomplete and was not taken")
        return chosen

    def _left_over(self, chosen: Candidate, whole: Sequence[Candidate]) -> tuple[str, ...]:
        """Tensors beside the taken ones that only training uses; raises ``InputError`` where others of the network are left over."""
        used = {full for one in (chosen, *whole) for full in one.names.values()}
        groups = {self.stored[full].group for full in chosen.names.values()}
        rest = [name for name, one in self.stored.items() if name not in used and one.group in groups and not is_counter(name)]
        inside = {name: name.removeprefix(chosen.prefix) for name in rest if name.startswith(chosen.prefix)}
        for name, short in inside.items():
            is_scalar = "." not in short and not self.stored[name].tensor.ndim  # an epoch, a score
            if not is_scalar and not OF_TRAINING.fullmatch(short.partition(".")[0]):
                raise misfit(self.path, self.own, chosen, {key: self.stored[key] for key in (*used, *inside)})
        return tuple(shown(name, self.stored[name].tensor) for name in rest[:LEFT_OUT])

    def _place(self, chosen: Candidate) -> tuple[str, str]:
        """The key of the dictionary that the tensors are in, and what their names begin with."""
        groups = [self.stored[full].group for full in chosen.names.values()]
        group = ".".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*groups, strict=False)))
        prefix = (
            chosen.prefix
            if not group
            else chosen.prefix.removeprefix(f"{group}.")
            if chosen.prefix.startswith(f"{group}.")
            else ""
        )
        return group.removesuffix(IN_ORDER).rstrip("."), prefix
