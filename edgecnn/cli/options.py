"""Options that several commands share: device, threads, the card of a model file, and the selection of a dataset."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click_option_group import OptionGroup

from edgecnn.thresholds import DECODE_OPTIONS

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions

F = TypeVar("F", bound=Callable[..., Any])

# Written out, so that `--help` need not import NumPy.
TASKS = ("classify", "detect", "regress")
RESIZES = ("letterbox", "stretch", "crop")
ALIGNS = ("center", "corner")
COLORS = ("rgb", "bgr", "gray")
DEVICES = ("cpu", "gpu", "auto")
FIELDS = (
    "task",
    "decode",
    "labels",
    "size",
    "resize",
    "align",
    "pad_value",
    "color",
    "mean",
    "std",
    *DECODE_OPTIONS,
)


class ModelFile(click.Path):
    """A model file, or the name of a model that ships with edgecnn (``cups``): then its int8 ONNX file."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        from edgecnn.shipped import artifact

        return artifact(Path(str(super().convert(value, param, ctx))))


def parse_size(value: str) -> tuple[int, int]:
    """(height, width) from HxW or one number; raises ``click.BadParameter``."""
    parts = value.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"{value!r} is not a size; give height x width such as 240x320, or one number")
    return int(parts[0]), int(parts[-1])


def parse_numbers(value: str) -> tuple[float, ...]:
    """Comma-separated numbers; raises ``click.BadParameter``."""
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers; give one number, or three separated by commas") from None


# Names and settings of options, which commands add one by one or as a group under a heading.
Option = tuple[tuple[str, ...], dict[str, Any]]
Options = Sequence[Option]

DATASET_OPTIONS: Options = (
    (("--split",), {"help": "Split of the dataset.  [default: test, else val, else all images]"}),
    (("--limit",), {"type": click.IntRange(1), "help": "Maximum number of images."}),
    (("--map", "renames"), {"metavar": "A=B,...", "help": "Rename classes; classes with the same name become one."}),
    (("--merge",), {"metavar": "NAME", "help": "Merge all classes of the dataset into one of this name."}),
)
DEVICE_OPTIONS: Options = (
    (
        ("--device",),
        {"type": click.Choice(DEVICES), "default": "cpu", "show_default": True, "help": "Device; auto falls back to cpu."},
    ),
    (("--threads",), {"type": click.IntRange(1), "help": "CPU threads.  [default: the engine's choice]"}),
)
MODEL_OPTIONS: Options = (
    *DEVICE_OPTIONS,
    (("--task",), {"type": click.Choice(TASKS), "help": "Task of the model, if its file does not name it."}),
    (("--decode",), {"metavar": "NAME", "help": "Output decoder: fcos, yolox, yolo, ssd, ..."}),
    (
        ("--labels",),
        {
            "type": click.Path(path_type=Path),
            "metavar": "NAMES",
            "help": "Class names: a,b,c or a file with one name per line.",
        },
    ),
    (("--size",), {"type": parse_size, "metavar": "HxW", "help": "Input size of a model with a dynamic input."}),
    (("--resize",), {"type": click.Choice(RESIZES), "help": "Resize rule for frames."}),
    (("--align",), {"type": click.Choice(ALIGNS), "help": "Position of the frame in the letterbox."}),
    (("--pad-value",), {"type": click.IntRange(0, 255), "help": "Padding value of the letterbox."}),
    (("--color",), {"type": click.Choice(COLORS), "help": "Channel order of the input."}),
    (("--mean",), {"type": parse_numbers, "metavar": "N[,N,N]", "help": "Mean, in pixels (0..255)."}),
    (
        ("--std",),
        {"type": parse_numbers, "metavar": "N[,N,N]", "help": "Standard deviation, in pixels (0..255)."},
    ),
    (("--score-threshold",), {"type": click.FloatRange(0, 1), "help": "Minimum score of a detection."}),
    (("--iou-threshold",), {"type": click.FloatRange(0, 1), "help": "IoU threshold of non-maximum suppression."}),
    (("--max-detections",), {"type": click.IntRange(1), "help": "Maximum detections per frame."}),
)


def card_options(values: dict[str, Any]) -> CardOptions:
    """Take the model options out of ``values`` (a command's keyword arguments) and build CardOptions of them."""
    from edgecnn.runtime.model.card_inference import CardOptions

    return CardOptions(**{name: values.pop(name) for name in FIELDS})


def dataset_options(*own: Option) -> Callable[[F], F]:
    """Add the options ``own`` and --split, --limit, --map and --merge to a command, under the heading Dataset.

    The command gets the latter as ``selection``, by the names of ``DatasetSelection``.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def collected(**values: Any) -> Any:
            selection = {name: values.pop(name) for name in ("split", "limit", "renames", "merge")}
            return function(selection=selection, **values)

        return _add(collected, (*own, *DATASET_OPTIONS), OptionGroup("Dataset").option)  # type: ignore[return-value]

    return decorate


def device_options(function: F) -> F:
    """Add --device and --threads to a command."""
    return _add(function, DEVICE_OPTIONS)


def add_model_options(function: F) -> F:
    """Add --device, --threads and the model options to a command, which gets them one by one."""
    return _add(function, MODEL_OPTIONS)


def with_help(options: Options, name: str, text: str) -> Options:
    """``options`` with another help text for the option ``name``."""
    return [(names, {**settings, "help": text} if name in names else settings) for names, settings in options]


def model_options(function: F, table: Options = MODEL_OPTIONS) -> F:
    """Add the options of ``table`` to a command; it gets ``device``, ``threads`` and, for all others, ``options`` (CardOptions)."""

    @functools.wraps(function)
    def collected(**values: Any) -> Any:
        options = card_options(values)
        return function(options=options, **values)

    return _add(
        collected, table, OptionGroup("Model", help="Options that are not given are taken from the card of the file.").option
    )  # type: ignore[return-value]


def _add(function: F, options: Options, decorator: Callable[..., Callable[[F], F]] = click.option) -> F:
    # Decorators apply from the last to the first: reversed, the help lists them in the order of the table.
    for names, settings in reversed(options):
        function = decorator(*names, **settings)(function)
    return function
