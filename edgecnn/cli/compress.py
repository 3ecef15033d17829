"""`edgecnn compress`: a smaller network of a larger one, step by step, with a report of what each step costs and keeps."""

from __future__ import annotations

from typing import Any

import click

from edgecnn.cli.train import EXTRA
from edgecnn.cli.train import command as train_command

METHODS = ("kd", "dkd", "cells")  # written out, so that --help need not import torch
TEACHING = {"method": "method", "teacher_weight": "weight", "temperature": "temperature", "beta": "beta"}
OWN = {"model", "download", "name", "pseudo", "init", "freeze", "freeze_epochs"}


@click.command("compress")
@click.argument("checkpoint", default="", metavar="[CHECKPOINT]")
@click.option("--student", default="", metavar="MODEL", help="Network to teach: a name that `edgecnn train` knows.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="CHECKPOINT",
    help="May be repeated: answers are averaged.  [default: CHECKPOINT]",
)
@click.option("--method", type=click.Choice(METHODS), help="How it teaches.  [default: kd to classify, cells to detect]")
@click.option(
    "--teacher-weight", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="Part of the loss that the teacher has."
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    default=4.0,
    show_default=True,
    help="Softens a classifier's answers.",
)
@click.option("--beta", type=click.FloatRange(0), default=8.0, show_default=True, help="Weight of the other classes in dkd.")
def command(checkpoint: str, student: str, teachers: tuple[str, ...], size: str | None, **values: Any) -> None:
    """Make a small network of CHECKPOINT, or teach one with --student and --teacher.

    \b
    edgecnn compress --student resnet-xs --teacher big.safetensors --data fashion-mnist --epochs 30 --out runs/small
    """
    from edgecnn.cli.options import parse_size
    from edgecnn.errors import MissingExtraError

    try:
        from edgecnn.compress.distill import Teaching
        from edgecnn.compress.options import CompressOptions
        from edgecnn.compress.run import compress
        from edgecnn.train.options import TrainOptions
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise MissingExtraError(error.name, "train") from error
    teaching = Teaching(**{own: value for name, own in TEACHING.items() if (value := values.pop(name)) is not None})
    training = TrainOptions(model=student, model_options={"size": parse_size(size)} if size else {}, **values)
    options = CompressOptions(train=training, checkpoint=checkpoint, teachers=teachers, teaching=teaching)
    for path in compress(options, click.echo):
        click.echo(f"wrote {path}")


command.params.extend(option for option in train_command.params if option.name not in OWN)
