"""`edgecnn selftest`: run the goldens inside a model file on this device."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edgecnn.cli.options import ModelFile, device_options


@click.command()
@click.argument("file", type=ModelFile())
@device_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, device: Any, threads: int | None, as_json: bool) -> None:
    """Run the goldens (stored test inputs) of FILE on this device and compare the outputs with those of PyTorch.

    \b
    edgecnn selftest cups
    edgecnn selftest model-int8.tflite --threads 1 --json

    Exit code 1: the outputs differ, because this engine computes the model wrongly on this device, or because the file is damaged.
    """
    from edgecnn.errors import ParityError
    from edgecnn.parity import table
    from edgecnn.runtime.model.selftest import selftest_file

    card, rows = selftest_file(file, device, threads=threads)
    violations = [f"{row.kind}: {violation}" for row in rows for violation in row.violations]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        verdict = "" if violations else "\nAll goldens agree with PyTorch."
        click.echo(f"{file.name}: {card.name}, {card.precision}\n{table(rows, card.task)}{verdict}")
    if violations:
        raise ParityError(
            f"{file.name} differs from PyTorch on this device: {'; '.join(violations)}",
            "try another format or engine version, or copy the file again",
        )
