"""`edgecnn adapt`: fine-tune a detector for one camera."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.early_checks import check_addresses
from edgecnn.cli.options import split_names
from edgecnn.cli.train import needs_train_extra

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.progress import ProgressLine


@click.command("adapt")
@click.argument("model", metavar="MODEL")
@optgroup.group("Frames")
@optgroup.option("--source", required=True, metavar="ADDRESS", help="The camera: what edgecnn run --source takes.")
@optgroup.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Watch the source for so long; a video ends before.",
)
@optgroup.option(
    "--frames", type=click.IntRange(20), default=300, show_default=True, help="Keep at most so many different frames."
)
@optgroup.option(
    "--gap",
    "gap_s",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Least time between two frames that are kept.",
)
@optgroup.group("Labels")
@optgroup.option(
    "--teacher",
    "teachers",
    multiple=True,
    required=True,
    metavar="FILE[?PARAMETERS]",
    help="A detector that labels the frames: a file or a name of edgecnn models; parameters as for train --pseudo; may be repeated.",
)
@optgroup.option(
    "--votes", type=click.IntRange(1), default=2, show_default=True, help="Teachers that must agree, where there are several."
)
@optgroup.group("Training")
@optgroup.option(
    "--data", multiple=True, metavar="ADDRESS", help="Train on this dataset of the same classes, too; may be repeated."
)
@optgroup.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@optgroup.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Batch size.")
@optgroup.option("--lr", type=click.FloatRange(0, min_open=True), default=5e-4, show_default=True, help="Peak learning rate.")
@optgroup.option(
    "--max-train-minutes", type=click.FloatRange(0, min_open=True), help="Train as many epochs as fit into this time."
)
@optgroup.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Data loading processes.")
@optgroup.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@optgroup.group("Output")
@optgroup.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for frames, labels, files and the page.")
@optgroup.option(
    "--precision",
    "precisions",
    type=split_names,
    default="fp32,int8",
    show_default=True,
    metavar="A,B",
    help="Precisions of the ONNX files; the last one is compared with MODEL as it is.",
)
def command(model: str, **values: Any) -> None:
    """Fine-tune the detector MODEL for one camera: collect frames, label them with a teacher, train, export, compare.

    \b
    edgecnn adapt person-face-vehicle --source rtsp://10.0.0.7/live --teacher yolox-nano --minutes 30 --out door
    edgecnn adapt person-face-vehicle --source cars.mp4 --teacher "yolox-nano?rename=car,bus,truck:vehicle" --out street
    edgecnn run door/person-face-vehicle-int8.onnx --source rtsp://10.0.0.7/live

    MODEL is a checkpoint of `edgecnn train` or the name of a shipped detector. Frames are kept that differ from those before. Every
    fourth block of time is held out: there the new model is compared with MODEL, frame by frame. The new files get their names in
    --out only if they are better beyond chance; else MODEL stays as it is. Truth is what the teachers say: look at adapt.html.

    After Ctrl-C the same command goes on: frames and labels stay. With more --minutes it collects further frames; what was held out
    stays held out. The classes stay those of MODEL. To keep what it knew of other scenes, name its data with --data.
    """
    from edgecnn.adapt.checks import check_model

    check_model(model)
    check_addresses(*values["data"])
    with needs_train_extra():
        from edgecnn.adapt.config import AdaptConfig
        from edgecnn.adapt.page import adapt_page, check_page
        from edgecnn.adapt.run import adapt
        from edgecnn.adapt.text import lines
        from edgecnn.train.hardware import use_all_cpus
    from edgecnn.cli.interruptible import interruptible
    from edgecnn.files import write_file

    config = AdaptConfig(model=model, **values)
    check_page()
    use_all_cpus()
    with interruptible(
        "the adaptation was interrupted; frames and labels are kept", "run it again: it goes on from there"
    ) as line:
        found = adapt(config, line.above, lambda what, done, total: _show(line, what, done, total))
        line("drawing the page")
        write_file(found.folder.report, adapt_page(found))
    click.echo("\n".join([*lines(found), f"wrote {found.folder.report}"]))


def _show(line: ProgressLine, what: str, done: float, total: float) -> None:
    line(f"{what}: {min(done / total, 1.0):.0%}" if total else what)
