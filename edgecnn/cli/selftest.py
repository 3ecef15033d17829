"""`edgecnn selftest`: run the goldens inside a model file on this device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile, device_options
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.integrity.digest import Digests


@click.command()
@click.argument("file", type=ModelFile())
@device_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    file: Path, device: Any, engine: str | None, threads: int | None, require_signature: Path | None, as_json: bool
) -> None:
    """Run the goldens (stored test inputs) of FILE on this device and compare the outputs with those of PyTorch.

    \b
    edgecnn selftest cups
    edgecnn selftest model-int8.tflite --threads 1 --json

    Exit code 1: the outputs differ, because this engine computes the model wrongly on this device. Exit code 2: the file is not the
    one that was exported, by the SHA-256 of graph, weights, card and goldens.
    """
    from edgecnn.errors import ParityError
    from edgecnn.integrity.signature import require_signature as require
    from edgecnn.parity import table
    from edgecnn.runtime.model.engine_record import SATURATES
    from edgecnn.runtime.model.selftest import selftest_file
    from edgecnn.tasks import find

    require(file, require_signature)
    card, result = selftest_file(file, device, threads=threads, engine=engine)
    violations = result.violations
    if as_json:
        click.echo(dump_json(result.to_document(), indent=1))
    else:
        click.echo(f"{file.name}: {card.name}, {card.precision}\n{table(result.rows, find(card.task).compared)}")
        if result.engine is not None:
            click.echo(str(result.engine))
        click.echo(_digest_line(result.digests))
        for warning in result.warnings:
            click.echo(f"warning: {warning}")
        if not violations:
            click.echo(f"All goldens agree with {_source(card)}.")
    if violations:
        saturates = result.engine is not None and result.engine.saturates
        raise ParityError(
            f"{file.name} differs from {_source(card)} on this device: {'; '.join(violations)}",
            SATURATES[1] if saturates else "try another format or engine version, or copy the file again",
        )


def _source(card: ModelCard) -> str:
    from edgecnn.card import WRAPPED_KEY

    return "the outputs recorded by edgecnn wrap" if WRAPPED_KEY in card.model else "PyTorch"


def _digest_line(digests: Digests | None) -> str:
    if digests is None:
        return "No digest: the file was exported by an earlier edgecnn, so changed weights may go unnoticed; export it again."
    return f"Graph, weights, card and goldens are those of the export, SHA-256 {digests.graph[:16]}..."
