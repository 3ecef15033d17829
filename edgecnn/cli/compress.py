"""`edgecnn compress`: a smaller network of a larger one, step by step, with a report of what each step costs and keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.train import EXTRA
from edgecnn.cli.train import command as train_command

if TYPE_CHECKING:
    from edgecnn.cli.measure_variants import Wish
    from edgecnn.compress.options import CompressOptions

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
@click.option("--target-macs", default="", metavar="4x|25%|10M", help="Take channels out down to so many multiply-accumulates.")
@click.option("--target-latency", default="", metavar="2ms|FILE", help="Or until it is as quick, here, as this or an artifact.")
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True, help="Rounds of taking channels out.")
@click.option(
    "--round-epochs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Epochs after each round; --epochs after the last.",
)
@click.option("--qat", is_flag=True, help="Train through the rounding of int8 at the end.")
@click.option("--qat-epochs", type=click.IntRange(1), default=3, show_default=True, help="So long, at a tenth of --lr.")
@click.option(
    "--measure",
    metavar="LIST",
    help="Formats to export to and measure in the report, or none.  [default: all that are installed]",
)
@click.option("--measure-limit", type=click.IntRange(1), help="Measure the accuracy of files on at most so many images.")
@click.option("--full", is_flag=True, help="Measure by the full protocol: 662 runs and 10 s a file.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the engines measured.  [default: all]")
@click.option(
    "--compare",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Only report: folder of a run, or checkpoint; may be repeated.",
)
def command(checkpoint: str, student: str, teachers: tuple[str, ...], size: str | None, **values: Any) -> None:
    """Make a small network of CHECKPOINT, or teach one with --student and --teacher.

    \b
    edgecnn compress --student resnet-xs --teacher big.safetensors --data fashion-mnist --epochs 30 --out runs/small
    edgecnn compress big.safetensors --target-macs 4x --qat --data fashion-mnist --epochs 20 --out runs/pruned
    edgecnn compress --compare runs/small --compare runs/pruned --data fashion-mnist --out runs/both

    What is asked for is done in this order: distil, prune, quantization-aware training. A stopped run goes on with --resume.
    At the end the network before and after each step is exported and measured here: report.md, report.json and pareto.png.
    """
    from edgecnn.cli.compress_report import named, teaching, write_report
    from edgecnn.cli.options import parse_size
    from edgecnn.errors import MissingExtraError

    try:
        from edgecnn.train.distributed import join
        from edgecnn.train.hardware import use_all_processors
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise MissingExtraError(error.name, "train") from error
    wish = _wish(values)
    compare, out = values.pop("compare"), values["out"]
    if compare:
        write_report(named(compare), wish, out, "")
        return
    values["model_options"] = {"size": parse_size(size)} if size else {}
    options = _options(checkpoint, student, teachers, values)
    use_all_processors()
    made = _compress(options, wish)
    if join().main:
        write_report([*teaching(options.teachers), *((path.stem, path) for path in made)], wish, out, options.command())


def _wish(values: dict[str, Any]) -> Wish:
    """What to measure, of what the user said; takes its options out of ``values``."""
    from edgecnn.cli.measure_variants import Wish, available

    asked = values.pop("measure")
    formats = None if asked is None else tuple(word.strip() for word in asked.split(",") if word.strip() not in ("", "none"))
    data = values["val"][0] if values["val"] else values["data"][0]
    return Wish(
        formats=available(formats, click.echo),
        data=data,
        calibration=values["data"][0],
        limit=values.pop("measure_limit"),
        threads=values.pop("threads"),
        quick=not values.pop("full"),
    )


def _compress(options: CompressOptions, wish: Wish) -> list[Path]:
    from edgecnn.cli.measure_variants import ruler
    from edgecnn.cli.teachers import open_teachers
    from edgecnn.compress.run import compress

    with open_teachers(options.train.pseudo) as boxes:
        if not options.target_latency:
            return compress(options, click.echo, boxes=boxes)
        with ruler(options.latency.artifact, wish) as latency_of:
            target = options.latency.ms if latency_of.target is None else latency_of.target
            click.echo(f"to be reached: {target:.3f} ms from image to result")
            return compress(options, click.echo, boxes=boxes, latency_of=latency_of, target_ms=target)


def _options(checkpoint: str, student: str, teachers: tuple[str, ...], values: dict[str, Any]) -> CompressOptions:
    """What was asked for; teachers that are artifacts label images instead of answering to batches."""
    from edgecnn.compress.distill import Teaching
    from edgecnn.compress.options import OWN as STEPS
    from edgecnn.compress.options import CompressOptions
    from edgecnn.compress.targets import ARTIFACTS
    from edgecnn.train.options import TrainOptions

    teaching = Teaching(**{own: value for name, own in TEACHING.items() if (value := values.pop(name)) is not None})
    steps = {name: values.pop(name) for name in STEPS}
    artifacts = tuple(one for one in teachers if Path(one.partition("?")[0]).suffix in ARTIFACTS)
    others = tuple(one for one in teachers if one not in artifacts)
    training = TrainOptions(model=student, pseudo=artifacts, **values)
    return CompressOptions(train=training, checkpoint=checkpoint, teachers=others, teaching=teaching, **steps)


command.params.extend(option for option in train_command.params if option.name not in OWN)
