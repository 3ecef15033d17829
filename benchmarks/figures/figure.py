"""Shared by the commands behind the project's figures: choosing files, one-line errors, a JSON record with its environment."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.measure.record import other_weights
from edgecnn.benchmarks.report.document import json_values, to_json
from edgecnn.card import ModelCard
from edgecnn.devices import environment, probe
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.files import write_file
from edgecnn.runtime.backends import SUFFIXES

PRECISIONS = ("fp32", "fp16", "int8")


def checkpoint(name: str) -> Path:
    """A checkpoint by its path or shipped name; imported on demand, so that other figures run without torch.

    Raises what ``find_checkpoint`` raises.
    """
    found: Path = import_module("edgecnn.models").find_checkpoint(name)
    return found


def artifacts(folder: Path) -> list[Path]:
    """The exported files in ``folder``, by precision and format; raises ``InputError`` where there is none."""
    formats = [suffix for suffix, name in SUFFIXES.items() if name != "torch"]
    if not folder.is_dir():
        raise InputError(f"--artifacts: {folder} does not exist", f"run edgecnn export --out {folder}")
    found = [path for path in folder.iterdir() if path.suffix in formats and path.is_file()]
    if not found:
        raise InputError(f"--artifacts: {folder} holds no {', '.join(formats)} file", f"run edgecnn export --out {folder}")
    return sorted(found, key=lambda path: (_precision_rank(path.stem), formats.index(path.suffix), path.name))


def _precision_rank(stem: str) -> int:
    return next((rank for rank, name in enumerate(PRECISIONS) if stem.endswith(name)), len(PRECISIONS))


def check_weights(name: str, checkpoint: ModelCard, artifact: ModelCard) -> None:
    """Raise ``InputError`` where the file ``name`` was exported from other weights: they can't be compared."""
    if other_weights(checkpoint, artifact):
        raise InputError(f"{name} was exported from other weights than this checkpoint", "export it again")


def record(path: Path, figure: str, content: Mapping[str, Any], *, module: str = "") -> None:
    """Write ``content`` with schema, figure, command, device and environment as JSON; paths are cut to their last part.

    ``module`` is the module that was run, where it is not the figure's own.
    """
    # absolute paths of the measuring machine do not belong in a published record
    words = [Path(word).name if "/" in word and not word.startswith("scene:") else word for word in sys.argv[1:]]
    device = probe()
    head = {
        "schema": "edgecnn.figure",
        "version": 2,  # version 1 had neither schema nor version
        "figure": figure,
        "command": f"python -m {module or f'edgecnn.benchmarks.figures.{figure}'} {' '.join(words)}",
        "device": {**dataclasses.asdict(device), "slug": device.slug},
        "environment": dataclasses.asdict(environment()),
    }
    write_file(path, to_json(json_values({**head, **content})))
    click.echo(f"wrote {path}")


def run(command: click.Command) -> None:
    """Run a click command as a program: an error of edgecnn, a wrong option and an interrupt are one line and exit code 2."""
    try:
        command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("error: the measurement was interrupted, nothing was written; run it again", err=True)
        sys.exit(2)
