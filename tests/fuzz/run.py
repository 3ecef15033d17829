"""Reads damaged inputs of all kinds in worker processes and counts what happens: ``python -m tests.fuzz.run --count 100 --seed 1``.

Right is a result, or one line of ``EdgeCnnError``. Any other exception, a dead worker, more than 10 s of processor time, more than 1 GiB
of memory or a wrong exit code is a failure; its files are kept, with the command that repeats it. A crash inside an inference engine
is right where the helper process of ``edgecnn.runtime.backends.trial_load`` turns it into the line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.figures.figure import record
from tests.fuzz.kinds import KINDS

WALL_S = 60.0  # for an answer; the limit of 10 s is of processor time, since the machine may be busy
FAILURES = Path("build/fuzz")
_INPUT = re.compile(r"/\S*?/input/?")
TOTALS = ("tried", "refused", "read", "failed")


@dataclass
class Count:
    """What happened to the inputs of a kind."""

    kind: str
    tried: int = 0
    refused: int = 0
    read: int = 0
    failed: int = 0
    most_cpu_s: float = 0.0
    most_memory_mib: float = 0.0
    failures: list[str] = field(default_factory=list)


class Worker:
    """One worker process; it is started again after it died."""

    def __init__(self, scratch: Path, **environment: str) -> None:
        self._scratch, self._environment = scratch, environment
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **task: Any) -> dict[str, Any]:
        """The answer of the worker, or {"result": "died"} with how it ended."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], WALL_S)
        line = process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()
        how = f"the process ended with {process.returncode}" if ready else f"no answer within {WALL_S:.0f} s"
        return {"result": "died", "detail": how, "cpu_s": 0.0, "grown_mib": 0.0}

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(self._scratch / "home"), **self._environment}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Fuzzer:
    """Tries inputs and counts; ``kept`` is the folder for those that fail."""

    def __init__(self, scratch: Path, kept: Path) -> None:
        self._folder, self._cache, self._kept = scratch / "input", scratch / "corpus", kept
        self._worker = Worker(scratch, EDGECNN_TRIAL_LOAD="off")
        self._checked = Worker(scratch, EDGECNN_TRIAL_LOAD="on")
        self.counts = {kind: Count(kind) for kind in KINDS}
        self.seeds: list[int] = []
        self.seconds = 0.0

    def __enter__(self) -> Fuzzer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._worker.close()
        self._checked.close()

    def try_seed(self, kind: str, seed: int) -> bool:
        """Try the input of a seed; return whether all was right."""
        return self._count(f"{kind}-{seed}", kind=kind, seed=seed, folder=str(self._folder), cache=str(self._cache))

    def try_folder(self, kind: str, folder: Path) -> bool:
        """Try the files of a folder; they are copied, since the steps write beside them."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(folder, self._folder)
        return self._count(folder.name, kind=kind, folder=str(self._folder))

    def _count(self, name: str, kind: str, **task: Any) -> bool:
        answer = self._worker.ask(kind=kind, **task)
        if answer["result"] in ("died", "failed") and KINDS[kind].engine:
            # what a user gets: the file is loaded in the helper process first
            answer = self._checked.ask(kind=kind, folder=str(self._folder))
        count = self.counts[kind]
        count.tried += 1
        count.most_cpu_s = max(count.most_cpu_s, round(answer["cpu_s"], 2))
        count.most_memory_mib = max(count.most_memory_mib, round(answer["grown_mib"]))
        if answer["result"] in ("read", "refused"):
            setattr(count, answer["result"], getattr(count, answer["result"]) + 1)
            return True
        count.failed += 1
        kept = self._kept / name
        count.failures.append(f"{answer['detail']}\n    again: python -m tests.fuzz.run --kind {kind} --folder {kept}")
        if self._folder.exists() and kept != self._folder:
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(self._folder, kept)
        return False

    def table(self) -> str:
        """The counts as a text table."""
        head = f"{'kind':<12}{'tried':>8}{'refused':>9}{'read':>8}{'failed':>8}{'s':>7}{'MiB':>7}"
        tried = [count for count in self.counts.values() if count.tried]
        lines = [
            f"{c.kind:<12}{c.tried:>8}{c.refused:>9}{c.read:>8}{c.failed:>8}{c.most_cpu_s:>7.1f}{c.most_memory_mib:>7.0f}"
            for c in tried
        ]
        sums = [sum(getattr(count, name) for count in tried) for name in TOTALS]
        return "\n".join([head, *lines, f"{'all':<12}{sums[0]:>8}{sums[1]:>9}{sums[2]:>8}{sums[3]:>8}"])

    def add(self, earlier: dict[str, Any]) -> None:
        """Add the counts of an earlier record."""
        self.seeds += earlier["seeds"]
        self.seconds += earlier["duration_s"]
        for other in earlier["kinds"]:
            count = self.counts[other["kind"]]
            for name in TOTALS:
                setattr(count, name, getattr(count, name) + other[name])
            count.most_cpu_s = max(count.most_cpu_s, other["most_cpu_s"])
            count.most_memory_mib = max(count.most_memory_mib, other["most_memory_mib"])
            count.failures += other["failures"]

    def document(self) -> dict[str, Any]:
        """The counts as plain values."""
        kinds = [asdict(count) for count in self.counts.values() if count.tried]
        for kind in kinds:  # without the folders of this machine
            kind["failures"] = [_INPUT.sub("", failure.partition("\n")[0])[:200] for failure in kind["failures"]]
        totals = {name: sum(kind[name] for kind in kinds) for name in TOTALS}
        return {"seeds": self.seeds, "duration_s": round(self.seconds, 1), **totals, "kinds": kinds}


def rounds(kinds: Sequence[str], seed: int, count: int | None, until: float) -> Iterator[tuple[str, int]]:
    """Kinds and seeds in turns of ten, so that a run that ends early has tried all kinds alike; slow kinds have fewer.

    ``count`` is that of the fast kinds, ``until`` the end in ``time.monotonic`` seconds.
    """
    done = 0
    while (count is None or done < count) and time.monotonic() < until:
        upto = done + 10 if count is None else min(done + 10, count)
        for kind in kinds:
            share = KINDS[kind].share
            for index in range(math.ceil(done * share), math.ceil(upto * share)):
                if time.monotonic() < until:
                    yield kind, seed * 1_000_000 + index
        done = upto


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind; several times")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    parser.add_argument("--count", type=int, help="inputs of each kind")
    parser.add_argument("--hours", type=float, default=0.03, help="the end, whatever the count is")
    parser.add_argument("--folder", type=Path, help="read the files of this folder as an input of the one --kind")
    parser.add_argument("--kept", type=Path, default=FAILURES, help="where the files of failures are kept")
    parser.add_argument("--json", type=Path, help="also record the counts in this file")
    parser.add_argument("--add", type=Path, action="append", default=[], help="add the counts of this record; several times")
    given = parser.parse_args(arguments)
    kinds = given.kind or list(KINDS)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name, Fuzzer(Path(name), given.kept) as fuzzer:
        for file in given.add:
            fuzzer.add(json.loads(file.read_text()))
        if given.folder:
            fuzzer.try_folder(kinds[0], given.folder)
        else:
            for kind, seed in rounds(kinds, given.seed, given.count, started + given.hours * 3600):
                if not fuzzer.try_seed(kind, seed):
                    print(f"{kind} {seed}: {fuzzer.counts[kind].failures[-1]}", flush=True)
        if given.count != 0:
            fuzzer.seeds.append(given.seed)
        fuzzer.seconds += time.monotonic() - started
        seeds = ", ".join(map(str, fuzzer.seeds))
        print(f"{fuzzer.table()}\nseed {seeds}, {fuzzer.seconds:.0f} s", flush=True)
        if given.json:
            record(given.json, "fuzz", fuzzer.document(), module="tests.fuzz.run")
        return int(any(count.failed for count in fuzzer.counts.values()))


if __name__ == "__main__":
    sys.exit(main())
