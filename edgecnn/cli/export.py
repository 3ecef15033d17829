"""`edgecnn export`: a trained model to verified ONNX, TFLite and OpenVINO files."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from click_option_group import optgroup

from edgecnn.cli.options import Command, card_options, config_option

DATA = "DIR[?PARAMETERS] or scene:cups?..., as for `edgecnn train`, such as DIR?format=coco."


def split_list(value: str) -> tuple[str, ...]:
    """Words separated by commas, each once, in order."""
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


def parse_shape(value: str) -> tuple[int, ...]:
    """(1, 3, 224, 224) from 1x3x224x224; raises ``click.BadParameter``."""
    parts = value.lower().split("x")
    if len(parts) != 4 or not all(part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"{value!r} is not batch x channels x height x width, for example 1x3x224x224")
    return tuple(int(part) for part in parts)


def parse_batch(value: str) -> int:
    """The number of images, -1 for dynamic; raises ``click.BadParameter``."""
    if value == "dynamic":
        return -1
    if not value.isdigit() or not int(value):
        raise click.BadParameter(f"{value!r} is neither a number of images nor dynamic")
    return int(value)


def card_option(name: str, help_text: str) -> Callable[[Command], Command]:
    """An option for a field of the card, in the current group."""
    names, settings = config_option(name, help_text)
    decorate: Callable[[Command], Command] = optgroup.option(*names, **settings)
    return decorate


@click.command()
@click.argument("model", metavar="CHECKPOINT")
@optgroup.group("Output files")
@optgroup.option(
    "--format",
    "formats",
    type=split_list,
    default="onnx,tflite,openvino",
    show_default=True,
    metavar="LIST",
    help="Output formats, separated by commas.",
)
@optgroup.option(
    "--precision",
    "precisions",
    type=split_list,
    default="fp32",
    show_default=True,
    metavar="LIST",
    help="Precisions, separated by commas: fp32, fp16, int8; or auto: the quickest that passes, measured here.",
)
@optgroup.option("--out", type=click.Path(path_type=Path), default=Path(), help="Output folder.  [default: here]")
@optgroup.option("--name", help="Base name of the files: NAME-PRECISION.onnx.  [default: the model's name]")
@optgroup.option("--force", is_flag=True, help="Overwrite existing files.")
@optgroup.group("Input of the files")
@optgroup.option(
    "--layout",
    type=click.Choice(["nhwc", "nchw"]),
    default="nhwc",
    show_default=True,
    help="Order of the image's axes: pixels as cameras give them, or planes.",
)
@optgroup.option(
    "--input-dtype",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    show_default=True,
    help="uint8: BGR pixels, colour order and scale are in the graph. float32: the network's own input, scaled as the card says.",
)
@optgroup.option(
    "--batch",
    type=parse_batch,
    default="1",
    show_default=True,
    metavar="N|dynamic",
    help="Images in one input; dynamic: any number.",
)
@optgroup.option("--dynamic-size", is_flag=True, help="Accept images of any height and width (ONNX, OpenVINO).")
@optgroup.group("Calibration of int8")
@optgroup.option("--calibration", metavar="ADDRESS", help=f"Calibration images: {DATA}")
@optgroup.option("--calibration-count", type=click.IntRange(1), default=128, show_default=True, help="Number of images.")
@optgroup.option("--seed", type=int, default=0, show_default=True, help="Random seed of their selection.")
@optgroup.option("--force-calibration", is_flag=True, help="Accept fewer than 64 images, or a split that is not for training.")
@optgroup.option("--strict", is_flag=True, help="Stop at any problem in a dataset.")
@optgroup.group("Verification")
@optgroup.option(
    "--verify-data", "verify", metavar="ADDRESS", help="Real images for verification.  [default: other images of --calibration]"
)
@optgroup.option("--verify-count", type=click.IntRange(1), default=16, show_default=True, help="Number of images.")
@optgroup.option(
    "--evaluate", metavar="ADDRESS", help="Also compare accuracy with PyTorch on this dataset; reject a file that loses too much."
)
@optgroup.option(
    "--max-drop",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="Budget of int8: at most so many points of top-1 or mAP are lost on --evaluate, without it of agreement with PyTorch; "
    "free methods are tried, then the most sensitive layers stay in float.",
)
@optgroup.option("--evaluate-limit", type=click.IntRange(1), help="Evaluate on at most N images.")
@optgroup.group("Models without a card (.pt2, package.module:factory)")
@optgroup.option("--weights", type=click.Path(path_type=Path), help="Weights for package.module:factory.")
@optgroup.option(
    "--weights-key",
    default="",
    metavar="KEY",
    help="Part of the weights file to take where it holds several, such as ema.module.",
)
@optgroup.option("--input", "input_shape", type=parse_shape, metavar="1xCxHxW", help="Input shape of package.module:factory.")
@optgroup.option(
    "--output-names", type=split_list, default="", metavar="NAMES", help="Names of the output tensors, separated by commas."
)
@card_option("task", "Task of the model.")
@card_option("labels", "Class names: a,b,c or a file, one per line.")
@card_option("decode", "Decoder of the outputs: softmax, fcos, yolox, yolo, ssd, ...")
@card_option("resize", "Resize rule for images.")
@card_option("align", "Position of the image in the letterbox.")
@card_option("pad-value", "Padding value of the letterbox.")
@card_option("color", "Channel order the model was trained with.  [default: rgb]")
@card_option("mean", "Mean, in pixels of 0..255.  [default: 0]")
@card_option("std", "Standard deviation, in pixels of 0..255.  [default: 255]")
@optgroup.group("Decoder defaults, stored in the card")
@card_option("score-threshold", "Minimum score of a box.")
@card_option("iou-threshold", "IoU threshold of NMS.")
@card_option("max-detections", "Maximum number of boxes per image.")
def command(model: str, **values: Any) -> None:
    """Export CHECKPOINT and verify each file against PyTorch; a file that differs is not kept.

    \b
    edgecnn export cups --format onnx
    edgecnn export model.safetensors --precision fp32,int8 --calibration DIR
    edgecnn export model.safetensors --precision int8 --calibration DIR --evaluate DIR --max-drop 0.5
    edgecnn export net.pt2 --task classify --labels names.txt

    CHECKPOINT is a checkpoint of `edgecnn train`, the name of a shipped model (cups), a .pt2 program, or package.module:factory, a
    function that returns a torch model. The last two need --task and --labels; a factory also needs --input and --weights.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    from edgecnn.export.config import ExportConfig, GraphOptions, ModelOptions

    own = {key: values.pop(key) for key in ("weights", "weights_key", "input_shape", "output_names")}
    values["size"] = None  # fixed by the input shape
    options = ModelOptions(card=card_options(values), **own)
    graph = GraphOptions(**{key: values.pop(key) for key in ("layout", "input_dtype", "batch", "dynamic_size")})
    config = ExportConfig(model=model, model_options=options, graph=graph, **values)
    from edgecnn.export.run import run_exports

    run_exports(config, click.echo, partial(click.echo, err=True))


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
