"""A choice as text for the terminal."""

from __future__ import annotations

import math
import shlex
from typing import Final

from edgecnn.benchmarks.choose.budget import PERCENTILE, Budget
from edgecnn.benchmarks.choose.decision import MB, Decision, Option
from edgecnn.benchmarks.choose.judgement import MAY_LOSE
from edgecnn.benchmarks.choose.race import NOT_MEASURED
from edgecnn.benchmarks.choose.run import Choice
from edgecnn.columns import align_columns

COMMAND: Final = "run it: "
OPEN: Final = "a loss that is not certain keeps the more exact file; more images, --max-minutes or --max-drop can decide"


def to_text(choice: Choice, budget: Budget) -> str:
    """The table of all candidates, then the choice with its reasons, or how near the nearest came."""
    decision, device = choice.decision, choice.device
    counts = sorted(
        {one.accuracy.images for one in decision.options if one.accuracy is not None and one.accuracy.value is not None}
    )
    images = (
        f"; accuracy on {' to '.join(f'{count:,}' for count in dict.fromkeys((counts[0], counts[-1])))} images" if counts else ""
    )
    head = f"{device.name}, {device.usable_cpus} processors; {choice.inputs}{images}; {choice.seconds:.0f} s"
    return "\n".join(
        [
            head,
            "",
            _table(decision),
            "",
            *decision_lines(choice),
            *_failures(decision),
            *(f"not tried: {line}" for line in choice.untried),
        ]
    )


def decision_lines(choice: Choice) -> list[str]:
    """The choice, the reasons, the second; or the nearest. Then what speaks against trusting it."""
    noise = [f"NOISY: {'; '.join(choice.noise)}; measure again on a quiet machine"] if choice.noise else []
    few = [OPEN] if any(option.entry.out.startswith(MAY_LOSE) for option in choice.decision.options) else []
    return [*_lines(choice.decision, labelled=choice.labelled), *few, *noise]


def _lines(decision: Decision, *, labelled: bool) -> list[str]:
    chosen = decision.chosen
    if chosen is None:
        assert decision.nearest is not None
        return [
            "nothing keeps to the limits",
            f"nearest: {described(decision.nearest)}",
            *(f"  {reason}" for reason in decision.reasons),
        ]
    lines = [f"choice: {described(chosen)}", *(f"  {reason}" for reason in decision.reasons)]
    if decision.second is not None:
        lines.append(f"second: {described(decision.second)}, {decision.second.times(chosen):.2f} times the time")
    if not labelled:
        lines.append("accuracy was not measured; add --data")
    elif chosen.accuracy is None:
        lines.append("accuracy was not measured in the time of --max-minutes, so the most exact file is kept")
    return [*lines, f"{COMMAND}{command(chosen)}"]


def described(option: Option) -> str:
    """A candidate with its figures in one line."""
    parts = [f"{option.name} in {option.candidate.variant.engine}", _threads(option)]
    if option.entry.rounds:
        parts.append(f"{option.p50_ms:.2f} ms (p{PERCENTILE} {option.limit_ms:.2f})")
    if option.accuracy is not None:
        parts.append(str(option.accuracy))
    parts += [f"{option.memory_bytes / MB:.0f} MB of memory"] if option.memory_bytes else []
    return ", ".join(filter(None, [*parts, f"{option.size_bytes / MB:.2f} MB"]))


def command(option: Option) -> str:
    """The command that runs a candidate as it was measured."""
    variant = option.candidate.variant
    return f"edgecnn run {shlex.quote(str(variant.path))} --engine {variant.engine} --threads {option.candidate.threads}"


def _threads(option: Option) -> str:
    count = option.candidate.threads
    return f"{count} thread{'s' if count > 1 else ''}"


def _failures(decision: Decision) -> list[str]:
    failed = [option for option in decision.options if option.entry.out and not option.entry.rounds]
    late = [option for option in failed if option.entry.out == NOT_MEASURED]
    lines = [
        f"not run: {option.name} in {option.candidate.variant.engine}: {option.entry.out}"
        for option in failed
        if option not in late
    ]
    names = dict.fromkeys(f"{one.name} in {one.candidate.variant.engine}, {_threads(one)}" for one in late)
    return [*lines, f"{NOT_MEASURED}: {'; '.join(names)}"] if late else lines


def _table(decision: Decision) -> str:
    rows = [
        ["file", "engine", "precision", "threads", "p50 ms", f"p{PERCENTILE} ms", "times", "accuracy", "MB memory", "MB file", ""]
    ]
    return align_columns([*rows, *(_row(option, decision) for option in _in_order(decision))], left=3)


def _in_order(decision: Decision) -> list[Option]:
    base = decision.chosen or decision.nearest
    return sorted(decision.options, key=lambda option: (bool(option.entry.out), option.times(base) if base else option.p50_ms))


def _row(option: Option, decision: Decision) -> list[str]:
    timed = math.isfinite(option.p50_ms)
    base = decision.chosen or decision.nearest
    accuracy = str(option.accuracy or "").rpartition(" %")[0].rpartition(" ")[2]
    return [
        option.name,
        option.candidate.variant.engine,
        option.precision,
        str(option.candidate.threads),
        f"{option.p50_ms:.2f}" if timed else "",
        f"{option.limit_ms:.2f}" if timed else "",
        f"{option.times(base):.2f}" if timed and base is not None else "",
        f"{accuracy} %" if accuracy else "",
        f"{option.memory_bytes / MB:.0f}" if option.memory_bytes else "",
        f"{option.size_bytes / MB:.2f}",
        _remark(option, decision),
    ]


def _remark(option: Option, decision: Decision) -> str:
    named = {id(decision.chosen): "chosen", id(decision.second): "second", id(decision.nearest): "nearest"}
    return named.get(id(option), option.entry.out if option.entry.rounds else "not run")
