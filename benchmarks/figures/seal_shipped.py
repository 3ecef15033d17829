"""Writes digests, and the int8 outputs of the engine on this machine, into the shipped artifacts; graph and weights stay as they are.

`python -m edgecnn.benchmarks.figures.seal_shipped`

With ``--export NAME`` the int8 file of a shipped checkpoint is made anew first: exported, verified, measured on test images, and
given the reference profile of its training images. The datasets are in the folder EDGECNN_DATA, and what ``benchmarks/pack_shipped.sh``
made of them in EDGECNN_PACKED.

`python -m edgecnn.benchmarks.figures.seal_shipped --export fashion-resnet-xs`
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from edgecnn import shipped
from edgecnn.benchmarks.figures.profile_shipped import placed, profile
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import EdgeCnnError, ParityError
from edgecnn.files import write_file
from edgecnn.golden import GOLDENS_KEY, decode
from edgecnn.integrity.digest import sealed
from edgecnn.integrity.sections import DIGEST_KEY, SIGNATURE_KEY, read_body, split
from edgecnn.runtime.backends import file_format, open_backend
from edgecnn.runtime.model import engine_record
from edgecnn.runtime.model.selftest import run_golden, selftest


@dataclass(frozen=True, slots=True)
class Int8Recipe:
    """The addresses behind an int8 file: ``calibration`` sets its ranges, ``evaluate`` says what it loses, at most ``max_drop`` points.

    One of the images of ``verify`` becomes a golden inside the file, so they are rendered, or of a dataset without rights (CC0).
    """

    calibration: str
    verify: str
    evaluate: str
    max_drop: float | None = None


_CROPS = "scene:cups?seed=11&count=64&every=36&cut=7.2&speed=6&size=320x240&rotate=180&crops=identity"
_FASHION = Int8Recipe("{data}/fashion-mnist?split=train", _CROPS, "{data}/fashion-mnist?split=test")
_CUPS = Int8Recipe(
    "scene:cups?seed=11&every=40", "scene:cups?seed=9400&fps=1&cut=1", "scene:cups?seed=9100&count=250&fps=1&cut=1", 0.5
)
_FACES = "{data}/facemask853?merge=face&group=@content&val_fraction=0.2&seed=0&split="
_PHOTOGRAPHS = Int8Recipe("{packed}/all", f"{_FACES}train", f"{_FACES}val")
RECIPES: Mapping[str, Int8Recipe] = {
    "cups": _CUPS,
    "person-face-vehicle": _PHOTOGRAPHS,
    "person-face-vehicle-m": _PHOTOGRAPHS,
    "fashion-resnet-m": _FASHION,
    "fashion-resnet-s": _FASHION,
    "fashion-resnet-xs": _FASHION,
}


def export_int8(name: str, recipe: Int8Recipe) -> Path:
    """Export the shipped checkpoint ``name`` to int8 ONNX beside it, with the profile of its training images; not sealed yet.

    Raises what ``run_exports`` raises, among it where the file loses too much accuracy.
    """
    from edgecnn.export.config import ExportConfig
    from edgecnn.export.run import run_exports

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config = ExportConfig(
            model=name,
            formats=("onnx",),
            precisions=("int8",),
            out=folder,
            calibration=placed(recipe.calibration),
            verify=placed(recipe.verify),
            evaluate=placed(recipe.evaluate),
            max_drop=recipe.max_drop,
        )
        (made,) = run_exports(config, click.echo, lambda line: click.echo(line, err=True))
        profiled = folder / "profiled"
        profiled.mkdir()
        click.echo(profile(made.path, name, profiled))
        return Path(shutil.copyfile(made.path, shipped.FOLDER / f"{name}{shipped.ARTIFACT}"))


def seal_file(path: Path) -> ModelCard:
    """Seal the artifact at ``path`` and return its card. Raises ``ParityError`` where its goldens fail."""
    sections = split(path)
    body = read_body(path, sections)
    texts = {key: text.decode() for key, text in sections.texts.items()}
    card = ModelCard.from_json(texts.pop(CARD_KEY), str(path))
    # A signature is of the former texts.
    for key in (DIGEST_KEY, SIGNATURE_KEY, engine_record.ENGINE_KEY):
        texts.pop(key, None)
    if card.precision == "int8":
        texts[engine_record.ENGINE_KEY] = _engine_text(path, card, texts[GOLDENS_KEY])
    final, content = sealed(path, card, texts)
    write_file(path, content)
    assert final is not None
    assert read_body(path, split(path)) == body
    return final


def _engine_text(path: Path, card: ModelCard, goldens_text: str) -> str:
    goldens = decode(goldens_text, str(path))
    backend = open_backend(path)
    try:
        violations = selftest(backend, card, path).violations
        if violations:
            raise ParityError(f"{path} fails its goldens: {'; '.join(violations)}", "export it again")
        outputs = [run_golden(golden, backend, card) for golden in goldens]
    finally:
        backend.close()
    return engine_record.encode(outputs, [golden.outputs for golden in goldens], file_format(path))


@click.command()
@click.option("--export", "names", multiple=True, type=click.Choice(list(RECIPES)), help="Make this int8 file anew first.")
def main(names: tuple[str, ...]) -> None:
    """Seal all shipped artifacts, or those that are exported."""
    try:
        made = [export_int8(name, RECIPES[name]) for name in names]
        for path in made or sorted(shipped.FOLDER.glob(f"*{shipped.ARTIFACT}")):
            click.echo(f"{path.name}: {seal_file(path).graph_sha256}")
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
