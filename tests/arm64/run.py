"""Runs edgecnn's wheel with ONNX Runtime and LiteRT on an emulated Arm processor, and compares with this one.

    python -m tests.arm64.run                         make arm64
    python -m tests.arm64.run OUT/*.onnx OUT/*.tflite --data "cups=scene:cups?seed=9001&count=64" --json FILE
    python -m tests.arm64.run --short --or-skip       what CI runs

Made once in ``build/arm64``: a Debian arm64 root with Python, the engines and this edgecnn. Then: what the probe says there, selftests
of FILES (default: the shipped models), their outputs against those of this machine, tflite-runtime 2.14.0 on the .tflite files, and the
runtime's tests. Exit code 1: a selftest or a test fails there.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.columns import align_columns
from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.preprocess import Preprocessor, to_tensor
from edgecnn.runtime.backends import open_backend
from edgecnn.shipped import FOLDER
from edgecnn.synthetic_inputs import PATTERNS, pattern
from tests.arm64 import guest, root
from tests.arm64.differences import difference
from tests.arm64.emulator import Emulator
from tests.arm64.processors import PROCESSORS

BUILD = root.REPOSITORY / "build" / "arm64"
SHORT = ("bearing.onnx", "cups.onnx")
TESTS = ("tests/runtime/backends", "tests/postprocess", "tests/test_preprocess.py", "tests/test_types.py", "tests/test_card.py")
# A child that loads a file on trial needs longer than its limit under an emulator.
ENVIRONMENT = {"EDGECNN_TRIAL_LOAD": "off", "OMP_NUM_THREADS": "1"}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--cpu", type=click.Choice(list(PROCESSORS)), default="cortex-a72", show_default=True)
@click.option("--data", "data", multiple=True, metavar="WORD=ADDRESS", help="Images for files whose names begin with WORD.")
@click.option("--images", default=16, show_default=True, help="Images for the outputs that are compared.")
@click.option("--short", is_flag=True, help="Two shipped models, synthetic images, no tests.")
@click.option("--tests/--no-tests", "with_tests", default=True, help="Run the runtime's tests there.")
@click.option("--folder", type=click.Path(path_type=Path), default=BUILD, help="Where the root is kept.")
@click.option("--or-skip", is_flag=True, help="Where the root can't be made, say so and succeed.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the record.")
def command(
    files: tuple[Path, ...],
    cpu: str,
    data: tuple[str, ...],
    images: int,
    short: bool,
    with_tests: bool,
    folder: Path,
    or_skip: bool,
    json_path: Path | None,
) -> None:
    """Run FILES (default: the shipped models) and the runtime's tests on an emulated Arm processor."""
    try:
        emulator = root.make(folder, PROCESSORS[cpu], lambda text: click.echo(text, err=True))
    except InputError as error:
        if not or_skip:
            raise
        click.echo(f"arm64: skipped, {error}")
        return
    shipped = sorted(FOLDER.glob("*.onnx"))
    files = files or tuple(path for path in shipped if not short or path.name in SHORT)
    content, failed = compared(emulator, files, dict(word.split("=", 1) for word in data), images)
    tflite = [path for path in files if path.suffix == ".tflite"]
    if tflite:
        content["tflite_runtime"] = tflite_runtime(emulator, tflite)
    if with_tests and not short:
        content["tests"] = run_tests(emulator)
        failed += content["tests"]["exit_code"] != 0
    if json_path is not None:
        figure.record(json_path, "arm64", content, module="tests.arm64.run")
    sys.exit(1 if failed else 0)


def compared(emulator: Emulator, files: Sequence[Path], data: Mapping[str, str], images: int) -> tuple[dict[str, Any], int]:
    """Selftests there and outputs against those here, and how many selftests fail."""
    work = emulator.root / "srv/work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    here: dict[str, tuple[list[str], list[Any], ModelCard | None]] = {}
    job = []
    for path in files:
        shutil.copy(path, work)
        feeds, here[path.name] = _here(path, data, images)
        np.savez(work / f"{path.name}.feeds.npz", **feeds)
        job.append({"file": f"/srv/work/{path.name}", "feeds": f"/srv/work/{path.name}.feeds.npz"})
    document = _guest(emulator, job, "out")
    click.echo(f"{document['arch']}, {document['cpu']} ({', '.join(document['features'])}), {document['versions']}")
    rows, failed = [], 0
    for path, found in zip(files, document["rows"], strict=True):
        names, outputs, card = here[path.name]
        failed += bool(found.get("error") or found.get("violations"))
        if "error" not in found:
            with np.load(work / f"out/{path.name}.npz") as there:
                apart = difference(names, outputs, [there[key] for key in there.files], card)
            rows.append({**found, **dataclasses.asdict(apart), "sha256": sha256_of(path)})
        else:
            rows.append({**found, "sha256": sha256_of(path)})
    click.echo(table(rows))
    return {"emulated": emulator.processor.name, **document, "rows": rows}, failed


