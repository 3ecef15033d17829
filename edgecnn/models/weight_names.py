"""Where in a weights file the names of a network are: PREFIX + name, whatever wrappers and dictionaries PREFIX stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

COUNTERS = ("num_batches_tracked", "n_averaged")  # of batch-norm and of AveragedModel; inference uses neither
AVERAGE = {"ema", "swa", "shadow", "averaged", "average", "avg", "polyak"}
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
WHOLE_FILE = "the file itself"


@dataclass(slots=True)
class Candidate:
    """The tensors under one ``prefix``: the full name in the file of each name of the network that is there."""

    prefix: str
    names: dict[str, str] = field(default_factory=dict)

    @property
    def is_average(self) -> bool:
        """Whether the prefix says that these are averages over training steps."""
        words = re.split(r"[^a-z]+", self.prefix.lower())
        return bool(AVERAGE.intersection(words)) or any(word.endswith("ema") for word in words)

    @property
    def key(self) -> str:
        """The prefix as it is written in messages and given by users."""
        return self.prefix.rstrip(".") or WHOLE_FILE


def is_counter(name: str) -> bool:
    """Whether the tensor only counts batches."""
    return name.rpartition(".")[2] in COUNTERS


def find_candidates(stored: Sequence[str], own: Sequence[str]) -> list[Candidate]:
    """All prefixes under which names of ``own`` are in ``stored``, those with the most names first.

    The first parts that all names of ``own`` have ("model.") may be missing in the file.
    """
    return _candidates({name: name for name in stored}, {name: name for name in own})


def find_without_wrappers(stored: Sequence[str], own: Sequence[str]) -> list[Candidate]:
    """As ``find_candidates``, without the parts that wrappers of inner modules add to names: backbone.module.0.weight."""
    plain_stored, plain_own = {_unwrapped(name): name for name in stored}, {_unwrapped(name): name for name in own}
    if len(plain_own) < len(own) or len(plain_stored) < len(stored):
        return []
    return _candidates(plain_stored, plain_own)


def _candidates(stored: Mapping[str, str], own: Mapping[str, str]) -> list[Candidate]:
    found: dict[tuple[str, str], Candidate] = {}
    for missing in _common_starts([name for name in own if not is_counter(name)]):
        short = {name.removeprefix(missing): full for name, full in own.items() if name.startswith(missing)}
        for name, full in stored.items():
            for prefix, rest in _splits(name):
                if rest in short:
                    found.setdefault((missing, prefix), Candidate(prefix)).names[short[rest]] = full
    unique = {tuple(sorted(one.names.values())): one for one in reversed(found.values())}
    return sorted(unique.values(), key=lambda one: (-len(one.names), one.prefix.count("."), one.prefix))


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """("", a.b.c), ("a.", b.c), ("a.b.", c)."""
    yield "", name
    for place in (index + 1 for index, letter in enumerate(name) if letter == "."):
        yield name[:place], name[place:]


def _common_starts(names: Sequence[str]) -> list[str]:
    """Beginnings that all names have: "", "model.", "model.model.", ..."""
    starts = [""]
    while names:
        rest = names[0].removeprefix(starts[-1])
        longer = f"{starts[-1]}{rest.partition('.')[0]}."
        if "." not in rest or not all(name.startswith(longer) for name in names):
            break
        starts.append(longer)
    return starts
