"""The decision after a race: one choice that keeps to the budget, the second, or the candidate that came nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.choose.budget import PERCENTILE, Budget
from edgecnn.benchmarks.choose.candidates import RunCandidate, exactness
from edgecnn.benchmarks.choose.judgement import (
    NO_LOSS,
    LossJudgement,
    VariantAccuracy,
    change_words,
    difference,
    loss_words,
    shown,
)
from edgecnn.benchmarks.choose.race import ALIKE, Racer, ratio

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One candidate with what is known of it.

    ``precision``: of the file, ``computes_in``: what the engine was asked for, "" for that of the file. Memory and size in bytes, 0
    where unknown. ``accuracy``: None where it was not measured, because the candidate could not win. ``wrong``: why it can't be run or is
    not exact enough, "" for none; ``entry`` holds its times.
    """

    name: str
    entry: Racer
    precision: str
    memory_bytes: int = 0
    size_bytes: int = 0
    accuracy: VariantAccuracy | None = None

    @property
    def candidate(self) -> RunCandidate:
        """The candidate."""
        return self.entry.candidate

    @property
    def computes_in(self) -> str:
        """The precision that counts: what the engine is asked for, else that of the file."""
        return self.candidate.variant.computes_in or self.precision

    @property
    def exactness(self) -> int:
        """Its place from the most exact precision (0) on."""
        return exactness(self.precision, self.candidate.variant.computes_in)

    @property
    def p50_ms(self) -> float:
        """The median of its rounds, infinite where it was not timed."""
        return self.entry.estimate_ms

    @property
    def limit_ms(self) -> float:
        """The percentile that a budget limits; NaN where it was not timed."""
        return self.entry.latency.percentile(PERCENTILE)

    def times(self, other: Option) -> float:
        """Its time as a multiple of that of ``other``, by the turns that both were timed in; infinite where it was not timed."""
        return ratio(self.entry, other.entry).value if self.entry.rounds and other.entry.rounds else math.inf

    def excesses(self, budget: Budget) -> dict[str, float]:
        """By how much the limits are missed, as a share of each; only those that are missed."""
        pairs = {
            f"latency (p{PERCENTILE}) {self.limit_ms:.2f} ms is above --max-latency": (self.limit_ms, budget.max_latency_ms),
            f"memory {self.memory_bytes / MB:.0f} MB is above --max-memory": (self.memory_bytes, budget.max_memory_bytes),
            f"size {self.size_bytes / MB:.2f} MB is above --max-size": (self.size_bytes, budget.max_size_bytes),
        }
        found = {text: value / limit - 1 for text, (value, limit) in pairs.items() if limit and value > limit}
        value = None if self.accuracy is None else self.accuracy.value
        if self.accuracy is not None and value is not None and budget.min_accuracy and value < budget.min_accuracy:
            text = f"{self.accuracy} is below {shown(budget.min_accuracy, self.accuracy.metric)}"
            found[text] = 1 - value / budget.min_accuracy
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``chosen`` with the ``reasons`` for it, one line each; None with the lines that say how near the ``nearest`` came.

    ``second``: the fastest other file or engine that could have been chosen.
    """

    chosen: Option | None
    second: Option | None = None
    nearest: Option | None = None
    reasons: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()


def decide(options: Sequence[Option], finalists: Sequence[Racer], budget: Budget, judgement: LossJudgement) -> Decision:
    """Choose the most exact of the equally fast ``finalists`` that keep to the budget."""
    by_entry = {id(option.entry): option for option in options}
    found = [by_entry[id(entry)] for entry in finalists]
    fitting = [option for option in found if not option.excesses(budget)]
    if not fitting and budget.min_accuracy is None and budget.max_drop is None:
        return _inexact(options, budget, judgement) or _none(options, budget)
    if not fitting:
        return _none(options, budget)
    alike = [option for option in fitting if option.times(fitting[0]) <= ALIKE]
    chosen = min(alike, key=lambda option: (option.exactness, option.candidate.threads, option.p50_ms))
    second = _second(options, chosen)
    doubt = "" if chosen.accuracy is None else judgement.doubt(chosen.accuracy)
    reasons = [_why(chosen, fitting[0], options, judgement), *_precision_line(chosen, options, judgement), doubt]
    return Decision(chosen=chosen, second=second, reasons=tuple(filter(None, reasons)), options=tuple(options))


def _inexact(options: Sequence[Option], budget: Budget, judgement: LossJudgement) -> Decision | None:
    """The most exact candidate that keeps to the limits of the user, where the default loss can't be kept to; None without one."""
    measured = [option for option in options if option.accuracy is not None and option.entry.rounds]
    kept = [option for option in measured if not option.excesses(budget)]
    if not kept:
        return None
    chosen = min(kept, key=lambda option: (judgement.drop(option.accuracy or VariantAccuracy(0)), option.p50_ms))
    accuracy = chosen.accuracy or VariantAccuracy(0)
    drop = judgement.drop(accuracy)
    loss = loss_words(drop, accuracy.metric)
    link = "and" if drop <= 0 or loss == NO_LOSS else "but"
    text = f"it is the most exact candidate within the limits, {link} {loss}"
    return Decision(chosen=chosen, second=_second(kept, chosen), reasons=(text,), options=tuple(options))


