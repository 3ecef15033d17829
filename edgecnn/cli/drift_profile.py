"""`edgecnn drift-profile`: write the reference profile that `edgecnn run --drift` compares with into a model file."""

from __future__ import annotations

from pathlib import Path

import click

from edgecnn.cli.options import ModelFile
from edgecnn.counts import counted


@click.command()
@click.argument("file", type=ModelFile())
@click.option(
    "--data",
    multiple=True,
    required=True,
    metavar="ADDRESS",
    help="Images that show what is usual, such as DIR or DIR?format=coco; may be given several times.",
)
@click.option("--split", metavar="NAME", help="Split of the dataset.  [default: all images]")
@click.option("--limit", type=click.IntRange(30), default=1000, show_default=True, help="Images at most, evenly spread.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write a copy.  [default: FILE itself]")
def command(file: Path, data: tuple[str, ...], split: str | None, limit: int, out: Path | None) -> None:
    """Write the reference profile of a dataset into the card of the model FILE.

    \b
    edgecnn drift-profile model.onnx --data photos
    edgecnn drift-profile cups --data "scene:cups?seed=11&fps=1&cut=1" --limit 500 --out cups.onnx
    edgecnn run cups.onnx --source 0 --drift

    FILE is run on the images. The profile holds the distribution of brightness, contrast, sharpness, colour and layout of the images,
    and of scores, boxes and classes of what FILE says: a few kilobytes, no image. Exports with --calibration and trainings write one
    by themselves. A signature is lost: sign the file again.
    """
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.trust.drift.add_profile import add_profile

    out = out / file.name if out is not None and out.is_dir() else out
    with ProgressLine() as line:
        done = add_profile(
            file, data, out, split_name=split, limit=limit, progress=lambda part, whole: line(f"image {part} of {whole}")
        )
    profile = done.profile
    width = max(len(name) for name in profile.ranges)
    click.echo(f"{'':<{width}}  {'2.5 %':>10}  {'median':>10}  {'97.5 %':>10}")
    for name, measure in profile.ranges.items():
        low, high = measure.usual
        click.echo(f"{name:<{width}}  {low:>10.3g}  {measure.median:>10.3g}  {high:>10.3g}")
    click.echo(f"wrote {done.path}: the profile of {counted(profile.images, 'image')} of {profile.data}")
    if done.unread:
        click.echo(f"warning: {counted(done.unread, 'image')} can't be read, and left out", err=True)
    if done.was_signed:
        click.echo("warning: the file was signed; sign it again, as its card has changed", err=True)
