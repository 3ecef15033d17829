"""`edgecnn models`: the models that ship with edgecnn, their accuracy, origin and weaknesses."""

from __future__ import annotations

import click

from edgecnn.json_text import dump_json


@click.command("models")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the models that ship with edgecnn, or describe the model NAME.

    \b
    edgecnn models
    edgecnn models cups
    edgecnn run cups --source 0          # runs the shipped int8 ONNX file
    edgecnn export cups --format tflite  # exports the shipped checkpoint
    """
    from edgecnn import shipped
    from edgecnn.runtime.model import shipped_models

    if name is not None:
        shipped_models.check_name(name)
    if as_json:
        chosen = shipped.names() if name is None else (name,)
        click.echo(dump_json({model: shipped_models.to_document(model) for model in chosen}, indent=1))
    else:
        click.echo("\n".join(shipped_models.table() if name is None else shipped_models.details(name)))
