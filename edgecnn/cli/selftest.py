"""`edgecnn selftest`: the goldens inside a model file, run again where it stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import DEVICES, ModelFile

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.parity import ParityRow


@click.command()
@click.argument("file", type=ModelFile())
@click.option(
    "--device", type=click.Choice(DEVICES), default="cpu", show_default=True, help="Where to run; auto falls back to cpu."
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads in all.  [default: the engine's choice]")
@click.option("--json", "as_json", is_flag=True, help="Print numbers as JSON instead of a table.")
def command(file: Path, device: Any, threads: int | None, as_json: bool) -> None:
    """Run the goldens inside FILE on this device, and compare with what PyTorch gave for them.

    Exit code 1 means that this engine on this device computes the model wrongly, or that the file was damaged.
    """
    from edgecnn.errors import ParityError
    from edgecnn.runtime.backends import open_backend
    from edgecnn.runtime.model.card_inference import CardOptions, card_for
    from edgecnn.runtime.model.selftest import selftest

    backend = open_backend(file, device, threads=threads)
    try:
        card = card_for(backend, file, CardOptions())
        rows = selftest(backend, card, file)
    finally:
        backend.close()
    click.echo(_json(rows) if as_json else _text(file, card, rows))
    violations = [f"{row.kind}: {violation}" for row in rows for violation in row.violations]
    if violations:
        raise ParityError(
            f"{file.name} to give here what PyTorch gave",
            "; ".join(violations),
            "try another format or engine version, or copy the file again",
        )


def _text(file: Path, card: ModelCard, rows: list[ParityRow]) -> str:
    from edgecnn.parity import table

    verdict = "" if any(row.violations for row in rows) else "\nAll goldens agree with PyTorch."
    return f"{file.name}: {card.name}, {card.precision}\n{table(rows, card.task)}{verdict}"


def _json(rows: list[ParityRow]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=1)
