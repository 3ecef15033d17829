"""`edgecnn train`: datasets in, a checkpoint with its card, scores and pictures out."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import click

from edgecnn.models.registry import MODELS

EXTRA = ("torch", "safetensors", "tqdm")


def _models(what: str, task: str) -> str:
    """The models for a task as lines of help, without importing torch; a name is never broken."""
    names = ", ".join(name for name, entry in MODELS.items() if entry.task == task)
    return "\b\n" + textwrap.fill(f"{what}: {names}", 76, subsequent_indent="  ", break_on_hyphens=False)


EPILOG = f"{_models('To classify, or to learn the values of a values.csv', 'classify')}\n\n{_models('To detect', 'detect')}"


def split_names(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Names with commas between, each once, in order."""
    words = text.split(",") if isinstance(text, str) else text
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


@click.command("train", epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@click.option(
    "--data",
    multiple=True,
    required=True,
    metavar="URI",
    help="What to train on: DIR[?PARAMETERS] or scene:...; may be repeated.",
)
@click.option(
    "--val", multiple=True, metavar="URI", help="What to score each epoch on; may be repeated.  [default: a part of --data]"
)
@click.option(
    "--classes",
    type=split_names,
    default="",
    metavar="A,B,...",
    help="Bring all datasets to these classes; what one does not label is not learnt from it.",
)
@click.option(
    "--pseudo",
    multiple=True,
    metavar="FILE[?PARAMETERS]",
    help="Model file that labels what a dataset does not: threshold=0.5, lower=0.2, rename=car,bus:vehicle, decode=...",
)
@click.option(
    "--group-by", default="", metavar="REGEX", help="Images whose file names have the same first (...) are never divided."
)
@click.option("--strict", is_flag=True, help="Stop where anything is wrong with a dataset.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for checkpoint, state, scores and pictures.")
@click.option("--name", default="", help="Name in the card.  [default: MODEL]")
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True)
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=2e-3, show_default=True, help="Highest learning rate.")
@click.option("--weight-decay", type=click.FloatRange(0), default=0.02, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same weights.")
@click.option(
    "--val-fraction",
    type=click.FloatRange(0, 0.9),
    default=0.05,
    show_default=True,
    help="Fraction of the images to validate on, where no --val is given; groups are not separated.",
)
@click.option(
    "--coarse", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Part of a detector's epochs at 3/4 size."
)
@click.option(
    "--ema", type=click.FloatRange(0, 1, max_open=True), default=0.998, show_default=True, help="Decay of the averaged weights."
)
@click.option(
    "--augment",
    default="standard",
    show_default=True,
    metavar="POLICY",
    help="none, light, standard, strong; strong?rotate=30&erase=0",
)
@click.option("--flip/--no-flip", default=True, show_default=True, help="Mirror images too; not for digits or text.")
@click.option("--size", metavar="HxW", help="Input size of the model.  [default: the model's, or the images' where small]")
@click.option(
    "--model-option", multiple=True, metavar="KEY=VALUE", help="Of the network: width=0.5, widths=24,48,160; may be repeated."
)
@click.option(
    "--init",
    default="",
    metavar="CHECKPOINT",
    help="Start from every tensor of it that fits: a file, or a name of `edgecnn models`.",
)
@click.option("--freeze", default="", metavar="PART", help="Do not train this of --init: stem, backbone or a number of layers.")
@click.option("--freeze-epochs", type=click.IntRange(0), default=0, help="Only so many epochs at the start.  [default: all]")
@click.option("--limit", type=click.IntRange(1), help="Use only the first images of each dataset.")
@click.option("--val-limit", type=click.IntRange(1), help="Score on the first images only.")
@click.option(
    "--amp", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", show_default=True, help="Precision of the arithmetic."
)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that read and change images.")
@click.option("--resume", is_flag=True, help="Go on with the training in --out that was stopped.")
@click.option("--download", is_flag=True, help="Fetch Fashion-MNIST into --data first, from its official address.")
def command(model: str, data: tuple[str, ...], size: str | None, **values: Any) -> None:
    """Train MODEL on images; the models are listed at the end.

    \b
    edgecnn train resnet-s --data fashion-mnist --download --epochs 15 --out runs/resnet
    edgecnn train edgedet --data "scene:cups?seed=1&count=2000" --val "scene:cups?seed=9001&count=200" --out runs/cups
    edgecnn train edgedet --data "faces?merge=face&split=train" --val "faces?merge=face&split=val" --out runs/faces

    PARAMETERS select a part and classes of a dataset, in this order: labels=a,b or FILE, list=FILE, group=REGEX, split=NAME with
    val_fraction=0.2 and seed=0 where the dataset has no splits, rename=a:b,c:d, merge=NAME, classes=a,b.
    """
    from edgecnn.cli.options import parse_size
    from edgecnn.cli.teachers import open_teachers
    from edgecnn.errors import MissingExtraError

    try:
        from edgecnn.train.distributed import join
        from edgecnn.train.hardware import use_all_processors
        from edgecnn.train.options import TrainOptions
        from edgecnn.train.run import train
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise MissingExtraError(error.name, "train") from error
    model_options = {"size": parse_size(size)} if size else {}
    options = TrainOptions(model=model, data=data, model_options=model_options, **values)
    use_all_processors()
    with open_teachers(options.pseudo) as teachers:
        path = train(options, click.echo, teachers=teachers)
    if join().main:
        click.echo(f"wrote {path}")
