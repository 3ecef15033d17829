"""`edgecnn attack`: the accuracy of model files on images that were changed to mislead them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import ALLOW_OVERLAP, ModelFile, dataset_options, model_options, split_names
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions

PATH = click.Path(path_type=Path)
STRENGTHS = "1,2,4,8,16"


def parse_strengths(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole grey levels from ``1,2,4``, each once, weakest first; raises ``click.BadParameter``."""
    try:
        found = tuple(sorted({int(word) for word in split_names(value)} - {0}))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole grey levels; give one such as {STRENGTHS}") from None
    return found


@click.command("attack", short_help="Measure the accuracy of model files under attack.")
@click.argument("files", metavar="FILE [FILE...]", nargs=-1, required=True, type=ModelFile())
@dataset_options(
    (
        ("--data",),
        {"required": True, "metavar": "ADDRESS", "help": "Dataset: DIR[?PARAMETERS], COCO .json file or scene:cups?..."},
    ),
    (
        ("--data-labels",),
        {"metavar": "NAMES", "help": "Class names of a dataset whose files have none: a,b,c or a file."},
    ),
    ALLOW_OVERLAP,
)
@optgroup.group("Attack")
@optgroup.option(
    "--model",
    metavar="CHECKPOINT",
    help="Checkpoint that the files were exported from: its gradients are used, and it is measured.",
)
@optgroup.option(
    "--method",
    "methods",
    type=split_names,
    default="",
    metavar="LIST",
    help="Of noise, fgsm, pgd, square.  [default: noise,fgsm,pgd with a checkpoint, else noise,square]",
)
@optgroup.option(
    "--eps",
    "strengths",
    default=STRENGTHS,
    show_default=True,
    callback=parse_strengths,
    metavar="LIST",
    help="Strengths: how many grey levels of 255 a pixel may change.",
)
@optgroup.option("--steps", type=click.IntRange(1), default=10, show_default=True, help="Steps of pgd.")
@optgroup.option(
    "--queries",
    type=click.IntRange(2),
    default=200,
    show_default=True,
    help="Answers that square asks for, by image and strength.",
)
@optgroup.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed; the same seed, the same attack."
)
@optgroup.group("Smoothing")
@optgroup.option(
    "--smooth",
    type=click.FloatRange(0, 2, min_open=True),
    metavar="SIGMA",
    help="Randomised smoothing of a classifier with its certificate: standard deviation of the noise, such as 0.1 of the pixel range.",
)
@optgroup.option("--samples", type=click.IntRange(10), default=200, show_default=True, help="Noisy copies of each image.")
@optgroup.option(
    "--smoothed-images", type=click.IntRange(1), default=50, show_default=True, help="Images that are smoothed, the first ones."
)
@model_options
@optgroup.group("Output")
@optgroup.option("--json", "json_path", type=PATH, help="Write all results as JSON.")
@optgroup.option("--html", "html_path", type=PATH, help="Write a page with curves and attacked images.")
def command(
    files: tuple[Path, ...],
    data: str,
    data_labels: str | None,
    selection: dict[str, Any],
    model: str | None,
    json_path: Path | None,
    html_path: Path | None,
    options: CardOptions,
    **values: Any,
) -> None:
    """Measure the accuracy of model FILEs, artifacts or checkpoints of one network, on images that were changed to mislead them.

    \b
    edgecnn attack model.safetensors model-fp32.onnx model-int8.onnx --data fashion-mnist
    edgecnn attack model-int8.tflite --model model.safetensors --data fashion-mnist --html attack.html
    edgecnn attack cups --data "scene:cups?seed=5&count=40" --method square --eps 4,8

    Images are attacked in whole grey levels at the size of the input: fgsm and pgd by gradients of the checkpoint, and shown to all
    files; square by the answers of each file itself. Random noise of the same strength is the control. --limit images (200) are
    spread evenly over the dataset.
    """
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.files import check_reports, write_file
    from edgecnn.trust.attack.run import AttackConfig, run_attack
    from edgecnn.trust.attack.text import to_text

    read = files if model is None else (*files, Path(model))
    check_reports([json_path, html_path], [part for path in read for part in model_files(path)])
    if html_path is not None:
        from edgecnn.benchmarks.report.template import load_jinja

        load_jinja()
    config = AttackConfig(
        files=files,
        data=DatasetSelection(data, labels=data_labels, **selection),
        model=None if model is None else _checkpoint(model),
        options=options,
        pictures=6 if html_path is not None else 0,
        **values,
    )
    with interruptible("the attack was interrupted, nothing was written") as line:
        found = run_attack(config, report=line.above, progress=line)
    click.echo(to_text(found))
    if json_path is not None:
        write_file(json_path, dump_json(found.to_document(), indent=1))
    if html_path is not None:
        from edgecnn.trust.attack.page import attack_page

        write_file(html_path, attack_page(found))


def _checkpoint(name: str) -> Path:
    """The checkpoint called ``name``, a file or a shipped model; raises what ``find_checkpoint`` raises."""
    from edgecnn.models.checkpoint import find_checkpoint

    return find_checkpoint(name)