def _here(
    path: Path, data: Mapping[str, str], images: int
) -> tuple[dict[str, Any], tuple[list[str], list[Any], ModelCard | None]]:
    """The input tensors of a file, and its outputs on this processor."""
    backend = open_backend(path, threads=1)
    card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path))
    spec = backend.inputs[0]
    address = next((address for word, address in data.items() if path.name.startswith(word)), None)
    if address is None:
        patterns = (pattern(kind, *card.preprocess.size, card.preprocess.channels) for kind in PATTERNS)
        tensors = [to_tensor(picture, card.preprocess, spec) for picture in patterns]
    else:
        samples = open_dataset(address, task=card.task).samples
        chosen = range(0, len(samples), max(len(samples) // images, 1))[:images]
        prepare = Preprocessor(card.preprocess, spec)
        tensors = [prepare(samples[index].read())[0][spec.name].copy() for index in chosen]
    feeds = {spec.name: np.stack(tensors)}
    outputs = guest.outputs(backend, feeds)
    backend.close()
    return feeds, ([each.name for each in backend.outputs], outputs, card)


def _guest(emulator: Emulator, job: Sequence[Mapping[str, str]], out: str, *words: str, path: str = "") -> dict[str, Any]:
    work = emulator.root / "srv/work"
    (work / "job.json").write_text(json.dumps(job))
    environment = {**ENVIRONMENT, **({"PYTHONPATH": path} if path else {})}
    emulator.run(
        ["/usr/bin/python3", "/srv/guest.py", "/srv/work/job.json", f"/srv/work/{out}", *words],
        environment=environment,
        timeout_s=300 * (1 + len(job)),
    )
    document: dict[str, Any] = json.loads((work / out / "results.json").read_text())
    return document


def tflite_runtime(emulator: Emulator, files: Sequence[Path]) -> dict[str, Any]:
    """Selftests with the last tflite-runtime; what it does not load is a result, not a failure."""
    root.add_tflite_runtime(emulator)
    job = [{"file": f"/srv/work/{path.name}", "feeds": ""} for path in files]
    document = _guest(emulator, job, "old", "--tflite-runtime", path=f"/{root.OLD_ENGINE}")
    for row in document["rows"]:
        said = row.get("error") or "; ".join(row["violations"]) or "all goldens agree"
        click.echo(f"tflite-runtime {document['versions']['tflite_runtime']}, {row['file']}: {said}")
    return document


def run_tests(emulator: Emulator) -> dict[str, Any]:
    """The runtime's tests under the emulator."""
    root.copy_tests(emulator)
    started = time.monotonic()
    words = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *TESTS]
    done = emulator.run(words, folder="/srv", environment=ENVIRONMENT, timeout_s=3600, check=False)
    lines = done.stdout.strip().splitlines()
    click.echo("\n".join(line for line in lines if line.startswith(("FAILED", "ERROR"))) or "no test failed")
    click.echo(lines[-1] if lines else "pytest printed nothing")
    return {
        "tests": list(TESTS),
        "exit_code": done.returncode,
        "summary": lines[-1].strip("= ") if lines else "",
        "failed": [line for line in lines if line.startswith(("FAILED", "ERROR"))],
        "seconds": round(time.monotonic() - started),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Selftest and differences of each file."""
    cells = [["file", "selftest", "images", "largest", "mean", "equal bits", "agreement"]]
    for row in rows:
        wrong = row.get("error") or "; ".join(row["violations"])
        numbers = ["-"] * 5
        if "images" in row:
            agree = "-" if row["agreement"] is None else f"{row['agreement']:.2%}"
            numbers = [str(row["images"]), f"{row['largest']:.1e}", f"{row['mean']:.1e}", f"{row['equal']:.1%}", agree]
        cells.append([row["file"], wrong or "ok", *numbers])
    return align_columns(cells, left=2)


if __name__ == "__main__":
    figure.run(command)
