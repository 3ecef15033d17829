"""How long the whole report of a shipped detector takes: `edgecnn check` with every kind of budget, and the page.

``python -m edgecnn.benchmarks.figures.check_time cups --policy benchmarks/figures/policies/cups.toml --json FILE``

From the start of the check to the finished text, page and documents, on the processors that this process may use. The seconds of
processors that it used are told as well: on a busy machine the time says how busy it was.
"""

from __future__ import annotations

from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.cpus import usable_cpus
from edgecnn.files import check_writable, write_file
from edgecnn.shipped import artifact
from edgecnn.trust.gate.junit import to_junit
from edgecnn.trust.gate.page import to_html
from edgecnn.trust.gate.policy_file import read_policy
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.run import CheckConfig, check_file
from edgecnn.trust.gate.text import check_table

REACH_S = 300.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--policy", required=True, type=click.Path(exists=True, path_type=Path), help="The policy.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Keep the page.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(file: Path, policy: Path, html_path: Path | None, json_path: Path | None) -> None:
    """Measure how long the whole report of a model file takes."""
    for path in (html_path, json_path):
        if path is not None:
            check_writable(path)
    started = perf_counter()
    with ProgressLine() as line:
        config = CheckConfig(file=artifact(file), policy=read_policy(policy), pictures=True)
        found = check_file(config, report=line.above, progress=line)
        page, text = to_html(found), check_table(found)
        to_junit(found)
    row = measured(found, perf_counter() - started)
    click.echo(f"{text}\n\n{conclusion(row)}")
    if html_path is not None:
        write_file(html_path, page)
    if json_path is not None:
        figure.record(json_path, "check_time", {"reach_s": REACH_S, **row})


def measured(found: CheckReport, seconds: float) -> dict[str, Any]:
    """The time of the whole and of its parts, with the verdicts."""
    return {
        "file": found.file.name,
        **found.head(),
        "processors": usable_cpus(),
        "processor_seconds": _processor_seconds(),
        "seconds": seconds,
        "parts": {**found.seconds, "loading, reports": seconds - sum(found.seconds.values())},
        "budgets": [one.to_dict() for one in found.verdicts],
    }


def _processor_seconds() -> float:
    """Of this process and those it has started."""
    return sum(found.ru_utime + found.ru_stime for found in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def conclusion(row: dict[str, Any]) -> str:
    """The time against what is to be reached."""
    reached = "reached" if row["seconds"] <= REACH_S else "not reached"
    return (
        f"the whole report of {row['file']} took {row['seconds']:.0f} s on {row['processors']} processors "
        f"({reached}: at most {REACH_S:.0f} s), of which it used {row['processor_seconds']:.0f} s; {len(row['budgets'])} budgets"
    )


if __name__ == "__main__":
    figure.run(command)
