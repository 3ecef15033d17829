"""Mutation testing with mutmut: how many small changes of the code make a test fail.

    python tests/mutation_run.py [PLACE ...]       all places, or some of them; results in build/mutation/PLACE

mutmut imports what it mutates from its own copy of the tree. There the folders that `edgecnn/` links to (`runtime/`, ...) must be real
folders of the package, else the tests import the unmutated originals: so this script makes such a copy for each place first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutation"
LINKED = ("runtime", "export", "devices", "benchmarks")


@dataclass(frozen=True)
class Place:
    """Files to mutate (patterns of mutmut) and the tests that must notice.

    ``isolated``: each mutant gets a process that has not run an engine yet, because the threads of engines do not survive a fork.
    """

    mutate: tuple[str, ...]
    tests: tuple[str, ...]
    isolated: bool = False


PLACES = {
    "preprocess": Place(("edgecnn/preprocess.py",), ("tests/test_preprocess.py",)),
    "postprocess": Place(("edgecnn/postprocess/*",), ("tests/postprocess",)),
    "metrics": Place(("edgecnn/metrics/*",), ("tests/metrics",)),
    "backends": Place(("edgecnn/runtime/backends/*",), ("tests/runtime/backends",), isolated=True),
    "queue": Place(
        ("edgecnn/runtime/sinks/queue.py",), ("tests/runtime/sinks/test_queue.py", "tests/runtime/sinks/test_queue_bounds.py")
    ),
    "steps": Place(("edgecnn/runtime/steps/*",), ("tests/runtime/steps",)),
}

GENERATE = """
from pathlib import Path
from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants
Path("mutants").mkdir(exist_ok=True)
copy_src_dir()
copy_also_copy_files()
create_mutants(1)
"""
KILLED = (1, 3, -24, 24, 36, 152, 255)  # a test failed, pytest failed, or the tests ran out of time
# Texts for people are checked by reading, not by their every letter.
TEXT_ONLY = (r"\braise ", r"return \w*Error\(", r"^\s*f?\".*\",?$")


def copy_of_the_tree(place: str) -> Path:
    """A fresh copy with the linked folders as real ones, and mutmut's configuration for ``place``."""
    folder = BUILD / place
    shutil.rmtree(folder, ignore_errors=True)
    skipped = shutil.ignore_patterns("__pycache__", "*.pyc", "results", "figures")
    shutil.copytree(ROOT / "edgecnn", folder / "edgecnn", symlinks=False, ignore=skipped)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=skipped)
    for name in LINKED:  # tests name these by their path in the repository
        (folder / name).symlink_to(Path("edgecnn") / name)
    (folder / "pyproject.toml").write_text(_configuration(PLACES[place]))
    return folder


def _configuration(place: Place) -> str:
    text = (ROOT / "pyproject.toml").read_text()
    values = {
        "source_paths": ["edgecnn"],
        "only_mutate": list(place.mutate),
        "do_not_mutate_patterns": list(TEXT_ONLY),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-m", "not slow and not real_data"],
        "pytest_add_cli_args_test_selection": list(place.tests),
        "also_copy": list(LINKED),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    fixed = [
        "use_git_change_detection = false",
        "track_dependencies = false",
        "timeout_multiplier = 3.0",
        f"timeout_constant = {30.0 if place.isolated else 2.0}",
    ]
    if place.isolated:
        fixed += ['process_isolation = "forkserver"', 'forkserver_warmup = "none"']
    return "\n".join([text, "[tool.mutmut]", *lines, *fixed, ""])


def sampled(folder: Path, count: int, seed: int) -> list[str]:
    """Names of ``count`` of the mutants at random, which mutmut makes first; none, for all, where there are fewer."""
    subprocess.run([sys.executable, "-c", GENERATE], cwd=folder, env=_environment(), check=True, stdout=subprocess.DEVNULL)
    names = list(results(folder.name))
    return random.Random(seed).sample(names, count) if count < len(names) else []


def results(place: str) -> dict[str, int | None]:
    """The exit code of the tests by name of the mutant; None where it was not run."""
    codes: dict[str, int | None] = {}
    for file in sorted((BUILD / place / "mutants").rglob("*.meta")):
        codes |= json.loads(file.read_text())["exit_code_by_key"]
    return codes


def report(place: str) -> str:
    """Score and survivors; `mutmut show NAME` in build/mutation/PLACE prints the change of one."""
    codes = {name: code for name, code in results(place).items() if code is not None}
    alive = [name for name, code in codes.items() if code not in KILLED]
    killed = len(codes) - len(alive)
    return "\n".join(
        [f"{place}: {killed} of {len(codes)} killed, {100 * killed / max(len(codes), 1):.1f} %", *(f"  {name}" for name in alive)]
    )


def run(place: str, children: int, sample: int, seed: int) -> None:
    folder = copy_of_the_tree(place)
    names = sampled(folder, sample, seed) if sample else []
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *names]
    subprocess.run(command, cwd=folder, env=_environment(), check=False)


def _environment() -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return own | {"HYPOTHESIS_PROFILE": "mutation"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="*", metavar="PLACE", help=f"of {', '.join(PLACES)}; all if none is given")
    parser.add_argument("--children", type=int, default=2, help="processes at a time")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each place at random; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    arguments = parser.parse_args()
    for place in arguments.places or PLACES:
        run(place, arguments.children, arguments.sample, arguments.seed)
        print(report(place))
    return 0


if __name__ == "__main__":
    sys.exit(main())
