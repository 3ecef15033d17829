"""A process that reads inputs, one per line of standard input, and answers each with one line of JSON.

A line is ``{"kind": ..., "seed": ..., "folder": ...}``: the damaged files are written into the folder and read from there.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutate import Files

MIB = 1 << 20
MOST_MIB, MOST_CPU_S = 1024, 10.0


def base_files(kind: str, cache: Path) -> list[Files]:
    """The undamaged variants of a kind, made once for all workers."""
    from tests.fuzz.kinds import KINDS

    path = cache / f"{kind}.pickle"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        draft = cache / f"{kind}.{os.getpid()}"
        draft.write_bytes(pickle.dumps(list(KINDS[kind].make())))
        draft.replace(path)
    found: list[Files] = pickle.loads(path.read_bytes())  # our own file of a moment ago
    return found


def write_input(kind: str, seed: int, folder: Path, cache: Path) -> None:
    """Write the input of a seed; the same seed gives the same damage."""
    from tests.fuzz.kinds import KINDS

    rng = Random(f"{kind}/{seed}")
    files = KINDS[kind].damage(rng, rng.choice(base_files(kind, cache)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read_input(kind: str, folder: Path) -> dict[str, Any]:
    """Run all steps; "read", "refused" or "failed", with the first failure, processor seconds and growth of memory in MiB."""
    from edgecnn.errors import EdgeCnnError
    from tests.fuzz.entry_points import check_line
    from tests.fuzz.kinds import KINDS

    before, started = memory_mib(reset=True), time.process_time()
    refusals, failure = [], ""
    here = Path.cwd()
    os.chdir(folder)
    try:
        for number, step in enumerate(KINDS[kind].steps(folder)):
            try:
                step()
            except EdgeCnnError as error:
                check_line(error)
                refusals.append(str(error))
            except BaseException as error:
                raise StepError(number) from error
    except BaseException as error:
        failure = _shown(error.__cause__ or error)
    os.chdir(here)
    seconds, grown = time.process_time() - started, memory_mib() - before
    if not failure and seconds > MOST_CPU_S:
        failure = f"took {seconds:.1f} s"
    if not failure and grown > MOST_MIB:
        failure = f"memory grew by {grown:.0f} MiB"
    result = "failed" if failure else "refused" if refusals else "read"
    return {"result": result, "detail": failure or (refusals[0] if refusals else ""), "cpu_s": seconds, "grown_mib": grown}


class StepError(Exception):
    """A step raised what it must not raise."""


def _shown(error: BaseException) -> str:
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__}: {str(error)[:300]} ({' > '.join(places[-5:])})"


def memory_mib(*, reset: bool = False) -> float:
    """The most memory that was resident since the last reset; at a reset, what is resident now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    name = "VmRSS" if reset else "VmHWM"
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def main() -> None:
    import resource

    # the machine is shared: an input that asks for all memory gets a MemoryError
    resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # engines and codecs print what they think of a damaged file
        os.dup2(nowhere, stream)
    for line in sys.stdin:
        task = json.loads(line)
        folder = Path(task["folder"])
        try:
            if "seed" in task:
                write_input(task["kind"], task["seed"], folder, Path(task["cache"]))
            answer = read_input(task["kind"], folder)
        except Exception as error:
            answer = {"result": "failed", "detail": f"the suite itself: {_shown(error)}", "cpu_s": 0.0, "grown_mib": 0.0}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
