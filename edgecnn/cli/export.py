"""`edgecnn export`: a trained model to verified ONNX, TFLite and OpenVINO files."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import click

from edgecnn.cli.options import ALIGNS, COLORS, FIELDS, RESIZES, TASKS, card_options, parse_numbers

LISTS = {"formats": "onnx,tflite,openvino", "precisions": "fp32"}


def split_list(value: str) -> tuple[str, ...]:
    """Words with commas between, each once, in order."""
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


def parse_shape(value: str) -> tuple[int, ...]:
    """(1, 3, 224, 224) from 1x3x224x224; raises ``click.BadParameter``."""
    parts = value.lower().split("x")
    if len(parts) != 4 or not all(part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"wanted batch x channels x height x width such as 1x3x224x224, found {value!r}")
    return tuple(int(part) for part in parts)


@click.command()
@click.argument("model", metavar="CHECKPOINT")
@click.option("--format", "formats", type=split_list, default=LISTS["formats"], show_default=True, help="onnx, tflite, openvino.")
@click.option(
    "--precision", "precisions", type=split_list, default=LISTS["precisions"], show_default=True, help="fp32, fp16, int8."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder for the files.  [default: here]")
@click.option("--name", help="How the files are called, before -PRECISION.  [default: the model's name]")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option(
    "--calibration",
    metavar="DATA",
    help="Images that set the ranges of int8: DIR[?KNOBS] as of `edgecnn train`, or scene:cups?...",
)
@click.option("--calibration-count", type=click.IntRange(1), default=128, show_default=True, help="How many of them.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which of them.")
@click.option(
    "--force-calibration", is_flag=True, help="Calibrate with fewer than 64 images too, or with a part that is not for training."
)
@click.option("--strict", is_flag=True, help="Stop where anything is wrong with the calibration data.")
@click.option(
    "--verify-data", "verify", metavar="DATA", help="Real images to verify with.  [default: others of the calibration data]"
)
@click.option("--verify-count", type=click.IntRange(1), default=16, show_default=True, help="How many of them.")
@click.option(
    "--evaluate", metavar="DATA", help="Measure each file's accuracy beside PyTorch's too, and refuse one that falls short."
)
@click.option("--evaluate-limit", type=click.IntRange(1), help="At most so many images of it.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights for package.module:factory.")
@click.option("--input", type=parse_shape, metavar="1xCxHxW", help="Input shape of package.module:factory.")
@click.option("--output-names", "outputs", type=split_list, default="", help="Names of its outputs, with commas between.")
@click.option("--task", type=click.Choice(TASKS), help="What it does.")
@click.option("--labels", type=click.Path(path_type=Path), help="File with the names of its classes, one a line.")
@click.option("--decode", metavar="NAME", help="How its outputs become a prediction: softmax, fcos, yolox, yolo, ssd, ...")
@click.option("--resize", type=click.Choice(RESIZES), help="How an image is brought to its input size.")
@click.option("--align", type=click.Choice(ALIGNS), help="Where a letterboxed image sits.")
@click.option("--pad-value", type=click.IntRange(0, 255), help="What a letterboxed image is filled up with.")
@click.option("--color", type=click.Choice(COLORS), help="Channel order it was trained with.  [default: rgb]")
@click.option("--mean", type=parse_numbers, metavar="N[,N,N]", help="Subtracted from pixels of 0..255.  [default: 0]")
@click.option("--std", type=parse_numbers, metavar="N[,N,N]", help="What (pixel - mean) is divided by.  [default: 255]")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Lowest score of a box, kept in the card.")
@click.option("--iou-threshold", type=click.FloatRange(0, 1), help="Highest overlap of two boxes of a class, kept in the card.")
@click.option("--max-detections", type=click.IntRange(1), help="Most boxes in one image, kept in the card.")
def command(model: str, **values: Any) -> None:
    """Export CHECKPOINT, and prove each file right before it gets its name.

    CHECKPOINT is a file that `edgecnn train` wrote, a shipped name (cups), a .pt2 program, or package.module:factory, a function
    that returns a torch model; the last two need --task and --labels, a factory --input and --weights too.
    """
    from edgecnn.export.config import check
    from edgecnn.models.checkpoint import brings_ranges

    signal.signal(signal.SIGTERM, _interrupt)
    check(values["formats"], values["precisions"], calibrated=values["calibration"] is not None or brings_ranges(model))
    from edgecnn.export.run import Order, fulfil
    from edgecnn.export.source import ModelOptions, load

    given = card_options(values | {"size": None})
    own = {key: values.pop(key) for key in ("weights", "input", "outputs")}
    trained, card = load(model, ModelOptions(card=given, **own))
    click.echo(_described(card))
    order = Order(**{key: value for key, value in values.items() if key not in FIELDS})
    fulfil(order, trained, card, click.echo, partial(click.echo, err=True))


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _described(card: Any) -> str:
    """What goes into the model, in a line: the first thing to look at when something is wrong."""
    pre = card.preprocess
    size, scale = "x".join(map(str, pre.size)), f"(pixel - {_numbers(pre.mean)}) / {_numbers(pre.std)}"
    image = f"input {size} {pre.color}, {pre.resize}, {scale}"
    return f"{card.name}: {card.task}, {len(card.labels)} classes, {image}, decoder {card.decode.name}\n"


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)
