"""Which file of one record belongs to which file of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.compare.record_file import MeasuredFile, MeasuredRun
from edgecnn.errors import InputError


@dataclass(frozen=True, slots=True)
class Match:
    """A file before and after; ``name`` is what a report calls the two."""

    before: MeasuredFile
    after: MeasuredFile

    @property
    def name(self) -> str:
        """The name of the file, or both names."""
        return self.after.name if self.before.name == self.after.name else f"{self.before.name} -> {self.after.name}"


RULES: Sequence[Callable[[MeasuredFile], object]] = (
    lambda own: (own.name, own.format, own.precision),
    lambda own: own.sha256 or own.name,
    lambda own: (own.model, own.format, own.precision),
    lambda own: own.name,
)


def match_files(before: MeasuredRun, after: MeasuredRun) -> tuple[list[Match], list[str]]:
    """The matched files, in the order of ``after``, and notes on files without a partner.

    Files match by name, format and precision; else by digest; else by model, format and precision; else by name; else where
    each record has one left. Raises ``InputError`` where no file matches, or where files that match are of other input sizes or tasks.
    """
    left, right = list(before.files), list(after.files)
    found: list[Match] = []
    for rule in RULES:
        for own in list(right):
            partners = [other for other in left if rule(other) == rule(own)]
            if len(partners) == 1:
                found.append(Match(partners[0], own))
                left.remove(partners[0])
                right.remove(own)
    if len(left) == len(right) == 1:
        found.append(Match(left.pop(), right.pop()))
    if not found:
        raise InputError(
            f"{before.name} and {after.name} have no file in common: {_names(before.files)}, and {_names(after.files)}",
            "measure files of the same names",
        )
    for match in found:
        _check(match)
    notes = [f"only in {run.name}: {_names(rest)}" for run, rest in ((before, left), (after, right)) if rest]
    return sorted(found, key=lambda match: after.files.index(match.after)), notes


def _check(match: Match) -> None:
    a, b = match.before, match.after
    if a.task != b.task:
        raise InputError(f"{match.name} is a model to {a.task} and a model to {b.task}", "compare models of one task")
    if a.input_size != b.input_size:
        sizes = " and ".join("x".join(map(str, own.input_size)) for own in (a, b))
        raise InputError(f"{match.name} has inputs of {sizes}", "compare models of one input size")


def _names(files: Sequence[MeasuredFile]) -> str:
    return ", ".join(own.name for own in files)
