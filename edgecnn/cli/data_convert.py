"""`edgecnn data convert`: any datasets of boxes as one clean COCO dataset."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from edgecnn.cli.options import DATA_FORMAT, PSEUDO_OPTIONS, add_options, split_names, with_format


@click.command("convert", short_help="Write one or more datasets of boxes as one COCO dataset.")
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for images/ and instances.json.")
@click.option(
    "--max-side", type=click.IntRange(1), help="Scale images down to this many pixels; never up.  [default: keep sizes]"
)
@click.option(
    "--image-format",
    type=click.Choice(["jpeg", "webp"]),
    default="jpeg",
    show_default=True,
    help="Format of the image files; WebP needs about a quarter less space.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="Quality of the image files.")
@click.option("--classes", type=split_names, default="", metavar="A,B,...", help="Class names that all datasets are mapped to.")
@click.option(
    "--apart-from",
    multiple=True,
    metavar="ADDRESS",
    help="Images to evaluate on: leave out what looks like one of them; may be repeated.",
)
@click.option("--limit", type=click.IntRange(1), help="Use only the first images of each dataset.")
@partial(add_options, options=(DATA_FORMAT,))
@partial(add_options, options=PSEUDO_OPTIONS)
@click.option("--cache", type=click.Path(path_type=Path), help="Folder that keeps the teachers' predictions for the next time.")
def command(addresses: tuple[str, ...], data_format: str, pseudo: tuple[str, ...], **values: Any) -> None:
    """Write the datasets at ADDRESS... as one COCO dataset: to keep, to carry to another machine, to give to other tools.

    \b
    edgecnn data convert DIR --out packed --max-side 416
    edgecnn data convert "DIR?merge=face&split=train" --out packed --classes person,face --pseudo yolox_nano.onnx
    edgecnn data convert "walk.mp4?every=10" --out packed --classes person --pseudo a.onnx --pseudo b.onnx

    Images that can't be read and copies of earlier ones are left out. Ignored boxes become iscrowd 1. Classes that are not labelled in
    an image are its not_exhaustive_category_ids; training on the folder ignores them there. SOURCES.json says what came from where, and
    licences/ has the licence files of the datasets.
    """
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.data.convert import ConvertConfig, convert, problem_text, result_text
    from edgecnn.data.ensemble import Consensus
    from edgecnn.teachers import open_teachers

    consensus = Consensus(values.pop("pseudo_votes"), values.pop("pseudo_iou"))
    config = ConvertConfig(tuple(with_format(uri, data_format) for uri in addresses), consensus=consensus, **values)
    with open_teachers(pseudo) as teachers, ProgressLine() as line:
        made = convert(
            config, teachers, say=line.above, progress=lambda what, done, total: line(f"{what}: {done:,} of {total:,}")
        )
    click.echo("\n".join([*problem_text(made), *result_text(made), f"wrote {config.out}"]))
