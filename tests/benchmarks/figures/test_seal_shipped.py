"""Sealing changes nothing but the card region, twice gives the same bytes, and a file that fails its goldens is left as it is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgecnn import shipped
from edgecnn.benchmarks.figures.seal_shipped import seal_file
from edgecnn.card import ModelCard
from edgecnn.errors import ParityError
from edgecnn.golden import GOLDENS_KEY, decode, encode
from edgecnn.integrity.digest import sealed
from edgecnn.integrity.sections import read_body, split


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
