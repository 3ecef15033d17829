"""A benchmark through SSH against the same one without it, alternated; and one whose connection is cut again and again.

``python -m edgecnn.benchmarks.figures.remote MODEL --host USER@127.0.0.1[:PORT] --json FILE``

The board is this machine behind its own SSH server, so both runs have the same processor. Each round runs `edgecnn benchmark` once here
and once through the connection, in alternating order, with the same Python, file and options; compared are the medians of the model
clock. The last run goes through a relay that cuts the connection while the measurement runs: its record has to be complete, and no
process may be left on the board.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.relay import SlowLink
from edgecnn.errors import BackendError
from edgecnn.files import check_writable
from edgecnn.remote.address import BoardAddress, parse_address
from edgecnn.remote.board import RemoteBoard
from edgecnn.remote.link import SSH

TARGET_RATIO, USUAL_SSH_PORT = 1.03, 22
LEFT: Final = """
for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$file" 2>/dev/null; echo; done |
grep -E 'agent-[0-9a-f]+\\.pyz|edgecnn benchmark' | grep -v grep
"""


@click.command()
@click.argument("model", type=click.Path(path_type=Path, exists=True))
@click.option("--host", required=True, help="This machine, through its SSH server.")
@click.option("--rounds", type=click.IntRange(1), default=21, show_default=True, help="Pairs of runs.")
@click.option("--cuts", type=click.IntRange(0), default=10, show_default=True, help="Cuts in the last run.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(model: Path, host: str, rounds: int, cuts: int, json_path: Path | None) -> None:
    """Compare edgecnn benchmark of MODEL through SSH with a run without it."""
    if json_path is not None:
        check_writable(json_path)
    address = parse_address(host)
    pairs = measure(model, address, rounds)
    cut = run_with_cuts(model, address, cuts)
    found = summary(pairs)
    click.echo(
        f"remote / local, model clock p50: {found['ratio']:.4f} (median of ratios {found['median_of_ratios']:.4f}), at most 1.03"
    )
    click.echo(
        f"{cut['cuts']} cuts: {cut['samples']} of {cut['samples_expected']} samples, {len(cut['left_running'])} processes left"
    )
    if json_path is not None:
        values = [{"local_p50_ms": here, "remote_p50_ms": there} for here, there in pairs]
        figure.record(json_path, "remote", {**found, "pairs": values, "cut": cut})


def measure(model: Path, address: BoardAddress, rounds: int) -> list[tuple[float, float]]:
    """The p50 of the model clock in milliseconds, here and through the connection, by round; one round before is not counted."""
    found = []
    for number in range(rounds + 1):
        first, second = ((), ("--host", str(address))) if number % 2 else (("--host", str(address)), ())
        times = {bool(words): p50(benchmark(model, *words)) for words in (first, second)}
        if number:
            found.append((times[False], times[True]))
        click.echo(f"\r{number}/{rounds}", err=True, nl=number == rounds)
    return found


def benchmark(model: Path, *words: str, protocol: tuple[str, ...] = ("--quick",)) -> dict[str, Any]:
    """The record of one `edgecnn benchmark`; raises ``BackendError`` where it fails."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder, "record.json")
        options = [*protocol, "--clock", "model", "--threads", "1", "--json", str(path)]
        there = ["--remote-python", sys.executable] if words else []
        command = [sys.executable, "-m", "edgecnn", "benchmark", str(model), *options, *words, *there]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackendError(f"the benchmark failed: {done.stderr.strip()}", "run it manually")
        record: dict[str, Any] = json.loads(path.read_text())
        return record


def p50(record: dict[str, Any]) -> float:
    """Milliseconds."""
    return float(record["files"][0]["clocks"]["model"]["p50_ms"])


def run_with_cuts(model: Path, address: BoardAddress, cuts: int) -> dict[str, Any]:
    """One run through a relay that is cut ``cuts`` times while it measures; what arrived, and what is left running."""
    port = address.port or USUAL_SSH_PORT
    link = SlowLink(port, host=address.host)
    # the host key is that of the board, not of the relay
    alias = address.host if port == USUAL_SSH_PORT else f"[{address.host}]:{port}"
    os.environ[SSH] = f"{os.environ.get(SSH, 'ssh')} -o HostKeyAlias={alias}"
    near = f"{address.user}@{link.address}" if address.user else link.address
    with RemoteBoard(parse_address(near)) as board:
        jobs = Path(board.root) / "jobs"
        cutting = threading.Thread(target=_cut, args=(link, jobs, cuts), daemon=True)
        cutting.start()
        record = benchmark(model, "--host", near, protocol=())  # the full one, which lasts longer than ten cuts
        time.sleep(1)
        left = board.persist(lambda: board.link.run("exec sh -s", LEFT.encode())).stdout.decode().strip().splitlines()
        jobs_left = [path.name for path in jobs.iterdir()] if jobs.is_dir() else []
    made = link.cuts
    link.close()
    clock = record["files"][0]["clocks"]["model"]
    return {
        "cuts": made,
        "samples": len(clock["samples_ms"]),
        "samples_expected": record["protocol"]["runs"],
        "left_running": left,
        "jobs_left": jobs_left,
    }


def _cut(link: SlowLink, jobs: Path, times: int) -> None:
    """Cut each new connection a moment after it stands, while a benchmark runs there."""
    known = link.accepted
    for _ in range(times):
        while link.accepted <= known or not any(jobs.glob("benchmark-*/stdout")):
            time.sleep(0.02)
        known = link.accepted
        time.sleep(0.1)
        link.cut()


def summary(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """The ratio of the medians, and the median of the ratios."""
    here, there = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratios = [far / near for near, far in pairs]
    return {
        "ratio": there / here,
        "median_of_ratios": statistics.median(ratios),
        "local_p50_ms": here,
        "remote_p50_ms": there,
        "target": {"ratio": TARGET_RATIO},
    }


if __name__ == "__main__":
    figure.run(command)