def _none(options: Sequence[Option], budget: Budget) -> Decision:
    """No candidate keeps to the budget: the one whose greatest excess is the smallest."""
    near = [(option, option.excesses(budget)) for option in options]
    near = [(option, excesses) for option, excesses in near if excesses]
    if not near:
        return Decision(chosen=None, options=tuple(options))
    nearest, excesses = min(near, key=lambda one: max(one[1].values()))
    lines = tuple(
        f"{text} by {100 * share:.1f} %" if share < 1 else f"{text}, {1 + share:.1f} times it" for text, share in excesses.items()
    )
    return Decision(chosen=None, nearest=nearest, reasons=lines, options=tuple(options))


def _second(options: Sequence[Option], chosen: Option) -> Option | None:
    variant = chosen.candidate.variant
    others = [one for one in options if one.candidate.variant != variant and not one.entry.out and one.entry.rounds]
    return min(others, key=lambda option: option.times(chosen), default=None)


def _why(chosen: Option, fastest: Option, options: Sequence[Option], judgement: LossJudgement) -> str:
    count = sum(bool(option.entry.rounds) for option in options)
    if chosen is not fastest:
        other = f"{fastest.name} in {fastest.candidate.variant.engine}"
        slower = f"{chosen.times(fastest):.2f} times its time"
        return f"it is as fast as {other} ({slower}), and preferred because it is {_better(chosen, fastest)}"
    limit = ""
    if chosen.accuracy is not None and chosen.accuracy.value is not None:
        least = judgement.budget.min_accuracy
        metric = chosen.accuracy.metric
        limit = (
            f" that reach {shown(least, metric)}"
            if least is not None
            else f" that lose at most {difference(judgement.limit, metric)}"
        )
    return f"it is the fastest of {count} candidates{limit}" if count > 1 else "it is the only candidate"


def _better(chosen: Option, other: Option) -> str:
    if chosen.exactness < other.exactness:
        return f"more exact ({chosen.computes_in} against {other.computes_in})"
    return "content with fewer threads" if chosen.candidate.threads < other.candidate.threads else "slightly faster"


def _precision_line(chosen: Option, options: Sequence[Option], judgement: LossJudgement) -> list[str]:
    """What int8 gains or loses against fp32 on this device."""
    full, small = best_of(options, "fp32"), best_of(options, "int8")
    if full is None or small is None:
        return []
    times = full.times(small)
    if chosen.precision == "int8":
        return [
            f"int8 is {times:.1f} times as fast as fp32 here ({small.p50_ms:.2f} against {full.p50_ms:.2f} ms){_loss(small, judgement)}"
        ]
    if chosen.precision != "fp32":
        return []
    if small.entry.out:
        return [f"keep fp32: the fastest int8 file {small.entry.out}"]
    return [f"keep fp32: int8 is not faster here ({small.p50_ms:.2f} against {full.p50_ms:.2f} ms)"]


def _loss(option: Option, judgement: LossJudgement) -> str:
    accuracy = option.accuracy
    if accuracy is None or accuracy.value is None or judgement.reference.value is None:
        return ""
    if accuracy.change is not None:
        return f" and {change_words(accuracy)}"
    return f" and {loss_words(judgement.drop(accuracy), accuracy.metric)}"


def best_of(options: Sequence[Option], precision: str) -> Option | None:
    """The fastest of the files of a precision; one that can be chosen before one that can't."""
    timed = [option for option in options if option.precision == precision and option.entry.rounds]
    return min(timed, key=lambda option: (bool(option.entry.out), option.p50_ms), default=None)
