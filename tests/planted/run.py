"""Changes of the code, planted one at a time, each of which some test has to notice.

    python -m tests.planted.run [WORD ...]       all of them, or those whose name contains one of the words

Each is made in a copy of the tree, where the named tests then have to fail. Exit code 1 where a change goes unnoticed or its text is
no longer in the file; such a line of the tables is to be corrected with the code.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.planted import decoding, devices, export, measuring, outputs, running, training
from tests.planted.change import Change

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("edgecnn", "runtime", "export", "devices", "benchmarks", "tests", "examples", "docs")
FILES = ("pyproject.toml", "README.md", "Makefile", "LICENSE")
TIMEOUT_S = 300
CHANGES = tuple(
    change for table in (decoding, devices, export, training, running, outputs, measuring) for change in table.CHANGES
)


def copy_of_the_tree(folder: Path) -> Path:
    """The tree without history and results; the links inside the package stay links."""
    skipped = shutil.ignore_patterns("__pycache__", "*.pyc", "results")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skipped)
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def fails(tests: str, folder: Path) -> bool:
    """Whether one of the tests fails in this copy; raises ``ValueError`` where they could not be run."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(tests)]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True  # such as a thread that waits for ever
    if done.returncode not in (0, 1):
        raise ValueError(f"pytest {tests}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.returncode != 0


def verdict(change: Change, folder: Path, green: set[str]) -> str:
    """ "caught", "MISSED", or why the line of the table is wrong; ``green`` are tests that pass without a change."""
    file = folder / change.file
    if not file.is_file():
        return f"NO FILE {change.file}"
    text = file.read_text()
    if text.count(change.old) != 1:
        return f"TEXT FOUND {text.count(change.old)} TIMES in {change.file}"
    if change.tests not in green:
        if fails(change.tests, folder):
            return f"FAILS WITHOUT THE CHANGE: {change.tests}"
        green.add(change.tests)
    file.write_text(text.replace(change.old, change.new))
    try:
        return "caught" if fails(change.tests, folder) else "MISSED"
    finally:
        file.write_text(text)


def main() -> int:
    words = sys.argv[1:]
    chosen = [change for change in CHANGES if not words or any(word in change.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="edgecnn-planted-") as folder:
        copy = copy_of_the_tree(Path(folder))
        found, green = list[str](), set[str]()
        for change in chosen:
            found.append(verdict(change, copy, green))
            print(f"{found[-1]:>8}  {change.name}", flush=True)
    caught = found.count("caught")
    print(f"{caught} of {len(found)} planted changes caught")
    return 0 if caught == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
