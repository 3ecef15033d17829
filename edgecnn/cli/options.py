"""Options that several commands share: device, threads, the card of a model file, and the selection of a dataset.

Options that are also fields of the configuration of `edgecnn run` take name, parser and default from there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import OptionGroup

from edgecnn.errors import InputError
from edgecnn.live.config import CARD_PARSERS, CameraConfig, RunConfig
from edgecnn.live.config_fields import options_of
from edgecnn.live.parsers import File, Flag, Many, OneOf, Parser

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions

Command = Callable[..., Any]
# Names and settings of an option, which commands add one by one or as a group under a heading.
Option = tuple[tuple[str, ...], dict[str, Any]]
Options = Sequence[Option]

CONFIG_OPTIONS = {option.name: option for config in (RunConfig, CameraConfig) for option in options_of(config)}


class ModelFile(click.Path):
    """A model file, or the name of a model that ships with edgecnn (``cups``): then its int8 ONNX file."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises ``InputError`` for a model of the register that was not got yet."""
        from edgecnn.shipped import artifact

        file = artifact(Path(str(super().convert(value, param, ctx))))
        if not file.exists():
            from edgecnn.zoo.register import check_got

            check_got(file)
        return file


class TeacherFile(click.types.StringParamType):
    """The address of a teacher, ``FILE[?PARAMETERS]``, where FILE may be a name of `edgecnn models`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address. Raises ``InputError`` for a model of the register that was not got yet, and for nearly the name of a model."""
        from edgecnn.zoo.register import check_got

        check_got(str(value).partition("?")[0])
        return str(value)


