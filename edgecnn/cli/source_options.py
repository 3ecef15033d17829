"""Options of commands that take a model to export: weights, input and card of a model without one, and decoder defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.options import Command, card_options, config_option

if TYPE_CHECKING:
    from edgecnn.export.config import ModelOptions


def split_list(value: str) -> tuple[str, ...]:
    """Words separated by commas, each once, in order."""
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


def parse_shape(value: str) -> tuple[int, ...]:
    """(1, 3, 224, 224) from 1x3x224x224; raises ``click.BadParameter``."""
    parts = value.lower().split("x")
    if len(parts) != 4 or not all(part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"{value!r} is not batch x channels x height x width, for example 1x3x224x224")
    return tuple(int(part) for part in parts)


def card_option(name: str, help_text: str) -> Callable[[Command], Command]:
    """An option for a field of the card, in the current group."""
    names, settings = config_option(name, help_text)
    decorate: Callable[[Command], Command] = optgroup.option(*names, **settings)
    return decorate


def source_options(function: Command) -> Command:
    """Add the options to a command, whose keyword arguments ``model_source`` then takes."""
    for decorate in reversed(_DECORATORS):
        function = decorate(function)
    return function


def model_source(values: dict[str, Any]) -> ModelOptions:
    """Take the options out of ``values``, the keyword arguments of a command."""
    from edgecnn.export.config import ModelOptions

    own = {key: values.pop(key) for key in ("weights", "weights_key", "input_shape", "output_names")}
    values["size"] = None  # fixed by the input shape
    return ModelOptions(card=card_options(values), **own)


_DECORATORS: tuple[Callable[[Command], Command], ...] = (
    optgroup.group("Models without a card (.pt2, package.module:factory)"),
    optgroup.option("--weights", type=click.Path(path_type=Path), help="Weights for package.module:factory."),
    optgroup.option(
        "--weights-key",
        default="",
        metavar="KEY",
        help="Part of the weights file to take where it holds several, such as ema.module.",
    ),
    optgroup.option("--input", "input_shape", type=parse_shape, metavar="1xCxHxW", help="Input shape of package.module:factory."),
    optgroup.option(
        "--output-names", type=split_list, default="", metavar="NAMES", help="Names of the output tensors, separated by commas."
    ),
    card_option("task", "Task of the model."),
    card_option("labels", "Class names: a,b,c or a file, one per line."),
    card_option("decode", "Decoder of the outputs: softmax, fcos, yolox, yolo, ssd, ..."),
    card_option("resize", "Resize rule for images."),
    card_option("align", "Position of the image in the letterbox."),
    card_option("pad-value", "Padding value of the letterbox."),
    card_option("color", "Channel order the model was trained with.  [default: rgb]"),
    card_option("mean", "Mean, in pixels of 0..255.  [default: 0]"),
    card_option("std", "Standard deviation, in pixels of 0..255.  [default: 255]"),
    optgroup.group("Decoder defaults, stored in the card"),
    card_option("score-threshold", "Minimum score of a box."),
    card_option("iou-threshold", "IoU threshold of NMS."),
    card_option("max-detections", "Maximum number of boxes per image."),
    card_option("label-threshold", "Minimum score of a label that applies (--task multilabel)."),
)
