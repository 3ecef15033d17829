"""The picture of the shortcuts in docs/trust.md: for each network one image of each class, its maps of evidence, and changed images.

python -m edgecnn.benchmarks.figures.shortcut_pictures NET=ADDRESS ... --out docs/shortcuts.jpg
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.trust.attribution.overlay import overlay, with_boxes
from edgecnn.trust.shortcuts.config import ShortcutsConfig
from edgecnn.trust.shortcuts.report import ShortcutExample, ShortcutsReport
from edgecnn.trust.shortcuts.search import find_shortcuts
from edgecnn.types import Float32, Image

SHOWN = {
    "background taken from an image of another class": "other background",
    "corners erased": "corners erased",
    "object moved to where one of another class was": "moved",
    "object removed": "removed",
}
TILE, WORDS, GAP = 132, 22, 6
INK, RED = (40, 30, 20), (30, 90, 200)  # BGR


@click.command()
@click.argument("networks", nargs=-1, required=True, metavar="NET=ADDRESS...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The JPEG file.")
@click.option("--method", default="occlusion", show_default=True, help="Method of attribution.")
def command(networks: tuple[str, ...], out: Path, method: str) -> None:
    """Draw a row for an image of each class of each NET on the dataset at ADDRESS."""
    check_writable(out)
    rows = [_row(one, method) for text in networks for one in _examples(text, method)]
    image = np.concatenate(rows)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 58])[1]
    write_file(out, data.tobytes())
    click.echo(f"wrote {out}, {len(data) / 1024:.0f} KiB")


def _examples(text: str, method: str) -> list[ShortcutExample]:
    """The first image of each class."""
    file, mark, address = text.partition("=")
    if not mark:
        raise InputError(f"{text} names no dataset", "write NET=ADDRESS")
    config = ShortcutsConfig(
        file=Path(file), data=DatasetSelection(address), count=40, explained=40, examples=40, methods=(method,)
    )
    report: ShortcutsReport = find_shortcuts(config)
    return [
        next(one for one in report.examples if one.truth == truth) for truth in sorted({one.truth for one in report.examples})
    ]


def _row(example: ShortcutExample, method: str) -> Image:
    tiles = [_tile(with_boxes(example.image, example.boxes), f"{example.truth}: {example.words}", INK)]
    heat: Float32 = example.heat[method]
    tiles.append(_tile(overlay(example.image, heat, example.boxes), f"evidence, {method}", INK))
    for variant in example.variants:
        if variant.title in SHOWN:
            picture = with_boxes(variant.image, variant.boxes)
            tiles.append(_tile(picture, f"{SHOWN[variant.title]}:", INK, variant.words, RED if variant.good is False else INK))
    return np.concatenate(tiles, 1)


def _tile(
    image: Image, words: str, color: tuple[int, int, int], second: str = "", second_color: tuple[int, int, int] = INK
) -> Image:
    """The picture with up to two lines under it."""
    tile = np.full((TILE + 2 * WORDS + GAP, TILE + GAP, 3), 255, np.uint8)
    tile[:TILE, :TILE] = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA)
    for line, (text, ink) in enumerate(((words, color), (second, second_color))):
        place = (1, TILE + 15 + 15 * line)
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.37, ink, 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    figure.run(command)
