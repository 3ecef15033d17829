"""Sealing changes nothing but the card region, twice gives the same bytes, and a file that fails its goldens is left as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from edgecnn import shipped
from edgecnn.benchmarks.figures.seal_shipped import RECIPES, main, seal_file
from edgecnn.card import ModelCard
from edgecnn.errors import ParityError
from edgecnn.export.config import ExportConfig
from edgecnn.golden import GOLDENS_KEY, decode, encode
from edgecnn.integrity.digest import check_digests, sealed
from edgecnn.integrity.sections import read_body, split
from edgecnn.reference_profile.profile import profile_of
from edgecnn.runtime.model.description import describe


def test_only_texts_change_and_the_second_time_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cups.onnx"
    shutil.copy(shipped.artifact("cups"), path)
    before, sections = path.read_bytes(), split(path)
    path.write_bytes(read_body(path, sections))
    card = ModelCard.from_json(sections.texts["edgecnn.card"].decode())
    _, content = sealed(path, card, {GOLDENS_KEY: sections.texts[GOLDENS_KEY]})
    path.write_bytes(content)
    assert seal_file(path) == card
    assert read_body(path, split(path)) == read_body(shipped.artifact("cups"), split(shipped.artifact("cups")))
    sealed_once = path.read_bytes()
    seal_file(path)
    assert path.read_bytes() == sealed_once
    assert len(sealed_once) == pytest.approx(len(before), rel=0.002)


def test_a_file_that_fails_its_goldens_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "cups.onnx"
    shutil.copy(shipped.artifact("cups"), path)
    texts = dict(split(path).texts)
    card = ModelCard.from_json(texts.pop("edgecnn.card").decode())
    goldens = [
        replace(golden, image=255 - golden.image) for golden in decode(texts[GOLDENS_KEY].decode()) if golden.kind == "real"
    ]
    _, content = sealed(path, card, {GOLDENS_KEY: encode(goldens)})
    path.write_bytes(content)
    with pytest.raises(ParityError, match="fails its goldens"):
        seal_file(path)
    assert path.read_bytes() == content


def test_a_file_that_is_exported_anew_has_a_profile_and_is_sealed(
    tmp_path: Path, make_digits: Callable[[int, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = "fashion-resnet-xs", tmp_path / "weights"
    folder.mkdir()
    kept = shipped.artifact(name)
    shutil.copytree(make_digits(40, 8), tmp_path / "fashion-mnist")
    asked: list[ExportConfig] = []

    def exported(config: ExportConfig, *_: object) -> list[SimpleNamespace]:
        asked.append(config)
        return [SimpleNamespace(path=Path(shutil.copy(kept, config.out / f"{name}-int8.onnx")))]

    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    monkeypatch.setattr("edgecnn.export.run.run_exports", exported)
    monkeypatch.setattr(shipped, "FOLDER", folder)
    done = CliRunner().invoke(main, ["--export", name])
    assert done.exit_code == 0, done.output
    (config,) = asked
    assert (config.model, config.formats, config.precisions) == (name, ("onnx",), ("int8",))
    assert config.calibration == f"{tmp_path}/fashion-mnist?split=train"
    assert config.evaluate == f"{tmp_path}/fashion-mnist?split=test"
    made = folder / f"{name}.onnx"
    assert check_digests(made) is not None
    card = describe(made).card
    assert card is not None
    profile = profile_of(card, made.name)
    assert profile is not None
    assert profile.images == 40
    assert read_body(made, split(made)) == read_body(kept, split(kept))


def test_goldens_come_from_rendered_images() -> None:
    free = ("scene:", "{data}/facemask853?")  # rendered, and CC0
    assert all(recipe.verify.startswith(free) for recipe in RECIPES.values())


def test_a_name_without_a_recipe_is_refused() -> None:
    done = CliRunner().invoke(main, ["--export", "nothing"])
    assert done.exit_code == 2
    assert "'nothing' is not one of" in done.output
