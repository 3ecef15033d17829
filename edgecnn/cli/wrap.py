"""`edgecnn wrap`: a card, goldens and digests for a model file of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click_option_group import optgroup

from edgecnn.card import Precision
from edgecnn.cli.options import DEVICE_OPTIONS, MODEL_OPTIONS, ModelFile, add_options, card_options

if TYPE_CHECKING:
    from edgecnn.runtime.model.wrap import Wrapped


def _card_group(function: Any) -> Any:
    own = [option for option in MODEL_OPTIONS if option not in DEVICE_OPTIONS]
    return add_options(function, own, optgroup.option)


@click.command()
@click.argument("file", type=ModelFile())
@optgroup.group("Output")
@optgroup.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The new file, or a folder for it.")
@optgroup.option("--force", is_flag=True, help="Overwrite --out; without --out, write into FILE itself.")
@optgroup.option("--name", help="Name of the model.  [default: the file's name]")
@optgroup.option("--precision", type=click.Choice(get_args(Precision)), help="Precision.  [default: as stored in the file]")
@optgroup.group("Goldens")
@optgroup.option(
    "--verify-data", "verify", metavar="ADDRESS", help="Real images, such as DIR or DIR?format=coco.  [default: synthetic]"
)
@optgroup.option("--verify-count", type=click.IntRange(1), default=16, show_default=True, help="Number of images to choose from.")
@optgroup.group("Card", help="What is not given is taken from metadata in and beside FILE, and from the shapes of its tensors.")
@_card_group
def command(file: Path, **values: Any) -> None:
    """Write a card into the model FILE of another tool, with goldens and digests: from then on it is like an exported file.

    \b
    edgecnn wrap yolox_nano.onnx --out yolox.onnx --verify-data photos
    edgecnn wrap model.tflite --out labelled.tflite --labels names.txt --mean 127.5 --std 127.5
    edgecnn wrap face.xml --out wrapped/ --labels face

    The goldens are outputs of FILE itself on this machine, so selftest tells whether another device and engine compute the same. The
    line "found" says what FILE sees in a real image: check it, because no wrong mean, color or label can be noticed otherwise.
    """
    from edgecnn.runtime.model.wrap import WrapConfig, wrap

    options = card_options(values)
    done = wrap(WrapConfig(file=file, options=options, **values))
    click.echo("\n".join(_lines(done)))
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)


def _lines(done: Wrapped) -> list[str]:
    from edgecnn.runtime.model.description import card_rows
    from edgecnn.tasks import find

    found = "no real image; give some with --verify-data, so that selftest compares predictions, too"
    if done.prediction is not None:
        found = find(done.card.task).headline(done.prediction, done.card.labels) or "nothing"
    rows = [("wrote", str(done.path)), *card_rows(done.card), ("goldens", ", ".join(done.kinds)), ("found", found)]
    width = max(len(name) for name, _ in rows)
    return [f"{name.ljust(width)}  {text}" for name, text in rows]
