"""Naming images by a gallery."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.postprocess.embedding import normalised
from edgecnn.runtime.steps.gallery import Gallery, GalleryStep, gallery_files, load_gallery
from edgecnn.types import Classes, Embedding, Frame, Image, Prediction, Result


def mean_colour(image: Image) -> Prediction:
    return Embedding(normalised(image.reshape(-1, 3).mean(0).astype(np.float32)))


def plain(blue: int, green: int, red: int) -> Image:
    return np.full((8, 8, 3), (blue, green, red), np.uint8)


def result_of(prediction: Prediction) -> Result:
    return Result(Frame(0, 0.0, plain(0, 0, 0)), prediction, {}, 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "grass").mkdir()
    cv2.imwrite(str(tmp_path / "sky-1.png"), plain(255, 0, 0))
    cv2.imwrite(str(tmp_path / "sky-2.png"), plain(200, 60, 60))
    cv2.imwrite(str(tmp_path / "grass" / "IMG_1.png"), plain(0, 255, 0))
    return tmp_path


def test_names_are_those_of_folders_and_files_without_their_number(folder: Path) -> None:
    (folder / "2024.png").write_bytes((folder / "sky-1.png").read_bytes())
    assert [name for name, _ in gallery_files(folder)] == ["2024", "sky", "sky", "grass"]


def test_an_image_gets_the_name_of_the_nearest(folder: Path) -> None:
    step = GalleryStep(load_gallery(folder, mean_colour), 0.9)
    found = step(result_of(mean_colour(plain(250, 20, 0)))).prediction
    assert isinstance(found, Embedding)
    assert found.name == "sky"
    assert [near.name for near in found.neighbours] == ["sky", "grass"]
    assert found.neighbours[0].image == "sky-1.png"
    assert found.neighbours[0].similarity == pytest.approx(250 / np.hypot(250, 20), abs=1e-6)


def test_an_image_like_none_of_them_is_unknown(folder: Path) -> None:
    step = GalleryStep(load_gallery(folder, mean_colour), 0.9)
    found = step(result_of(mean_colour(plain(0, 0, 255)))).prediction
    assert isinstance(found, Embedding)
    assert found.name == "unknown"
    assert found.neighbours


def test_a_damaged_image_is_left_out_and_named(folder: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "sky-1.png").read_bytes()[:40])
    gallery = load_gallery(folder, mean_colour)
    assert gallery.names == ("sky", "sky", "grass")
    assert gallery.unread[0].startswith("broken.png (")


def test_an_empty_folder_and_another_kind_of_model_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        gallery_files(_empty(tmp_path))
    with pytest.raises(InputError, match="can't read"):
        gallery_files(tmp_path / "nowhere")
    with pytest.raises(InputError, match="task embed"):
        load_gallery(folder, lambda image: Classes(np.ones(2, np.float32)))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_other_predictions_and_vectors_of_another_length_pass_unchanged() -> None:
    step = GalleryStep(Gallery(("a",), ("a.png",), np.eye(1, 3, dtype=np.float32)), 0.5)
    for prediction in (Classes(np.ones(2, np.float32)), Embedding(np.ones(4, np.float32))):
        result = result_of(prediction)
        assert step(result) is result
