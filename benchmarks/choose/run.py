"""A whole choice: race, accuracy, decision; kept for this device, and used again as long as nothing changes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecnn.benchmarks.choose.accuracy import Accuracies
from edgecnn.benchmarks.choose.candidates import EngineVariant, further_precisions, model_paths, variants_of
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.decision import Decision, Option, best_of, decide
from edgecnn.benchmarks.choose.inputs import Inputs, check_cards
from edgecnn.benchmarks.choose.race import ALIKE, NOT_MEASURED, Race, Racer, ratio
from edgecnn.benchmarks.choose.trials import Processes, RealTrials
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import display_names, file_size
from edgecnn.benchmarks.measure.verdict import disturbance_reasons
from edgecnn.devices import DeviceProfile, probe
from edgecnn.devices.counters import between, read_counters
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.backends.engines import OPENED_BY

TIMING: Final = 0.55  # of the limit of time: then no further candidate is tried or timed, and accuracy has the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A decision with what it was made of: ``inputs`` that were timed, ``seconds`` it took, files that were not tried.

    ``noise``: reasons why the times may be wrong, such as other programs that took much of the processors.
    """

    decision: Decision
    device: DeviceProfile
    paths: tuple[Path, ...]
    inputs: str
    labelled: bool
    seconds: float
    untried: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()


def measure_choice(config: ChooseConfig, progress: Progress = no_progress, report: Callable[[str], None] = no_progress) -> Choice:
    """Try the candidates of ``config`` and decide; ``progress`` gets one short line at each step, ``report`` lines on the dataset.

    Raises ``InputError`` where there is no candidate, for files of different models and data that do not fit, and what loading the
    only file raises.
    """
    paths, device = model_paths(config.files), probe()
    for path in paths:
        require_signature(path, config.require_signature)
    check_cards(paths, compared=config.data is not None)
    first = [variant for path in paths for variant in variants_of(path, config.engine)]
    untried = config.not_exported + tuple(
        f"{path.name}: {_why_untried(path, config.engine)}" for path in paths if not variants_of(path, config.engine)
    )
    if not first:
        raise InputError(f"nothing can be tried: {untried[0]}", "install an engine, or name another file")
    before = read_counters()
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder, Processes(config) as processes:
        inputs = Inputs(config, Path(folder), report)
        accuracies = Accuracies(config, processes, inputs, lambda: race.entries)
        trials = RealTrials(processes, inputs, config.budget, accuracies)
        race = Race(trials, TIMING * 60 * config.max_minutes, progress)
        finalists = race.run(_variants(first, processes, device, config.engine), config.thread_counts)
        _complete(race, finalists, lambda: _options(race, processes, accuracies))
        options = _options(race, processes, accuracies)
        decision = decide(options, finalists, config.budget, accuracies.judgement)
        seconds = trials.now()
    _check_any(decision, config.max_minutes)
    return Choice(
        decision=decision,
        device=device,
        paths=paths,
        inputs=inputs.description,
        labelled=inputs.labelled,
        seconds=seconds,
        untried=untried,
        # the candidates' processes have ended, so that their time counts as that of this one
        noise=tuple(reason for reason, holds in disturbance_reasons(between(before, read_counters())).items() if holds),
    )


def _why_untried(path: Path, engine: str | None) -> str:
    names = OPENED_BY[file_format(path)]
    return f"{engine} does not open it" if engine is not None else f"{' or '.join(names)} is not installed"


def _variants(
    first: Sequence[EngineVariant], processes: Processes, device: DeviceProfile, engine: str | None
) -> Iterator[EngineVariant]:
    """All variants; those with another precision follow once the file was loaded, which tells its own."""
    for variant in first:
        yield variant
        if variant in processes.precisions and engine is None:
            yield from further_precisions(variant, processes.precisions[variant], device)


def _complete(race: Race, finalists: Sequence[Racer], options: Callable[[], Sequence[Option]]) -> None:
    """Find the second, and time it and the best file of each precision with the fastest finalists: the report compares them."""
    if not finalists:
        return
    first, second = finalists[0], race.second(finalists[0])
    alike = [entry for entry in finalists if ratio(entry, first).value <= ALIKE]
    best = [best_of(options(), precision) for precision in ("fp32", "int8")]
    compared = [*alike, second, *(option.entry for option in best if option is not None)]
    race.compare(list({id(entry): entry for entry in compared if entry is not None}.values()))


def _options(race: Race, processes: Processes, accuracies: Accuracies) -> tuple[Option, ...]:
    paths = list(dict.fromkeys(entry.candidate.variant.path for entry in race.entries))
    names = dict(zip(paths, display_names(paths), strict=True))
    return tuple(
        Option(
            name=names[entry.candidate.variant.path],
            entry=entry,
            precision=processes.precisions.get(entry.candidate.variant, ""),
            memory_bytes=processes.peaks.get(entry.candidate, 0),
            size_bytes=file_size(entry.candidate.variant.path),
            accuracy=accuracies.found.get(entry.candidate.variant),
        )
        for entry in race.entries
    )


def _check_any(decision: Decision, minutes: float) -> None:
    """Raise ``InputError`` where no candidate could be run at all, or none could be measured in time."""
    if decision.chosen is None and decision.nearest is None:
        first = decision.options[0].entry
        late = [option.entry for option in decision.options if option.entry.out == NOT_MEASURED]
        if late:
            what = "the accuracy of no candidate" if any(entry.rounds for entry in late) else "no candidate"
            raise InputError(f"{what} could be measured in {minutes:g} minutes", "raise --max-minutes")
        raise InputError(f"no candidate can be run here: {first.out}", first.fix or "name other files of the model")
