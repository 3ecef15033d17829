"""`--choose` against trying everything by hand: is it the same choice, or one within 3 % of its latency, in under three minutes?

``python -m edgecnn.benchmarks.figures.choose --model cups DIR DATASET --model NAME DIR DATASET ... --json FILE``

DIR holds the exported files of one model. By hand, every file in every engine, precision and number of threads is measured with the
full protocol in interleaved rounds, and the accuracy of every file in every engine on the images that ``--choose`` used; the best one
is the fastest of those that lose at most a point for certain, by the same paired intervals as the choice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.choose.accuracy import spread
from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate, exactness
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.inputs import Inputs
from edgecnn.benchmarks.choose.judgement import LossJudgement, VariantAccuracy
from edgecnn.benchmarks.choose.report import to_text
from edgecnn.benchmarks.choose.run import Choice, measure_choice
from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, ProgressLine
from edgecnn.benchmarks.measure.protocol import FULL, QUICK, Protocol
from edgecnn.benchmarks.measure.record import ClockRecord
from edgecnn.benchmarks.measure.rounds import measure_clock
from edgecnn.benchmarks.measure.statistics import speedup
from edgecnn.columns import align_columns
from edgecnn.devices import environment
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.types import nearest_rank

WITHIN, WITHIN_S = 1.03, 180.0


@dataclass(frozen=True, slots=True)
class HandRow:
    """One candidate measured by hand; ``reason``: why it is not exact enough, "" where it is."""

    candidate: RunCandidate
    record: ClockRecord
    accuracy: VariantAccuracy
    reason: str

    @property
    def name(self) -> str:
        """File, engine and threads."""
        return f"{self.candidate.variant.path.name} {self.candidate.variant.engine} {self.candidate.threads}"


def by_hand(config: ChooseConfig, choice: Choice, protocol: Protocol, progress: Progress) -> list[HandRow]:
    """Measure all candidates of a choice, and those with the other numbers of threads, too."""
    options = [option for option in choice.decision.options if option.entry.rounds]
    precisions = {option.candidate.variant: option.precision for option in options}
    candidates = [RunCandidate(variant, threads) for variant in precisions for threads in config.thread_counts]
    images = max(option.accuracy.images for option in options if option.accuracy is not None)
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        inputs = Inputs(config, Path(folder))
        processes = [_loaded(config, one, inputs, stack, progress) for one in candidates]
        records, _ = measure_clock("task", protocol, processes, progress)
        found = dict[EngineVariant, VariantAccuracy]()
        for candidate, process in zip(candidates, processes, strict=True):
            if candidate.variant not in found:
                progress(f"accuracy of {candidate.variant.path.name} in {candidate.variant.engine}")
                found[candidate.variant] = _accuracy(config, process, images, inputs.available)
    times = {one.variant: record.latency.p50 for one, record in zip(candidates, records, strict=True)}
    reference = min(found, key=lambda variant: (exactness(precisions[variant], variant.computes_in), times[variant]))
    for variant, own in found.items():
        equal = exactness(precisions[variant], variant.computes_in) == exactness(precisions[reference], reference.computes_in)
        found[variant] = replace(own, equally_exact=equal).compared_with(found[reference])
    judgement = LossJudgement(Budget(), found[reference])
    return [
        HandRow(one, record, found[one.variant], judgement.reason(found[one.variant]))
        for one, record in zip(candidates, records, strict=True)
    ]


def _loaded(config: ChooseConfig, candidate: RunCandidate, inputs: Inputs, stack: ExitStack, progress: Progress) -> ModelProcess:
    variant = candidate.variant
    progress(f"loading {variant.path.name} in {variant.engine}")
    load = LoadOptions(config.device, candidate.threads, 1, config.options, variant.engine)
    process = stack.enter_context(ModelProcess(variant.path, load))
    inputs.give(process)
    return process


def _accuracy(config: ChooseConfig, process: ModelProcess, images: int, available: int) -> VariantAccuracy:
    assert config.data is not None
    score = process.ask("accuracy", data=spread(config.data, images, available), options=config.options)
    if score is None:
        raise InputError(f"{config.data} has no labels", "name a dataset with labels")
    return VariantAccuracy(score.n, score.metric, score.primary, left_out=score.left_out)


def compared(choice: Choice, rows: Sequence[HandRow]) -> dict[str, Any]:
    """The choice beside the best one by hand; ``times`` is its latency as a multiple of that one, both by hand."""
    best = min((row for row in rows if not row.reason), key=lambda row: row.record.latency.p50)
    chosen = choice.decision.chosen
    own = next((row for row in rows if chosen is not None and row.candidate == chosen.candidate), None)
    if own is None:
        raise InputError("nothing was chosen", "check the files")
    times, low, high = speedup(own.record.rounds, best.record.rounds)
    return {
        "chosen": own.name,
        "best_by_hand": best.name,
        "same": own is best,
        "times": times,
        "times_p10": low,
        "times_p90": high,
        "exact_enough": not own.reason,
        "seconds": round(choice.seconds, 1),
        "reached": times <= WITHIN and not own.reason and choice.seconds < WITHIN_S,
    }


def row_document(row: HandRow) -> dict[str, Any]:
    """One candidate for the record."""
    return {
        "file": row.candidate.variant.path.name,
        "engine": row.candidate.variant.engine,
        "threads": row.candidate.threads,
        "p50_ms": row.record.latency.p50,
        "accuracy": asdict(row.accuracy),
        "not_exact_enough": row.reason,
        "verdict": list(row.record.verdict.reasons),
        "round_p50_ms": [nearest_rank(samples, 50) for samples in row.record.rounds],  # all samples would be 30 MB
    }


@click.command()
@click.option(
    "--model", "models", nargs=3, multiple=True, required=True, metavar="NAME DIR DATASET", help="Repeat for each model."
)
@click.option("--quick", is_flag=True, help="By hand with the quick protocol, for a test.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(models: tuple[tuple[str, str, str], ...], quick: bool, json_path: Path | None) -> None:
    """Compare the choice for each model with the best of all candidates measured by hand."""
    if json_path is not None:
        check_writable(json_path)
    results = []
    with ProgressLine() as status:
        for name, folder, data in models:
            config = ChooseConfig(files=(Path(folder),), data=DatasetSelection(data))
            before = environment().load_average
            choice = measure_choice(config, status, status.above)
            status.above(to_text(choice, config.budget))
            rows = by_hand(config, choice, QUICK if quick else FULL, status)
            found = {"model": name, **compared(choice, rows), "load_average": [before, environment().load_average]}
            results.append({**found, "by_hand": [row_document(row) for row in rows]})
    click.echo(table(results))
    if json_path is not None:
        targets = {"target_times": WITHIN, "target_seconds": WITHIN_S, "protocol": "quick" if quick else "full"}
        figure.record(json_path, "choose", {**targets, "models": results})


def table(results: Sequence[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["model", "chosen", "best by hand", "candidates", "times", "seconds", ""]]
    for one in results:
        numbers = [str(len(one["by_hand"])), f"{one['times']:.3f}", f"{one['seconds']:.0f}"]
        cells.append([one["model"], one["chosen"], one["best_by_hand"], *numbers, "reached" if one["reached"] else "NOT reached"])
    return align_columns(cells, left=3)


if __name__ == "__main__":
    figure.run(command)
