"""`edgecnn compress`: a smaller network from a larger one, step by step, with a report that compares the steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.early_checks import check_addresses, check_checkpoint, check_model, check_teacher
from edgecnn.cli.options import TeacherFile, split_names
from edgecnn.cli.source_options import NETWORK_OPTIONS, network_source, network_words, take_network_options
from edgecnn.cli.train import (
    AUGMENTATION,
    DATA,
    NETWORK,
    OPTIMIZATION,
    OUTPUT,
    data_options,
    needs_train_extra,
    option_groups,
)

if TYPE_CHECKING:
    from edgecnn.compress import CompressConfig
    from edgecnn.compress.distill import Method

METHODS = ("kd", "dkd", "cells")  # written out, so that --help need not import torch

DISTILLATION = (
    optgroup.group("Distillation"),
    optgroup.option("--student", default="", metavar="MODEL", help="Network to train: a model of `edgecnn train`."),
    optgroup.option(
        "--teacher",
        "teachers",
        type=TeacherFile(),
        multiple=True,
        metavar="CHECKPOINT",
        help="Teacher; several form an ensemble. A model file labels the images.  [default: CHECKPOINT]",
    ),
    optgroup.option(
        "--method", type=click.Choice(METHODS), help="Distillation loss.  [default: kd for classifiers, cells for detectors]"
    ),
    optgroup.option(
        "--teacher-weight", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="Weight of the teacher in the loss."
    ),
    optgroup.option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=4.0,
        show_default=True,
        help="Softmax temperature of a classifier's logits.",
    ),
    optgroup.option(
        "--beta", type=click.FloatRange(0), default=8.0, show_default=True, help="Weight of the non-target classes in dkd."
    ),
)
PRUNING = (
    optgroup.group("Pruning"),
    optgroup.option("--target-macs", default="", metavar="4x|25%|10M", help="Prune to this number of multiply-accumulates."),
    optgroup.option("--target-latency", default="", metavar="2ms|FILE", help="Prune to this latency here, or to that of a file."),
    optgroup.option("--rounds", type=click.IntRange(1), default=4, show_default=True, help="Pruning rounds."),
    optgroup.option(
        "--round-epochs",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Fine-tuning epochs after each round; --epochs after the last.",
    ),
)
QAT = (
    optgroup.group("Quantization-aware training"),
    optgroup.option("--qat", is_flag=True, help="Quantization-aware training for int8 at the end."),
    optgroup.option("--qat-epochs", type=click.IntRange(1), default=3, show_default=True, help="Its epochs, at a tenth of --lr."),
)
OWN_CODE = (
    optgroup.group("A network of your own code (package.module:factory as CHECKPOINT), with --qat"),
    *NETWORK_OPTIONS,
)
REPORT = (
    optgroup.group("Report"),
    optgroup.option(
        "--measure",
        metavar="LIST",
        help="Formats to export and measure: onnx, openvino, tflite, or none.  [default: all that are installed]",
    ),
    optgroup.option("--measure-limit", type=click.IntRange(1), help="Image limit for the accuracy of exported files."),
    optgroup.option("--full", is_flag=True, help="Full measurement protocol: 662 runs and 10 s a file."),
    optgroup.option("--threads", type=click.IntRange(1), help="CPU threads of the measured engines.  [default: all]"),
    optgroup.option(
        "--compare",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Only report: folder of a run, or checkpoint; may be repeated.",
    ),
)


@click.command("compress")
@click.argument("checkpoint", default="", metavar="[CHECKPOINT]")
@option_groups(DISTILLATION, PRUNING, QAT, OWN_CODE, REPORT, DATA, OUTPUT, NETWORK, OPTIMIZATION, AUGMENTATION)
def command(
    measure: str | None, measure_limit: int | None, full: bool, threads: int | None, compare: tuple[Path, ...], **values: Any
) -> None:
    """Compress the network in CHECKPOINT, or train a smaller one with --student and --teacher.

    \b
    edgecnn compress --student resnet-xs --teacher big.safetensors --data fashion-mnist --epochs 30 --out runs/small
    edgecnn compress big.safetensors --target-macs 4x --qat --data fashion-mnist --epochs 20 --out runs/pruned
    edgecnn compress package.module:factory --weights net.pth --input 1x3x96x96 --task classify --labels a,b --qat --data DIR --out runs/q
    edgecnn compress --compare runs/small --compare runs/pruned --data fashion-mnist --out runs/both

    The steps run in this order: distillation, pruning, quantization-aware training. --resume continues a stopped run.
    At the end the network before and after each step is exported and measured here: report.md, report.json and pareto.png.
    """
    from edgecnn.models.factories import is_factory

    own = take_network_options(values)
    values = data_options(values)
    check_addresses(*values["data"], *values["val"])
    check_model(values["student"])
    if not is_factory(values["checkpoint"]):
        check_checkpoint(values["checkpoint"])
    for teacher in values["teachers"]:
        check_teacher(teacher)
    with needs_train_extra():
        from edgecnn.train.hardware import use_all_cpus
        from edgecnn.variants import VariantConfig, compress_and_report, named_checkpoints, write_report

    variants = VariantConfig(
        formats=None if measure is None else tuple(name for name in split_names(measure) if name != "none"),
        data=(values["val"] or values["data"])[0],
        calibration=values["data"][0],
        limit=measure_limit,
        threads=threads,
        full=full,
    )
    if compare:
        write_report(named_checkpoints(compare), variants, values["out"], say=click.echo)
        return
    config = _config(**values, factory_options=_open_factory(values["checkpoint"], own))
    use_all_cpus()
    compress_and_report(config, variants, click.echo)


def _open_factory(target: str, given: dict[str, Any]) -> tuple[str, ...]:
    """Open ``package.module:factory`` with its options, and return these as words; () for a checkpoint.

    Raises ``InputError`` for options beside a checkpoint, and for a network that can't be trained here.
    """
    from edgecnn.errors import InputError
    from edgecnn.export.for_training import open_factory
    from edgecnn.models.factories import is_factory

    words = network_words(given)
    if not is_factory(target):
        if words:
            raise InputError(f"{words[0]} is for package.module:factory, not for a checkpoint", "remove the option")
        return ()
    open_factory(target, network_source(given))
    return words


def _config(
    *,
    checkpoint: str,
    student: str,
    teachers: tuple[str, ...],
    method: Method | None,
    teacher_weight: float,
    temperature: float,
    beta: float,
    size: tuple[int, int] | None,
    factory_options: tuple[str, ...],
    **values: Any,
) -> CompressConfig:
    """The configuration; teachers that are exported files label images instead of being distilled."""
    from edgecnn.compress import CompressConfig, DistillConfig
    from edgecnn.compress.config import STEP_FIELDS
    from edgecnn.teachers import labels_images
    from edgecnn.train import TrainConfig

    artifacts = tuple(filter(labels_images, teachers))
    steps = {name: values.pop(name) for name in STEP_FIELDS}
    return CompressConfig(
        train=TrainConfig(model=student, pseudo=artifacts, model_options={"size": size} if size else {}, **values),
        checkpoint=checkpoint,
        factory_options=factory_options,
        teachers=tuple(name for name in teachers if name not in artifacts),
        distill=DistillConfig(
            method=method or "",
            weight=teacher_weight,
            temperature=temperature,
            beta=beta,
        ),
        **steps,
    )
