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


LARGEST = 1 << 24  # of a size in a shape


def parse_inputs(value: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names ("" where none is given) and shapes from 1x3x224x224, 1x3x64x64,1x6 or left:1x6,right:1x6; raises ``click.BadParameter``."""
    found = []
    for text in value.split(","):
        name, _, shape = text.strip().rpartition(":")
        parts = shape.lower().split("x")
        if not all(part.isdigit() and 0 < int(part) <= LARGEST for part in parts) or not (name.isidentifier() or not name):
            example = "batch x channels x height x width, for example 1x3x224x224, or several as 1x3x64x64,1x6"
            raise click.BadParameter(f"{value!r} is not {example}")
        found.append((name, tuple(int(part) for part in parts)))
    return tuple(found)


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

    own = {key: values.pop(key) for key in ("weights", "weights_key", "output_names", "decode_outputs")} | _inputs(values)
    values["size"] = None  # fixed by the input shape
    return ModelOptions(card=card_options(values), **own)


def _inputs(values: dict[str, Any]) -> dict[str, Any]:
    """``--input`` as an image, or as tensors: several inputs, or one of the task raw that is no image."""
    from edgecnn.export.config import InputTensor
    from edgecnn.tasks import TASKS

    task = TASKS.get(values["task"]) if values.get("task") else None  # of a wrong name the card's parsers tell
    given: tuple[tuple[str, tuple[int, ...]], ...] = values.pop("inputs") or ()
    if len(given) == 1 and not given[0][0] and (is_image(given[0][1]) or task is None or not task.any_input):
        return {"input_shape": given[0][1]}
    return {"input_tensors": tuple(InputTensor(shape, name) for name, shape in given)}


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether a shape is that of one image with 1 or 3 channels."""
    return len(shape) == 4 and shape[0] == 1 and shape[1] in (1, 3)


_WEIGHTS: tuple[Callable[[Command], Command], ...] = (
    optgroup.option("--weights", type=click.Path(path_type=Path), help="Weights for package.module:factory."),
    optgroup.option(
        "--weights-key",
        default="",
        metavar="KEY",
        help="Part of the weights file to take where it holds several, such as ema.module.",
    ),
    optgroup.option(
        "--input",
        "inputs",
        type=parse_inputs,
        metavar="1xCxHxW",
        help="Input shape of package.module:factory; with --task raw also several, 1x3x64x64,1x6, or NAME:SHAPE.",
    ),
)
_CARD: tuple[Callable[[Command], Command], ...] = (
    card_option("task", "Task of the model."),
    card_option("labels", "Class names: a,b,c or a file, one per line."),
    card_option("decode", "Decoder of the outputs: softmax, fcos, yolox, yolo, ssd, ..."),
    card_option("resize", "Resize rule for images."),
    card_option("align", "Position of the image in the letterbox."),
    card_option("pad-value", "Padding value of the letterbox."),
    card_option("color", "Channel order the model was trained with.  [default: rgb]"),
    card_option("mean", "Mean, in pixels of 0..255.  [default: 0]"),
    card_option("std", "Standard deviation, in pixels of 0..255.  [default: 255]"),
)
_DECORATORS: tuple[Callable[[Command], Command], ...] = (
    optgroup.group("Models without a card (.pt2, package.module:factory)"),
    *_WEIGHTS,
    optgroup.option(
        "--output-names", type=split_list, default="", metavar="NAMES", help="Names of the output tensors, separated by commas."
    ),
    optgroup.option(
        "--decode-outputs",
        type=split_list,
        default="",
        metavar="NAMES",
        help="Outputs that the decoder reads, where there are more; the others stay in the file.  [default: all]",
    ),
    *_CARD,
    optgroup.group("Decoder defaults, stored in the card"),
    card_option("score-threshold", "Minimum score of a box."),
    card_option("iou-threshold", "IoU threshold of NMS."),
    card_option("class-agnostic", "NMS of all classes together: one object gets one box, not one of each class."),
    card_option("max-detections", "Maximum number of boxes per image."),
    card_option("label-threshold", "Minimum score of a label that applies (--task multilabel)."),
    card_option("class-thresholds", "Minimum score of a box of a class that is shown; other classes keep theirs."),
)

# for commands that train a network of other people's code
NETWORK_OPTIONS: tuple[Any, ...] = (*_WEIGHTS, *_CARD)
_NETWORK_NAMES = (
    "weights",
    "weights_key",
    "inputs",
    "task",
    "labels",
    "decode",
    "resize",
    "align",
    "pad_value",
    "color",
    "mean",
    "std",
)


def take_network_options(values: dict[str, Any]) -> dict[str, Any]:
    """Take ``NETWORK_OPTIONS`` out of ``values``, the keyword arguments of a command."""
    return {name: values.pop(name) for name in _NETWORK_NAMES}


def network_source(given: dict[str, Any]) -> ModelOptions:
    """What ``take_network_options`` took, for opening the network."""
    from edgecnn.export.config import ModelOptions
    from edgecnn.runtime.model.card_inference import CardOptions

    values = dict(given)
    own = {key: values.pop(key) for key in ("weights", "weights_key")} | _inputs(values)
    return ModelOptions(card=CardOptions(**values), **own)


def network_words(given: dict[str, Any]) -> tuple[str, ...]:
    """The words of a command line for what ``take_network_options`` took."""
    words: list[str] = []
    for name, value in given.items():
        if value:
            texts = (
                [f"{called}:" * bool(called) + "x".join(map(str, shape)) for called, shape in value]
                if name == "inputs"
                else value
            )
            text = ",".join(map(str, texts)) if isinstance(texts, tuple | list) else str(texts)
            words += [f"--{'input' if name == 'inputs' else name.replace('_', '-')}", text]
    return tuple(words)
