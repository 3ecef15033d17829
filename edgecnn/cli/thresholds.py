"""`edgecnn thresholds`: choose from which score boxes of each class are shown, on held-out images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import ALLOW_OVERLAP, ModelFile, device_options
from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.trust.class_thresholds.choose import ClassChoice
    from edgecnn.trust.class_thresholds.run import ChosenThresholds

PATH = click.Path(path_type=Path)
HEADS = ("class", "objects", "threshold", "precision", "recall", "F1", "now", "precision", "recall", "F1", "")


@click.command()
@click.argument("file", type=ModelFile())
@optgroup.group("Dataset")
@optgroup.option(
    "--data",
    multiple=True,
    required=True,
    metavar="ADDRESS",
    help="Held-out images with boxes, such as DIR or DIR?format=coco; may be given several times.",
)
@optgroup.option("--split", metavar="NAME", help="Split of the datasets.  [default: val, else test, else all images]")
@optgroup.option("--limit", type=click.IntRange(1), help="Maximum number of images of each dataset.")
@optgroup.option("--map", "renames", metavar="A=B,...", help="Rename classes of datasets and model.")
@optgroup.option(*ALLOW_OVERLAP[0], **ALLOW_OVERLAP[1])
@optgroup.option(
    "--least-objects",
    "least",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="A class with fewer objects keeps the threshold that it has.",
)
@optgroup.group("Output")
@optgroup.option("--json", "json_path", type=PATH, help="Write the results as JSON.")
@optgroup.option("--write", is_flag=True, help="Write the thresholds into the card of FILE; its digest is renewed.")
@optgroup.option("--out", type=PATH, metavar="FILE", help="With --write: write a copy.  [default: FILE itself]")
@optgroup.option("--key", type=PATH, metavar="KEY", help="With --write: Ed25519 private key that signs the file again.")
@optgroup.option("--force", is_flag=True, help="With --write: a signed file may lose its signature.")
@device_options
def command(
    file: Path,
    json_path: Path | None,
    write: bool,
    out: Path | None,
    key: Path | None,
    force: bool,
    require_signature: Path | None,
    **values: Any,
) -> None:
    """Choose from which score boxes of each class are shown by the detector FILE, on images that its training did not see.

    \b
    edgecnn thresholds runs/cups/model.safetensors --data "scene:cups?seed=7&count=400"
    edgecnn thresholds model.safetensors --data photos --data faces --split val --write
    edgecnn thresholds model-int8.onnx --data DIR --write --out model-shown.onnx
    edgecnn run model-shown.onnx --source 0

    FILE is an exported file or a checkpoint. For each class the score with the largest F1 at an overlap of 0.5 is chosen. With --write
    the card of FILE holds them: all commands that show boxes use them, exports of a checkpoint take them over, and mAP does not change.
    Use validation images: figures of images that a threshold was chosen on are too good.
    """
    from edgecnn.benchmarks.measure.progress import time_left
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.files import check_reports, write_file
    from edgecnn.integrity.signature import require_signature as check_signature
    from edgecnn.trust.card_file import check_target
    from edgecnn.trust.class_thresholds.run import ThresholdConfig, choose_thresholds

    unused = [name for name, value in {"--out": out, "--key": key, "--force": force or None}.items() if value is not None]
    if unused and not write:
        raise click.UsageError(f"{unused[0]} does nothing without --write; add --write")
    target = out / file.name if out is not None and out.is_dir() else out or file
    check_signature(file, require_signature)
    if write:
        check_target(file, target, "thresholds", key=key, force=force)
    check_reports([json_path], [*model_files(file), *model_files(target), *([] if key is None else [key])])
    with interruptible("the choice was interrupted, nothing was written") as line:
        config = ThresholdConfig(file=file, **values)
        found = choose_thresholds(config, report=line.above, progress=time_left(line, "image"))
    click.echo(table(found))
    if json_path is not None:
        write_file(json_path, dump_json(found.to_document(), indent=1))
        click.echo(f"wrote {json_path}")
    if write:
        _write(found, target, key)


def _write(found: ChosenThresholds, target: Path, key: Path | None) -> None:
    from edgecnn.cli.sign import ask_password
    from edgecnn.trust.card_file import own_card, write_card

    card = found.in_card(own_card(found.file, "thresholds"))
    lost = write_card(found.file, target, card, key, lambda: ask_password(f"Password of {key}"))
    click.echo(f"wrote {target}: its card holds the thresholds")
    if lost:
        click.echo("warning: the file was signed; sign it again, as its card has changed", err=True)


def table(found: ChosenThresholds) -> str:
    """The choice for each class in columns, then notes."""
    rows = [HEADS, *(_row(one) for one in found.classes)]
    lines = align_columns(rows, 1).splitlines()
    head = f"{counted(found.images, 'image')} of {'; '.join(found.data)}; largest F1 at an overlap of 0.5, in %"
    return "\n".join([head, *lines, *(f"note: {note}" for note in found.notes)])


def _row(one: ClassChoice) -> tuple[str, ...]:
    shown = one.chosen or one.present
    numbers = (f"{100 * value:.1f}" for value in (shown.precision, shown.recall, shown.f1))
    now = (f"{100 * value:.1f}" for value in (one.present.precision, one.present.recall, one.present.f1))
    return (
        one.label,
        f"{one.objects:,}",
        f"{shown.threshold:g}",
        *numbers,
        f"{one.present.threshold:g}",
        *now,
        one.why and f"kept: {one.why}",
    )