def split_names(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Comma-separated names, each once, in order."""
    words = text.split(",") if isinstance(text, str) else text
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def parsed_by(parse: Parser) -> Callable[[Any], Any]:
    """``parse`` as a click type: an error is printed with the name of the option."""

    def convert(value: Any) -> Any:
        try:
            return parse(value)
        except InputError as error:
            raise click.BadParameter(f"{error}.") from error

    return convert


def config_option(name: str, help_text: str, **more: Any) -> Option:
    """The option ``name`` of the configuration of a run; ``more`` are further settings of click."""
    option = CONFIG_OPTIONS[name]
    parse, default = option.parse, option.default
    flags = f"--{name}"
    settings: dict[str, Any] = {"help": help_text, **more}
    if isinstance(parse, Flag):
        flags = f"{flags}/--no-{name}"
        settings |= {"default": default, "show_default": default is True, "is_flag": True}
    elif isinstance(parse, OneOf):
        settings |= {"type": click.Choice(parse.words), "default": default, "show_default": default is not None}
    else:
        item = parse.item if isinstance(parse, Many) else parse
        shown = default not in (None, ()) and not isinstance(parse, File) and "multiple" not in more
        settings |= {"type": parsed_by(item), "multiple": isinstance(parse, Many) or "multiple" in more}
        settings |= {"metavar": parse.metavar, **more, "show_default": shown}
        settings |= {"default": item.text(default)} if shown else {}
    return (flags, option.field), settings


DATA_FORMAT: Option = (
    ("--data-format",),
    {
        "metavar": "FORMAT",
        "default": "",
        "help": "Format of a dataset that can be read in several ways: idx, coco, voc, dota, yolo, masks, values, signals, labels, video, "
        "mot, folders or images; as format= in its address.",
    },
)
PSEUDO_OPTIONS: Options = (
    (
        ("--pseudo",),
        {
            "type": TeacherFile(),
            "multiple": True,
            "metavar": "FILE[?PARAMETERS]",
            "help": "Pseudo-labels: a model file that labels the classes a dataset lacks; threshold=0.5, lower=0.2, alone=0.8, weight=1, "
            "rename=car,bus:vehicle, decode=...; may be repeated.",
        },
    ),
    (
        ("--pseudo-votes",),
        {
            "type": click.IntRange(1),
            "default": 2,
            "show_default": True,
            "help": "Teachers of a class that must agree on a box, where there are several.",
        },
    ),
    (
        ("--pseudo-iou",),
        {
            "type": click.FloatRange(0, 1, min_open=True, max_open=True),
            "default": 0.5,
            "show_default": True,
            "help": "Overlap from which boxes of teachers agree.",
        },
    ),
)
ALLOW_OVERLAP: Option = (
    ("--allow-overlap",),
    {
        "is_flag": True,
        "help": "Measure on images that the model was trained or calibrated on, too; the results say so.  [default: refused]",
    },
)
DATASET_OPTIONS: Options = (
    DATA_FORMAT,
    (("--split",), {"help": "Split of the dataset.  [default: test, else val, else all images]"}),
    (("--limit",), {"type": click.IntRange(1), "help": "Maximum number of images."}),
    (("--map", "renames"), {"metavar": "A=B,...", "help": "Rename classes; classes with the same name become one."}),
    (("--merge",), {"metavar": "NAME", "help": "Merge all classes of the dataset into one of this name."}),
)
DEVICE_OPTIONS: Options = (
    config_option(
        "device",
        "Device: cpu, gpu, npu, cuda, tensorrt, openvino:gpu, or auto, which falls back to cpu; cuda:1 is the second GPU.",
    ),
    config_option(
        "engine",
        "Engine that opens the file: onnxruntime, openvino, litert, executorch or pytorch; openvino:bf16 computes in bfloat16 where "
        "the processor has it.  [default: that of the format]",
    ),
    config_option("threads", "CPU threads.  [default: the engine's choice]"),
    config_option(
        "require-signature", "Refuse a model file that is not signed by the owner of this public key (see edgecnn sign)."
    ),
)
MODEL_OPTIONS: Options = (
    *DEVICE_OPTIONS,
    config_option("task", "Task of the model, if its file does not name it."),
    config_option("decode", "Output decoder: fcos, yolox, yolo, ssd, ..."),
    config_option("labels", "Class names: a,b,c or a file with one name per line."),
    config_option("size", "Input size of a model with a dynamic input."),
    config_option("resize", "Resize rule for frames."),
    config_option("align", "Position of the frame in the letterbox."),
    config_option("pad-value", "Padding value of the letterbox."),
    config_option("color", "Channel order of the input."),
    config_option("mean", "Mean, in pixels (0..255)."),
    config_option("std", "Standard deviation, in pixels (0..255)."),
    config_option("score-threshold", "Minimum score of a detection."),
    config_option("iou-threshold", "IoU threshold of non-maximum suppression."),
    config_option(
        "class-agnostic", "Non-maximum suppression of all classes together: one object gets one box, not one of each class."
    ),
    config_option("max-detections", "Maximum detections per frame."),
    config_option("label-threshold", "Minimum score of a label that applies (--task multilabel)."),
    config_option("class-thresholds", "Minimum score of a box of a class that is shown; other classes keep theirs."),
)


def card_options(values: dict[str, Any]) -> CardOptions:
    """Take the model options out of ``values`` (a command's keyword arguments) and build CardOptions of them."""
    from edgecnn.runtime.model.card_inference import CardOptions

    return CardOptions(**{name: values.pop(name) for name in CARD_PARSERS})


def dataset_options(*own: Option) -> Callable[[Command], Command]:
    """Add the options ``own`` and --data-format, --split, --limit, --map and --merge to a command, under the heading Dataset.

    The command gets the last four, and ``ALLOW_OVERLAP`` if it is among its own, as ``selection``, by the names of ``DatasetSelection``.
    """

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def collected(**values: Any) -> Any:
            names = ("split", "limit", "renames", "merge", "allow_overlap")
            selection = {name: values.pop(name) for name in names if name in values}
            values["data"] = with_format(values["data"], values.pop("data_format"))
            return function(selection=selection, **values)

        return add_options(collected, (*own, *DATASET_OPTIONS), OptionGroup("Dataset").option)

    return decorate


def with_format(uri: str, name: str) -> str:
    """The dataset address with --data-format, where one is given."""
    from edgecnn.data.address import with_default

    return with_default(uri, "format", name) if uri and name else uri


def device_options(function: Command) -> Command:
    """Add --device and --threads to a command."""
    return add_options(function, DEVICE_OPTIONS)


def with_help(options: Options, name: str, text: str) -> Options:
    """``options`` with another help text for the option ``name``."""
    return [(names, {**settings, "help": text} if name in names else settings) for names, settings in options]


def model_options(function: Command, table: Options = MODEL_OPTIONS) -> Command:
    """Add the options of ``table`` to a command; it gets ``device``, ``threads`` and, for all others, ``options`` (CardOptions)."""

    @functools.wraps(function)
    def collected(**values: Any) -> Any:
        options = card_options(values)
        if options.score_threshold is not None and options.class_thresholds is None:
            options = replace(options, class_thresholds=())  # one score for all classes
        return function(options=options, **values)

    group = OptionGroup("Model", help="Options that are not given are taken from the card of the file.")
    return add_options(collected, table, group.option)


def add_options(
    function: Command, options: Options, decorator: Callable[..., Callable[[Command], Command]] = click.option
) -> Command:
    """Add options to a command, in their order in the help."""
    # Decorators apply from the last to the first.
    for names, settings in reversed(options):
        function = decorator(*names, **settings)(function)
    return function
