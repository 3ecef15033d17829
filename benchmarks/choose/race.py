"""A race of candidates: a short time for all, then more for those that may still win.

``Trials`` is the world, so that the race can be tested with a made-up clock. Rounds are interleaved: in one turn each candidate that
is still in the race is timed once, and two candidates are compared by their ratios within turns, because a shared machine is
slower in one minute than in the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Protocol

from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate
from edgecnn.benchmarks.compare.interval import RatioInterval
from edgecnn.benchmarks.compare.signed_rank import signed_rank_interval
from edgecnn.benchmarks.measure.process import OutOfTimeError
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.types import Latency, nearest_rank

CONFIDENCE: Final = 0.99  # of each interval: candidates are compared many times
# Factor by which a candidate must be slower in each of so few turns to be dropped; from eight on its interval decides.
MARGINS: Final = {1: 2.0, 2: 1.5, 3: 1.3, 4: 1.2, 5: 1.15, 6: 1.12, 7: 1.1}
ALIKE: Final = 1.02  # candidates whose times differ by less are equally fast
NEAR: Final = 2.0  # how much slower a candidate may be that is tried with fewer threads, which suffer less from other work
MOST_NEAR: Final = 6
SURE: Final = 1.03  # the race ends when no other candidate can be faster by more
SCREENED, CERTAIN = (
    4,
    10,
)  # turns before the first candidate is judged, and before each further one: timing is quicker than judging
LEAST_TURNS, MOST_TURNS = 8, 24  # in the final
NOT_MEASURED: Final = "not measured, as the time of --max-minutes was over"
SHORT_S, LONG_S = 0.1, 0.25  # seconds of one candidate in one turn, while screening and in the final


class Trials(Protocol):
    """What a race asks of the world."""

    def load(self, candidate: RunCandidate) -> None:
        """Load and warm up a candidate.

        Raises ``EdgeCnnError`` where it can't be run, or may not; ``InputError`` ends the race; ``OutOfTimeError`` when ``over``.
        """
        ...

    def time(self, candidate: RunCandidate, seconds: float) -> Sequence[float]:
        """Milliseconds of some runs that take about ``seconds``; raises what ``load`` raises."""
        ...

    def judge(self, variant: EngineVariant) -> str:
        """Why a variant is not exact enough, "" where it is; measured at the first call."""
        ...

    def now(self) -> float:
        """Seconds since the start of the choice."""
        ...

    def over(self) -> bool:
        """Whether nothing more can be measured."""
        ...


@dataclass(slots=True)
class Racer:
    """A candidate with its rounds by turn in milliseconds; ``out``: why it can't be chosen, "" while it can; ``fix``: what mends it."""

    candidate: RunCandidate
    rounds: dict[int, tuple[float, ...]] = field(default_factory=dict)
    out: str = ""
    fix: str = ""

    @property
    def latency(self) -> Latency:
        """All samples."""
        return Latency(tuple(chain.from_iterable(self.rounds.values())))

    @property
    def estimate_ms(self) -> float:
        """The median of the medians of its rounds; infinite without one."""
        return self.estimate_in(self.rounds)

    def estimate_in(self, turns: Iterable[int]) -> float:
        """The same of some of its rounds."""
        medians = [nearest_rank(self.rounds[turn], 50) for turn in turns]
        return nearest_rank(medians, 50) if medians else math.inf


def log_ratios(other: Racer, leader: Racer) -> list[float]:
    """Logarithms of the times of ``other`` over those of ``leader``, by the turns in which both were timed."""
    turns = other.rounds.keys() & leader.rounds.keys()
    return [math.log(nearest_rank(other.rounds[turn], 50) / nearest_rank(leader.rounds[turn], 50)) for turn in sorted(turns)]


def ratio(other: Racer, leader: Racer) -> RatioInterval:
    """The time of ``other`` over that of ``leader``; after few turns the interval is the range of the ratios with a margin."""
    logs = log_ratios(other, leader)
    if not logs:
        return RatioInterval(other.estimate_ms / leader.estimate_ms, 0.0, math.inf)
    found = signed_rank_interval(logs, CONFIDENCE)
    if found is not None:
        return RatioInterval.of_logs(*found)
    margin = MARGINS[len(logs)]
    return RatioInterval(math.exp(nearest_rank(logs, 50)), math.exp(min(logs)) / margin, math.exp(max(logs)) * margin)


