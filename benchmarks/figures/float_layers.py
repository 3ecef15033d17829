"""Layers left in float to meet a budget: the search by sensitivity against a greedy search by latency alone.

``python -m edgecnn.benchmarks.figures.float_layers package.module:factory --task classify --input 1x3x224x224 --labels FILE
--calibration ADDRESS --max-drop 2 --json FILE``

The greedy search leaves first in float what costs least time: one layer after the other, in the order of the latency that a file with only
this layer in float has, until the budget is met.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click_option_group import optgroup

from edgecnn.benchmarks.figures import figure
from edgecnn.cli.source_options import model_source, source_options
from edgecnn.columns import align_columns
from edgecnn.errors import InputError
from edgecnn.export.budget.fit import NONE, Attempt, BudgetSearch
from edgecnn.export.budget.latency import latencies_ms
from edgecnn.export.budget.methods import Candidates, Method
from edgecnn.export.budget.search import Keep, fewest
from edgecnn.export.budget.trial import Judge, size_of
from edgecnn.export.exporter import evidence_of
from edgecnn.export.image_selection import select_images
from edgecnn.export.prepared import prepare
from edgecnn.export.source import load_model
from edgecnn.files import check_writable

SAME_TURN = 12  # files that are measured in turns at once: more would take too much memory


@dataclass(frozen=True, slots=True)
class Way:
    """One order of the layers: how many of them it leaves in float, and the file that results; None where no number is enough."""

    name: str
    kept: int | None
    drop: float | None = None
    latency_ms: float | None = None
    size_bytes: int | None = None

    def cells(self) -> list[str]:
        """The row of the table."""
        numbers = (self.kept, self.drop, self.latency_ms, None if self.size_bytes is None else self.size_bytes / 1e6)
        return [self.name, *("-" if one is None else f"{one:.2f}" if isinstance(one, float) else str(one) for one in numbers)]


@click.command()
@click.argument("model")
@optgroup.group("Budget")
@optgroup.option(
    "--calibration", required=True, metavar="ADDRESS", help="Images that set the ranges, and others of it that verify."
)
@optgroup.option("--calibration-count", "count", type=click.IntRange(1), default=64, show_default=True)
@optgroup.option("--verify-count", type=click.IntRange(1), default=64, show_default=True)
@optgroup.option("--max-drop", type=click.FloatRange(0), required=True, help="Points of agreement that may be lost.")
@optgroup.option("--format", "file_format", type=click.Choice(["onnx", "tflite", "openvino"]), default="onnx", show_default=True)
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
@source_options
def command(
    model: str,
    calibration: str,
    count: int,
    verify_count: int,
    max_drop: float,
    file_format: str,
    json_path: Path | None,
    **values: Any,
) -> None:
    """Compare both searches for MODEL, what `edgecnn export` takes."""
    options = model_source(values)
    if json_path is not None:
        check_writable(json_path)
    network, card = load_model(model, options)
    chosen = select_images(card, calibration, count, 0, None, verify_count, force=True)
    assert chosen.calibration is not None
    prepared = prepare(network, card)
    evidence = evidence_of(prepared, chosen.real, chosen.source)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        judge = Judge(file_format, prepared.card, evidence, None, Path(folder))
        fit = BudgetSearch(
            Candidates(prepared, file_format, chosen.calibration.feeds(prepared.card)), judge, max_drop, click.echo
        )
        ways = compare(fit)
    click.echo("\n" + table(ways))
    if json_path is not None:
        content = {"model": card.name, "format": file_format, "budget_points": max_drop, "images": len(chosen.real)}
        figure.record(json_path, "float_layers", {**content, "ways": [dataclasses.asdict(way) for way in ways]})


def compare(fit: BudgetSearch) -> list[Way]:
    """Both searches with minimum and maximum as ranges and no other method, so that only the order of the layers differs."""
    method = Method("min-max")
    names = [layer.name for layer in fit.measured().layers]

    def passes(keep: Keep) -> bool:
        return attempt(fit, method, keep).outcome.within(fit.budget)

    if passes(NONE):
        raise InputError("int8 is within the budget without any layer in float", "lower --max-drop")
    found = {
        "by sensitivity": fewest(passes, fit.measured().order(), len(names)),
        "greedy by latency": shortest_prefix(passes, by_latency(fit, method, names)),
    }
    files = {"fp32": fit.judge.write(fit.candidates.prepared.program(fit.judge.format), "fp32", "fp32")}
    kept: dict[str, Keep] = {"int8": NONE} | {name: keep for name, keep in found.items() if keep is not None}
    for number, (name, keep) in enumerate(kept.items()):
        files[name] = fit.judge.write(fit.program(attempt(fit, method, keep)), f"way{number}")
    times = dict(zip(files, latencies_ms(list(files.values())), strict=True))
    ways = [Way("fp32", len(names), None, times["fp32"], size_of(files["fp32"]))]
    for name in ("int8", *found):
        if name not in kept:
            ways.append(Way(name, None))
            continue
        drop = attempt(fit, method, kept[name]).outcome.drop
        ways.append(Way(name, len(kept[name]), drop, times[name], size_of(files[name])))
    return ways


def attempt(fit: BudgetSearch, method: Method, keep: Keep) -> Attempt:
    """The measured file with the layers ``keep`` in float."""
    found = fit.attempt(method, keep)
    assert found is not None
    return found


def shortest_prefix(passes: Callable[[Keep], bool], order: Sequence[str]) -> Keep | None:
    """The shortest beginning of ``order`` that passes, by halving; None where the whole does not pass."""
    if not passes(frozenset(order)):
        return None
    too_few, enough = 0, len(order)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if passes(frozenset(order[:middle])):
            enough = middle
        else:
            too_few = middle
    return frozenset(order[:enough])


def by_latency(fit: BudgetSearch, method: Method, names: Sequence[str]) -> list[str]:
    """The layers, those first that cost least time in float."""
    plain = fit.judge.write(fit.program(attempt(fit, method, NONE)), "plain")
    costs: dict[str, float] = {}
    for start in range(0, len(names), SAME_TURN):
        group = names[start : start + SAME_TURN]
        click.echo(f"latency of layers {start + 1} to {start + len(group)} of {len(names)} in float")
        files = [
            fit.judge.write(fit.candidates.program(method, fit.plan(frozenset([name]))), f"one{place}")
            for place, name in enumerate(group)
        ]
        reference, *times = latencies_ms([plain, *files])
        costs |= {name: time / reference for name, time in zip(group, times, strict=True)}
    return sorted(names, key=costs.__getitem__)


def table(ways: Sequence[Way]) -> str:
    """The ways for a terminal."""
    return align_columns(
        [["", "layers in float", "points lost", "latency ms", "size MB"], *(way.cells() for way in ways)], left=1
    )


if __name__ == "__main__":
    figure.run(command)
