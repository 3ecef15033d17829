"""`edgecnn info`: the card, tensors and metadata of a model file."""

from __future__ import annotations

from pathlib import Path

import click

from edgecnn.cli.options import ModelFile
from edgecnn.json_text import dump_json


@click.command()
@click.argument("file", type=ModelFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--snippet", type=click.Choice(["python", "cpp"]), help="Print a short program that runs this file without edgecnn."
)
def command(file: Path, as_json: bool, snippet: str | None) -> None:
    """Print the card of the model FILE: inputs, outputs, training, calibration and parity.

    \b
    edgecnn info cups
    edgecnn info model.onnx --json
    edgecnn info model.onnx --snippet python > run_model.py
    edgecnn info model.tflite --snippet cpp > run_model.cpp

    A file from another tool has no card: its tensors and metadata are printed, and the card that edgecnn infers from them.
    """
    from edgecnn.runtime.model.description import describe

    description = describe(file)
    if snippet is not None:
        from edgecnn.runtime.snippets.program import as_shown
        from edgecnn.runtime.snippets.program import snippet as write_snippet

        click.echo(write_snippet(as_shown(description), snippet), nl=False)
        return
    click.echo(dump_json(description.to_document(), indent=1) if as_json else "\n".join(description.lines()))
