"""Writes the reference profile of `edgecnn run --drift` into the shipped models; weights, graphs and outputs stay as they are.

`python -m edgecnn.benchmarks.figures.profile_shipped [NAME...]`

Each model is run on images of what it was trained on: the scene, Fashion-MNIST in the folder EDGECNN_DATA, and the photographs
of person-face-vehicle, which ``benchmarks/pack_shipped.sh`` wrote to the folder EDGECNN_PACKED. `denoise` and `superres` get
none: what reaches them is a degraded image, which the data are not.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from edgecnn import shipped
from edgecnn.errors import EdgeCnnError
from edgecnn.integrity.sections import has_sections, read_body, split
from edgecnn.trust.drift.add_profile import add_profile

IMAGES = 500
_SCENES = (
    "scene:cups?seed=101&count=2000&size=320x240&fps=1&cut=1",
    "scene:cups?seed=102&count=600&size=320x240&fps=1&cut=1&rotate=30&occlude=0.7&light=0.7&objects=8&vary=0.3",
)
_FASHION = ("{data}/fashion-mnist?split=train",)
_PHOTOGRAPHS = ("{packed}/all",)
DATA: Mapping[str, tuple[str, ...]] = {
    "cups": (
        "scene:cups?seed=107&count=6000&size=320x240&fps=1&cut=1",
        "scene:cups?seed=108&count=1500&size=320x240&fps=1&cut=1"
        "&rotate=45&occlude=0.7&light=0.8&noise=0.6&blur=0.6&objects=8&vary=0.3",
        "scene:cups?seed=109&count=2500&fps=1&cut=1&vary=0.2",
    ),
    "cups-embed": ("scene:cups?seed=11&count=600&every=36&cut=7.2&speed=6&size=320x240&rotate=180&crops=identity",),
    "cups-pose": _SCENES,
    "cups-segment": _SCENES,
    "fashion-resnet-m": _FASHION,
    "fashion-resnet-s": _FASHION,
    "fashion-resnet-xs": _FASHION,
    "person-face-vehicle": _PHOTOGRAPHS,
    "person-face-vehicle-m": _PHOTOGRAPHS,
}


def placed(address: str) -> str:
    """A dataset address with the folders of the datasets."""
    return address.format(
        data=os.environ.get("EDGECNN_DATA", "../shared/data"), packed=os.environ.get("EDGECNN_PACKED", "packed")
    )


def profile(file: Path, name: str, folder: Path) -> str:
    """Give the file of a shipped model its profile, and say how much it grew."""
    data = [placed(address) for address in DATA[name]]
    made = add_profile(file, data, folder / file.name, limit=IMAGES, source="training")
    if has_sections(file):
        assert read_body(file, split(file)) == read_body(made.path, split(made.path))
    grown = made.path.stat().st_size - file.stat().st_size
    shutil.copyfile(made.path, file)
    return f"{file.name}: {made.profile.images:,} images of {made.profile.data}, {grown:+,} bytes"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(DATA)))
def main(names: tuple[str, ...]) -> None:
    """Write profiles into the shipped models NAMES, by default into all."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in names or DATA:
                for file in (shipped.checkpoint(name), shipped.FOLDER / f"{name}{shipped.ARTIFACT}"):
                    if file.exists():
                        click.echo(profile(file, name, Path(folder)))
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
