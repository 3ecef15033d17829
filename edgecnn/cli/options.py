"""The options that run, evaluate and benchmark share: the device, and what a user may say about a model file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

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
    "score_threshold",
    "iou_threshold",
    "max_detections",
)


class ModelFile(click.Path):
    """A model file, or the name of a model that the package carries (``cups``): then its int8 ONNX file."""

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
        raise click.BadParameter(f"wanted height x width such as 240x320, or one number, found {value!r}")
    return int(parts[0]), int(parts[-1])


def parse_numbers(value: str) -> tuple[float, ...]:
    """Numbers with commas between; raises ``click.BadParameter``."""
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"wanted one number or three with commas between, found {value!r}") from None


_OPTIONS = (
    click.option(
        "--device", type=click.Choice(DEVICES), default="cpu", show_default=True, help="Where to run; auto falls back to cpu."
    ),
    click.option("--threads", type=click.IntRange(1), help="CPU threads in all.  [default: the engine's choice]"),
    click.option("--task", type=click.Choice(TASKS), help="What the model does, where its file does not say."),
    click.option("--decode", metavar="NAME", help="How outputs become a prediction: fcos, yolox, yolo, ssd, ..."),
    click.option(
        "--labels",
        type=click.Path(path_type=Path),
        metavar="NAMES",
        help="Names of the classes: a,b,c or a file with one a line.",
    ),
    click.option("--size", type=parse_size, metavar="HxW", help="Input size, where the file leaves it free."),
    click.option("--resize", type=click.Choice(RESIZES), help="How a frame is brought to the input size."),
    click.option("--align", type=click.Choice(ALIGNS), help="Where a letterboxed frame sits."),
    click.option("--pad-value", type=click.IntRange(0, 255), help="What a letterboxed frame is filled up with."),
    click.option("--color", type=click.Choice(COLORS), help="Channel order of the input."),
    click.option("--mean", type=parse_numbers, metavar="N[,N,N]", help="Subtracted from pixels of 0..255."),
    click.option("--std", type=parse_numbers, metavar="N[,N,N]", help="What (pixel - mean) is divided by."),
    click.option("--score-threshold", type=click.FloatRange(0, 1), help="Lowest score of a box that is kept."),
    click.option("--iou-threshold", type=click.FloatRange(0, 1), help="Highest overlap of two boxes of a class."),
    click.option("--max-detections", type=click.IntRange(1), help="Most boxes kept in one frame."),
)


def card_options(values: dict[str, Any]) -> CardOptions:
    """Take the model options out of ``values`` (a command's keyword arguments) and build CardOptions of them."""
    from edgecnn.runtime.model.card_inference import CardOptions

    return CardOptions(**{name: values.pop(name) for name in FIELDS})


def with_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """``function`` with all ``options`` as decorators, in their order in the help."""
    for option in reversed(options):
        function = option(function)
    return function


def add_model_options(function: F) -> F:
    """Add --device, --threads and the model options to a command, which gets them one by one."""
    return with_options(function, _OPTIONS)


def model_options(function: F) -> F:
    """Add --device, --threads and the model options to a command; it gets ``device``, ``threads`` and ``options`` (CardOptions)."""

    @functools.wraps(function)
    def collected(**values: Any) -> Any:
        options = card_options(values)
        return function(options=options, **values)

    return add_model_options(collected)  # type: ignore[return-value]