def clearly_slower(other: Racer, leader: Racer) -> bool:
    """Whether ``other`` is slower beyond doubt, by more than what counts as alike."""
    if other.rounds.keys() & leader.rounds.keys():
        found = ratio(other, leader)
        return found.low > 1 and found.value > ALIKE
    return other.estimate_ms > MARGINS[1] * leader.estimate_ms


def by_speed(entries: Iterable[Racer]) -> list[Racer]:
    """The entries, the fastest first: by the turns that all of them were timed in, where there are any."""
    found = list(entries)
    common = set.intersection(*(set(entry.rounds) for entry in found)) if found else set()
    return sorted(found, key=lambda entry: entry.estimate_in(common) if common else entry.estimate_ms)


def fastest(entries: Iterable[Racer]) -> Racer | None:
    """The fastest of the entries; None of none."""
    return next(iter(by_speed(entries)), None)


class Race:
    """Finds the fastest candidates that are exact enough; ``entries`` are all candidates, in the order in which they entered."""

    def __init__(self, trials: Trials, seconds: float, progress: Progress = no_progress) -> None:
        self.entries: list[Racer] = []
        self._trials, self._seconds, self._progress = trials, seconds, progress
        self._judged: dict[EngineVariant, str] = {}
        self._turn = 0

    def run(self, variants: Iterable[EngineVariant], threads: Sequence[int]) -> list[Racer]:
        """Race all variants with the first number of ``threads``, then the best ones with the others, too.

        Returns the candidates that are as fast as the fastest as far as can be told, fastest first; [] where none can be chosen.
        ``variants`` may yield more of a variant once it was entered. Raises what ``Trials.judge`` raises.
        """
        for variant in variants:
            self._enter(RunCandidate(variant, threads[0]))
        self._turn += 1
        while self._judge_next():
            pass
        self._try_threads(threads[1:])
        while self._judge_next():
            pass
        return self._final([entry for entry in self._contenders() if self._judged.get(entry.candidate.variant) == ""])

    def compare(self, entries: Sequence[Racer]) -> None:
        """Time candidates together a few more times, so that they can be compared with each other."""
        for _ in range(SCREENED if len(entries) > 1 else 0):
            self._time([entry for entry in entries if not entry.out or entry.rounds], LONG_S)

    def usable(self) -> list[Racer]:
        """The candidates that ran and were not found inexact."""
        return [entry for entry in self.entries if entry.rounds and not entry.out]

    def second(self, chosen: Racer, tries: int = 3) -> Racer | None:
        """The fastest candidate of another variant than ``chosen`` that is exact enough; None without one.

        So many are judged at most, and none when the time is over.
        """
        for _ in range(tries):
            others = [entry for entry in self.usable() if entry.candidate.variant != chosen.candidate.variant]
            if self._trials.now() > self._seconds:
                others = [entry for entry in others if entry.candidate.variant in self._judged]
            best = min(others, key=lambda entry: ratio(entry, chosen).value, default=None)
            if best is None or self._is_exact(best.candidate):
                return best
        return None

    def _enter(self, candidate: RunCandidate) -> None:
        """Load a candidate and time it in the current turn; one that can't be loaded is out, and so is one for which no time is left."""
        entry = Racer(candidate)
        self.entries.append(entry)
        if self._trials.now() > self._seconds and any(other.rounds for other in self.entries):
            entry.out = NOT_MEASURED
            return
        self._progress(f"loading {_name(candidate)}")
        self._sample(entry, SHORT_S, load=True)

    def _sample(self, entry: Racer, seconds: float, *, load: bool = False) -> None:
        """Time a candidate in the current turn; one that fails is out, unless the input is to blame, which is that of all."""
        try:
            if load:
                self._trials.load(entry.candidate)
            entry.rounds[self._turn] = tuple(self._trials.time(entry.candidate, seconds))
        except InputError:
            raise
        except OutOfTimeError:
            entry.out = entry.out if entry.rounds else NOT_MEASURED
        except EdgeCnnError as error:
            entry.out, entry.fix = error.problem, error.fix

    def _contenders(self) -> list[Racer]:
        """Usable entries that are not clearly slower than the fastest one known to be exact enough, or than any where none is known."""
        usable = [entry for entry in self.entries if not entry.out]
        leader = fastest(entry for entry in usable if self._judged.get(entry.candidate.variant) == "") or fastest(usable)
        return [entry for entry in usable if leader and not clearly_slower(entry, leader)]

    def _judge_next(self) -> bool:
        """Judge the fastest variant that may win and was not judged yet; False where there is none, or the time is over.

        Slow candidates are timed again, and judged, only where the faster ones are not exact enough.
        """
        found = "" in self._judged.values()
        if found and self._trials.now() > self._seconds:
            return False
        contenders = self._catch_up(self._contenders(), CERTAIN if found else SCREENED)
        entry = fastest(one for one in contenders if one.candidate.variant not in self._judged)
        if entry is None:
            return False
        self._is_exact(entry.candidate)
        return True

    def _is_exact(self, candidate: RunCandidate) -> bool:
        """Judge the variant of a candidate, once; all of its candidates are out where it is not exact enough."""
        variant = candidate.variant
        if variant not in self._judged:
            self._progress(f"accuracy of {_name(candidate)}")
            self._judged[variant] = self._trials.judge(variant)
        for one in self.entries:
            if one.candidate.variant == variant:
                one.out = one.out or self._judged[variant]
        return not self._judged[variant]

    def _catch_up(self, entries: list[Racer], turns: int) -> list[Racer]:
        """Time ``entries`` until each has so many rounds, or all are judged; returns those that are still in."""
        while (
            any(entry.candidate.variant not in self._judged for entry in entries)
            and min(len(one.rounds) for one in entries) < turns
            and not self._trials.over()
        ):
            self._time(entries, SHORT_S)
            entries = _still_in(entries)
        return entries

    def _try_threads(self, threads: Sequence[int]) -> None:
        """Enter the variants that are not far behind with other numbers of threads, in one turn with themselves."""
        leader = fastest(self._contenders())
        if leader is None or not threads:
            return
        behind = sorted((entry for entry in self.usable() if entry is not leader), key=lambda entry: ratio(entry, leader).value)
        near = [leader, *(entry for entry in behind if ratio(entry, leader).value <= NEAR)][:MOST_NEAR]
        self._time(near, SHORT_S)
        self._turn -= 1
        for entry in near:
            for count in threads:
                self._enter(RunCandidate(entry.candidate.variant, count))
        self._turn += 1

    def _final(self, finalists: list[Racer]) -> list[Racer]:
        """Time the finalists until nothing more can be gained, dropping those that are clearly slower."""
        for turn in range(MOST_TURNS):
            hurried = self._trials.now() > self._seconds
            if self._trials.over() or (turn >= LEAST_TURNS and (hurried or _settled(finalists))):
                break
            self._time(finalists, LONG_S)
            finalists = _still_in(finalists)
        return by_speed(finalists)

    def _time(self, entries: Sequence[Racer], seconds: float) -> None:
        """One turn of ``entries``, forwards and backwards alternately, so that none always follows the same other one."""
        for number, entry in enumerate(entries if self._turn % 2 == 0 else reversed(entries), 1):
            if self._trials.over():
                break
            self._progress(f"turn {self._turn + 1}, {number} of {len(entries)}: {_name(entry.candidate)}")
            self._sample(entry, seconds)
        self._turn += 1


def _still_in(entries: list[Racer]) -> list[Racer]:
    usable = [entry for entry in entries if not entry.out]
    leader = fastest(usable)
    return [entry for entry in usable if entry is leader or (leader and not clearly_slower(entry, leader))]


def _settled(finalists: Sequence[Racer]) -> bool:
    """Whether no finalist can be faster than the leader by more than SURE."""
    leader = fastest(finalists)
    return all(ratio(entry, leader).low > 1 / SURE for entry in finalists if leader and entry is not leader)


def _name(candidate: RunCandidate) -> str:
    count = candidate.threads
    return f"{candidate.variant.path.name} in {candidate.variant.engine}, {count} thread{'s' if count > 1 else ''}"
