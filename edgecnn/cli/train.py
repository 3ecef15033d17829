"""`edgecnn train`: datasets in, a checkpoint with its card, scores and plots out."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click_option_group import optgroup

from edgecnn.cli.early_checks import check_addresses, check_checkpoint, check_model
from edgecnn.cli.options import DATA_FORMAT, PSEUDO_OPTIONS, parsed_by, split_names, with_format
from edgecnn.live.config import CARD_PARSERS
from edgecnn.models.registry import MODELS

F = TypeVar("F", bound=Callable[..., Any])
EXTRA = ("torch", "safetensors", "tqdm")


def _models(title: str, task: str) -> str:
    """The models for a task as lines of help, without importing torch; a name is never broken."""
    names = ", ".join(name for name, entry in MODELS.items() if entry.task == task)
    return "\b\n" + textwrap.fill(f"{title}: {names}", 76, subsequent_indent="  ", break_on_hyphens=False)


EPILOG = "\n\n".join(
    (
        _models("Models for classification, and for regression with a values.csv", "classify"),
        _models("Models for detection", "detect"),
        _models("Models for segmentation, trained on masks", "segment"),
        _models("Models for key points", "pose"),
        _models("Models for embedding, trained on images with classes", "embed"),
        _models("Models for restoration, trained on any images", "restore"),
        _models("Models for signals, trained on folders of .csv or .wav files", "signal"),
    )
)


DATA = (
    optgroup.group("Data"),
    optgroup.option(
        "--data",
        multiple=True,
        required=True,
        metavar="ADDRESS",
        help="Training data: DIR[?PARAMETERS] or scene:...; may be repeated.",
    ),
    optgroup.option(*DATA_FORMAT[0], **DATA_FORMAT[1]),
    optgroup.option(
        "--val",
        multiple=True,
        metavar="ADDRESS",
        help="Validation data, evaluated after each epoch; may be repeated.  [default: a split of --data]",
    ),
    optgroup.option(
        "--val-fraction",
        type=click.FloatRange(0, 0.9),
        help="Fraction of --data split off for validation where there is no --val, in whole groups.  [default: 0.05]",
    ),
    optgroup.option(
        "--group-by",
        default="",
        metavar="REGEX",
        help="Images whose file names have the same first (...) stay in the same split.",
    ),
    optgroup.option(
        "--classes",
        type=split_names,
        default="",
        metavar="A,B,...",
        help="Class names that all datasets are mapped to; a class that a dataset does not label is ignored in it.",
    ),
    optgroup.option("--limit", type=click.IntRange(1), help="Use only the first images of each dataset."),
    optgroup.option("--val-limit", type=click.IntRange(1), help="Evaluate on the first images only."),
    optgroup.option("--strict", is_flag=True, help="Stop at the first problem in a dataset."),
)
TRAIN_DATA = (
    *(optgroup.option(*names, **settings) for names, settings in PSEUDO_OPTIONS),
    optgroup.option("--download", is_flag=True, help="Download Fashion-MNIST into --data first."),
)
OUTPUT = (
    optgroup.group("Output"),
    optgroup.option(
        "--out", type=click.Path(path_type=Path), required=True, help="Folder for checkpoints, state, scores and plots."
    ),
    optgroup.option("--resume", is_flag=True, help="Continue the stopped run in --out."),
)
NETWORK = (
    optgroup.group("Network"),
    optgroup.option(
        "--size",
        type=parsed_by(CARD_PARSERS["size"]),
        metavar="HxW",
        help="Input size.  [default: the model's, or the images' where small]",
    ),
    optgroup.option(
        "--model-option",
        multiple=True,
        metavar="KEY=VALUE",
        help="Argument of the model such as width=0.5 or widths=24,48,160; may be repeated.",
    ),
)
TRANSFER = (
    optgroup.option(
        "--init",
        default="",
        metavar="CHECKPOINT",
        help="Initialize from the tensors of a checkpoint that fit, widened where MODEL has more channels: a file, or a name of "
        "`edgecnn models`.",
    ),
    optgroup.option(
        "--freeze", default="", metavar="PART", help="Freeze these layers of --init: stem, backbone or a number of layers."
    ),
    optgroup.option(
        "--freeze-epochs", type=click.IntRange(0), default=0, help="Freeze for the first epochs only.  [default: all]"
    ),
)
OPTIMIZATION = (
    optgroup.group("Optimization"),
    optgroup.option("--epochs", type=click.IntRange(1), default=10, show_default=True),
    optgroup.option(
        "--max-minutes",
        type=click.FloatRange(0, min_open=True),
        help="Train as many epochs, at most --epochs, as fit into this time; the learning rate falls to its end with the time.",
    ),
    optgroup.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Batch size."),
    optgroup.option("--lr", type=click.FloatRange(0, min_open=True), default=2e-3, show_default=True, help="Peak learning rate."),
    optgroup.option("--weight-decay", type=click.FloatRange(0), default=0.02, show_default=True),
    optgroup.option(
        "--ema",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.998,
        show_default=True,
        help="Decay of the exponential moving average of the weights.",
    ),
    optgroup.option(
        "--balance",
        type=click.Choice(["none", "weights", "sampling"]),
        default="none",
        show_default=True,
        help="Make rare classes of a classifier count: by weights of the loss (effective number), or by drawing their images more often.",
    ),
    optgroup.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed; the same seed gives the same weights."
    ),
    optgroup.option(
        "--amp",
        type=click.Choice(["auto", "fp32", "bf16"]),
        default="auto",
        show_default=True,
        help="Precision of matrix products (automatic mixed precision).",
    ),
    optgroup.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Data loading processes."),
    optgroup.option(
        "--loader",
        type=click.Choice(["auto", "workers", "device"]),
        default="auto",
        show_default=True,
        help="Make batches in --workers, or on the training device with all images in its memory; auto: there if it is a GPU.",
    ),
)
AUGMENTATION = (
    optgroup.group("Augmentation"),
    optgroup.option(
        "--augment",
        default="standard",
        show_default=True,
        metavar="POLICY",
        help="none, light, standard, strong; parameters such as strong?rotate=30&erase=0; strong?copy_paste=0.3 for detectors",
    ),
    optgroup.option("--flip/--no-flip", default=True, show_default=True, help="Horizontal flips; not for digits or text."),
    optgroup.option(
        "--multiscale-fraction",
        type=click.FloatRange(0, 1),
        default=0.5,
        show_default=True,
        help="Fraction of a detector's epochs, the first ones, trained at 3/4 of its input size.",
    ),
)
ROBUSTNESS = (
    optgroup.option(
        "--adversarial",
        default="",
        metavar="EPS[:STEPS]",
        help="Adversarial training of a classifier: each image is attacked by up to EPS grey levels of 255 (PGD, 3 steps).",
    ),
)
NAME = (optgroup.option("--name", default="", help="Name in the card.  [default: MODEL]"),)


def option_groups(*groups: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """A decorator that adds all options of ``groups``, in their order in the help."""

    def add(function: F) -> F:
        # Decorators apply from the last to the first: reversed, the help lists the options in the order of the groups.
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return add


def data_options(values: dict[str, Any]) -> dict[str, Any]:
    """The options of ``DATA`` as fields of ``TrainConfig``; raises ``InputError`` for --val-fraction beside --val."""
    from edgecnn.errors import InputError

    given, data_format = values.pop("val_fraction"), values.pop("data_format")
    if given and values["val"]:
        raise InputError("--val-fraction splits --data, but --val names the validation data", "leave one of them out")
    addresses = {name: tuple(with_format(uri, data_format) for uri in values[name]) for name in ("data", "val")}
    return {**values, **addresses} | ({} if given is None else {"val_fraction": given})


@contextlib.contextmanager
def needs_train_extra() -> Iterator[None]:
    """Imports in this block raise ``MissingExtraError`` where a package of the extra `train` is missing."""
    from edgecnn.errors import MissingExtraError

    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise MissingExtraError(error.name, "train") from error


@click.command("train", epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@option_groups(DATA, TRAIN_DATA, OUTPUT, NAME, NETWORK, TRANSFER, OPTIMIZATION, AUGMENTATION, ROBUSTNESS)
def command(model: str, size: tuple[int, int] | None, **values: Any) -> None:
    """Train MODEL on images; the models are listed at the end.

    \b
    edgecnn train resnet-s --data fashion-mnist --download --epochs 15 --out runs/resnet
    edgecnn train edgedet --data "scene:cups?seed=1&count=2000" --val "scene:cups?seed=9001&count=200" --out runs/cups
    edgecnn train edgedet --data "faces?merge=face&split=train" --val "faces?merge=face&split=val" --out runs/faces

    PARAMETERS select a split and classes of a dataset, in this order: format=FORMAT, labels=a,b or FILE, list=FILE, every=N,
    group=REGEX, split=NAME with val_fraction=0.2 and seed=0 where the dataset has no splits, rename=a:b,c:d, ignore=a:b, merge=NAME,
    classes=a,b.
    """
    data = data_options(values)
    check_model(model)
    check_checkpoint(data["init"])
    check_addresses(*(() if data["download"] else data["data"]), *data["val"])
    with needs_train_extra():
        from edgecnn.teachers import open_teachers
        from edgecnn.train import TrainConfig, train
        from edgecnn.train.distributed import join_group
        from edgecnn.train.hardware import use_all_cpus
    config = TrainConfig(model=model, model_options={"size": size} if size else {}, **data)
    use_all_cpus()
    with open_teachers(config.pseudo) as teachers:
        path = train(config, click.echo, teachers=teachers)
    if join_group().main:
        click.echo(f"wrote {path}")
