"""Kills exports, trainings, compressions and recordings at random moments and counts what is lost or half-written.

    python -m tests.kills.run --count 100 --seed 1 --json FILE        make kills

Each trial forks a child that does the work, kills it with SIGKILL after a random share of the time that the work takes, and checks the
folder: a file under its final name is whole and either the old or the new one, and the work can go on. Exit code 0 if nothing is
lost, else 1. ``--keep`` leaves the folders of failed trials.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click
from tqdm import tqdm

from edgecnn.benchmarks.figures.figure import record
from edgecnn.benchmarks.figures.target import TargetCheck
from tests.kills import works

SLACK = 1.15  # some trials end before the kill: the end of the work is a moment like any other


class Work(Protocol):
    """One kind of work: ``prepare`` fills a folder once, ``do`` works in a copy of it, ``check`` raises for what was lost."""

    def prepare(self, folder: Path) -> None: ...
    def do(self, folder: Path) -> None: ...
    def check(self, folder: Path, whole: Path) -> None: ...


WORKS: dict[str, Work] = {
    "export": works.Export(),
    "train": works.Train(),
    "compress": works.Compress(),
    "record": works.Record(),
}


def in_child(call: Callable[[], Any], kill_after_s: float | None = None) -> int:
    """Run ``call`` in a forked child, killed after a time; its exit status as ``os.waitstatus_to_exitcode`` gives it.

    The parent has imported everything and run nothing, so a trial costs no start of an interpreter.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgrp()
            _be_quiet()
            call()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    if not os.environ.get("KILLS_VERBOSE"):
        os.dup2(nothing, 2)


def trials(name: str, count: int, seed: int, folder: Path, advance: Callable[[], Any]) -> tuple[Counter[str], list[str]]:
    """Kill one kind of work ``count`` times; how the children ended, and what was lost."""
    work, chance = WORKS[name], random.Random(f"{seed}-{name}")
    start, whole = folder / "start", folder / "whole"
    start.mkdir(parents=True)
    if in_child(lambda: work.prepare(start)):
        raise click.ClickException(f"{name}: the work can't be prepared")
    shutil.copytree(start, whole)
    began = time.monotonic()
    if in_child(lambda: work.do(whole)):
        raise click.ClickException(f"{name}: the work fails without a kill")
    length = time.monotonic() - began
    ends: Counter[str] = Counter()
    lost = []
    for number in range(count):
        trial = folder / f"{number:03d}"
        shutil.copytree(start, trial)
        after = chance.uniform(0, length * SLACK)
        code = in_child(lambda trial=trial: work.do(trial), after)
        ends["killed" if code == -signal.SIGKILL else "ended before"] += 1
        if in_child(lambda trial=trial: work.check(trial, whole)):
            lost.append(f"{name} {number}: killed after {after:.3f} of {length:.3f} s")
        else:
            shutil.rmtree(trial)
        advance()
    return ends, lost


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(WORKS)))
@click.option("--count", default=100, show_default=True, help="Kills of each kind of work.")
@click.option("--seed", default=1, show_default=True)
@click.option("--keep", is_flag=True, help="Keep the folders of failed trials.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record the counts.")
@click.option("--add", multiple=True, type=click.Path(path_type=Path), help="Add the counts of this record; several times.")
def command(names: tuple[str, ...], count: int, seed: int, keep: bool, json_path: Path | None, add: tuple[Path, ...]) -> None:
    """Kill NAMES (all by default) at random moments; with --count 0, only add up records."""
    names = names or tuple(WORKS)
    folder = Path(tempfile.mkdtemp(prefix="edgecnn-kills-"))
    runs = [run for path in add for run in json.loads(path.read_text())["runs"]]
    with tqdm(total=count * len(names), unit="kill", mininterval=5, disable=not count) as bar:
        for name in names if count else ():
            ends, losses = trials(name, count, seed, folder / name, bar.update)
            runs.append({"work": name, "seed": seed, "count": count, "ends": ends, "lost": losses})
    for run in runs:
        click.echo(f"{run['work']}, seed {run['seed']}: {', '.join(f'{number} {how}' for how, number in run['ends'].items())}")
    lost = [line for run in runs for line in run["lost"]]
    for line in lost:
        click.echo(f"LOST: {line}")
    total = sum(run["count"] for run in runs)
    figure = TargetCheck.of(f"kills of {total} with something lost or half-written", [len(lost)], 0, at_most=True)
    click.echo("  ".join(figure.cells()))
    if json_path is not None:
        content = {"runs": runs, "figures": [figure.to_json()]}
        record(json_path, "kills", content, module="tests.kills.run")
    if keep and lost:
        click.echo(f"kept {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    command()
