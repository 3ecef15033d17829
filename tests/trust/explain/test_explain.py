from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.cli import main
from edgecnn.trust.explain.maps_section import walk
from edgecnn.trust.explain.words import arithmetic
from tests.trust.explain.test_inner import opened
from tests.trust.inside.networks import image, write_network

MODEL = ["--task", "classify", "--labels", "a,b", "--color", "rgb", "--mean", "0", "--std", "255"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_network(tmp_path, "onnx")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label in ("a", "b"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(3):
            cv2.imwrite(str(folder / f"{number}.png"), image(number, side=20))
    return tmp_path / "photos"


def explained(*words: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["explain", *map(str, words), *MODEL])
    found = capsys.readouterr()
    return int(end.value.code or 0), found.out, found.err


def test_page_document_and_text(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, document = tmp_path / "x.html", tmp_path / "x.json"
    code, out, _ = explained(model, "--data", photos, "--html", page, "--json", document, capsys=capsys)
    assert code == 0
    assert "depthwise conv 3 x 3, relu" in out
    text = page.read_text()
    for title in ("First-layer filters", "One image on its way", "Receptive fields", "What makes each unit fire most"):
        assert title in text
    assert "(16 + 1 + 0 - 3) / 2 + 1 = 8" in text
    assert "src=\"http" not in text  # fmt: skip
    assert text.count("data:image/") > 50
    found = json.loads(document.read_text())
    assert (found["schema"], found["version"], found["images"]) == ("edgecnn.explain", 1, 6)
    assert [layer["name"] for layer in found["layers"]][:2] == ["first_relu", "depth_relu"]
    assert len(found["filters"]["filters"]) == 4
    first = found["patches"]["layers"][0]
    assert (first["name"], len(first["units"])) == ("first_relu", 4)
    peak = first["units"][0][0]
    assert peak["image"].endswith(".png")
    assert peak["box"][2] - peak["box"][0] == 3


def test_without_images_layers_and_filters_are_shown(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = explained(model, capsys=capsys)
    assert code == 0
    assert "4 filters of 3 x 3 pixels and 3 colours" in out
    assert "silent" not in out


def test_what_is_wrong_is_one_line(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, page = tmp_path / "broken.png", tmp_path / "x.html"
    broken.write_bytes(b"no image")
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, problem in (
        (("--image", broken), "--image: can't read"),
        (("--image", tmp_path / "missing.png"), "--image: can't read"),
        (("--layer", "frst_relu"), "near ones: first_relu"),
        (("--data", empty), "empty"),
    ):
        code, _, err = explained(model, *words, "--html", page, capsys=capsys)
        assert code == 2
        assert len(err.strip().splitlines()) == 1
        assert problem in err
        assert not page.exists()
    del photos


def test_an_image_smaller_than_the_field(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny, page = tmp_path / "tiny.png", tmp_path / "x.html"
    cv2.imwrite(str(tiny), image(side=2))
    assert explained(model, "--image", tiny, "--html", page, capsys=capsys)[0] == 0
    assert "2 x 2 pixels" in page.read_text()


def test_a_named_layer_is_shown_with_all_units(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "x.html"
    assert explained(model, "--data", photos, "--layer", "mixed", "--html", page, capsys=capsys)[0] == 0
    assert "6 of 6 units" in page.read_text()


def test_the_way_of_an_image_has_each_size(tmp_path: Path) -> None:
    with opened(tmp_path, "onnx") as reader:
        assert [step.layer.name for step in walk(reader.steps, ())] == ["first_relu", "depth_relu", "pooled", "total_relu"]
        assert arithmetic(reader.steps[2]) == "(8 - 2) / 2 + 1 = 4"
        assert arithmetic(reader.steps[1]) == "8 + 1 + 1 - 3 + 1 = 8"


def test_patches_outside_of_an_image_are_grey_and_large_ones_are_the_image() -> None:
    from edgecnn.trust.explain.pictures import patch_image

    dark = np.zeros((10, 10, 3), np.uint8)
    patch = patch_image(dark, (-2, 3, 2, 7), 100)
    assert patch[..., 0].tolist() == [[220, 220, 0, 0]] * 4
    assert patch_image(dark, (-5, -5, 20, 20), 100).shape == (10, 10, 3)
