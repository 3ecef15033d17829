"""Model files with changed bytes that an engine still loads: how many give other detections, and how many `selftest` notices.

``python -m edgecnn.benchmarks.figures.changed_weights cups person-face-vehicle net-fp32.tflite net-int8.xml --loaded 300 --json FILE``

Bytes of the files are flipped, overwritten, set to zero or swapped in blocks, at places drawn with a seed, until ``--loaded`` changed
files of each format still load. A changed file is loaded by its engine in another process, which a damaged file may crash, without
the check of the digests, to see what it would have detected; apart from that, ``selftest`` is run on it as a user would.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.columns import align_columns
from edgecnn.errors import BackendError
from edgecnn.files import check_writable
from edgecnn.runtime.backends import file_format
from edgecnn.shipped import artifact

KINDS = ("flip", "overwrite", "zeros", "swap")
BLOCK_BYTES = 4096  # the largest range that is changed
WAIT_S = 120


@dataclass(frozen=True, slots=True)
class WeightChange:
    """One change: its number, its kind, the part of the model (suffix of the file), where and how many bytes."""

    number: int
    kind: str
    part: str
    start: int
    length: int

    def apply(self, content: bytes) -> bytes:
        """The changed bytes of the part."""
        chance, data = random.Random(f"{self.number} {self.start}"), bytearray(content)
        end = self.start + self.length
        if self.kind == "flip":
            data[self.start] ^= 1 << chance.randrange(8)
        elif self.kind == "overwrite":
            data[self.start : end] = chance.randbytes(self.length)
        elif self.kind == "zeros":
            data[self.start : end] = bytes(self.length)
        else:
            other = chance.randrange(0, max(len(data) - self.length, 1))
            data[self.start : end], data[other : other + self.length] = (
                data[other : other + self.length],
                data[self.start : end],
            )
        return bytes(data)


@dataclass(slots=True)
class Outcome:
    """What became of one changed file; ``other_outputs`` and ``other_detections`` are False for a file that does not load."""

    change: WeightChange
    noticed: bool = False
    noticed_by_goldens: bool = False
    loads: bool = False
    crashed: bool = False
    other_outputs: bool = False
    other_detections: bool = False


def changes(parts: dict[str, int], seed: int) -> Iterator[WeightChange]:
    """Endless changes of files of these sizes in bytes, by suffix; a part is drawn by its share of all bytes."""
    chance = random.Random(seed)
    number = 0
    while True:
        kind = KINDS[number % len(KINDS)]
        (part,) = chance.choices(list(parts), list(parts.values()))
        length = 1 if kind == "flip" else min(int(2 ** chance.uniform(2, 12)), BLOCK_BYTES, parts[part] // 4)
        yield WeightChange(number, kind, part, chance.randrange(0, parts[part] - length), length)
        number += 1


class Examiner:
    """The process that examines changed files of one model; it is started again after a crash."""

    def __init__(self, original: Path) -> None:
        self._original = original
        self._process: subprocess.Popen[bytes] | None = None

    def examine(self, path: Path, change: WeightChange) -> Outcome:
        """The outcome for the changed file at ``path``."""
        outcome = Outcome(change)
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(f"{path}\n".encode())
        # "selftest" is told before the engine gets the file without a check, so that a crash does not lose it
        for step in ("selftest", "engine"):
            reply = self._line(process)
            if reply is None:
                outcome.crashed = True
                outcome.noticed = outcome.noticed or step == "selftest"
                self.close()
                break
            for name, value in reply.items():
                setattr(outcome, name, value)
        return outcome

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgecnn.benchmarks.figures.changed_weights_part", str(self._original)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,  # a buffer could hold a reply that the selector then waits for
                env={**os.environ, "EDGECNN_TRIAL_LOAD": "off"},
            )
            if self._line(self._process) is None:
                raise BackendError(f"{self._original} can't be examined", "run edgecnn selftest on it")
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        """The next reply; None where the process ended or hangs."""
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(WAIT_S):
                return None
        line = process.stdout.readline()
        reply: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return reply

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def examine_file(original: Path, seed: int, loaded: int, most: int) -> list[Outcome]:
    """Change the file until ``loaded`` changed ones load, or ``most`` were tried."""
    parts = {file.suffix: file.read_bytes() for file in (original, original.with_suffix(".bin")) if file.exists()}
    if original.suffix != ".xml":
        parts = {original.suffix: parts[original.suffix]}
    outcomes: list[Outcome] = []
    examiner = Examiner(original)
    try:
        with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
            for change in changes({suffix: len(content) for suffix, content in parts.items()}, seed):
                if sum(outcome.loads for outcome in outcomes) >= loaded or len(outcomes) >= most:
                    break
                changed = change.apply(parts[change.part])
                if changed == parts[change.part]:  # zeros where there were zeros
                    continue
                for suffix, content in parts.items():
                    (Path(folder) / f"changed{suffix}").write_bytes(changed if suffix == change.part else content)
                outcomes.append(examiner.examine(Path(folder) / f"changed{original.suffix}", change))
    finally:
        examiner.close()
    click.echo(f"{original.name}: {len(outcomes)} tried", err=True)
    return outcomes


def summary(outcomes: list[Outcome]) -> dict[str, int]:
    """Counts over outcomes; of those that load, unless the name says otherwise."""
    loaded = [outcome for outcome in outcomes if outcome.loads]
    other = [outcome for outcome in loaded if outcome.other_detections]
    return {
        "tried": len(outcomes),
        "noticed_of_tried": sum(outcome.noticed for outcome in outcomes),
        "crashed_the_engine": sum(outcome.crashed for outcome in outcomes),
        "loaded": len(loaded),
        "noticed": sum(outcome.noticed for outcome in loaded),
        "other_outputs": sum(outcome.other_outputs for outcome in loaded),
        "other_detections": len(other),
        "other_detections_noticed": sum(outcome.noticed for outcome in other),
        "other_detections_noticed_by_goldens": sum(outcome.noticed_by_goldens for outcome in other),
    }


def table(found: dict[str, dict[str, int]]) -> str:
    """The counts of each format for a terminal."""
    head = ["", "tried", "crash", "load", "noticed", "other detections", "noticed", "by goldens alone"]
    names = ("tried", "crashed_the_engine", "loaded", "noticed", "other_detections", "other_detections_noticed")
    keys = (*names, "other_detections_noticed_by_goldens")
    rows = [head, *([name, *(str(counts[key]) for key in keys)] for name, counts in found.items())]
    return align_columns(rows, left=1)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--loaded", type=click.IntRange(1), default=300, show_default=True, help="Changed files per format that load.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Files that are examined at the same time.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(files: tuple[Path, ...], loaded: int, seed: int, jobs: int, json_path: Path | None) -> None:
    """Change bytes of the model FILES and count what is noticed."""
    if json_path is not None:
        check_writable(json_path)
    paths = [artifact(file) for file in files]
    formats = [file_format(path) for path in paths]
    shares = [-(-loaded // formats.count(name)) for name in formats]
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda path, share: examine_file(path, seed, share, 20 * share), paths, shares)
        outcomes = {path.name: own for path, own in zip(paths, found, strict=True)}
    by_format = {
        name: summary(
            [outcome for path, own in zip(paths, formats, strict=True) if own == name for outcome in outcomes[path.name]]
        )
        for name in dict.fromkeys(formats)
    }
    click.echo(table(by_format))
    unnoticed = {name: [dataclasses.asdict(one.change) for one in own if not one.noticed] for name, own in outcomes.items()}
    if json_path is not None:
        content = {
            "seed": seed,
            "formats": by_format,
            "files": {name: summary(own) for name, own in outcomes.items()},
            "kinds": {
                kind: summary([one for own in outcomes.values() for one in own if one.change.kind == kind]) for kind in KINDS
            },
            "unnoticed": unnoticed,
        }
        figure.record(json_path, "changed_weights", content)


if __name__ == "__main__":
    figure.run(command)
