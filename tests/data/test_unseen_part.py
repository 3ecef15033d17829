"""The address that a refusal names is of images that the model has not seen."""

from __future__ import annotations

import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.data import Dataset, open_dataset
from edgecnn.data.overlap import check_overlap
from edgecnn.data.splits import train_val_split
from edgecnn.data.unseen_part import unseen_part
from edgecnn.reference_profile.content_hash import content_hash
from edgecnn.reference_profile.seen_images import seen_record


def write(folder: Path, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    for number in range(count):
        place = folder / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number}.png"), random.integers(0, 256, (8, 8, 3)).astype(np.uint8))


def card(trained_on: Dataset, seed: int = 0) -> ModelCard:
    hashes = [content_hash(sample.read()) for sample in trained_on.samples]
    return ModelCard(
        name="net",
        task="classify",
        labels=("cat", "dog"),
        preprocess=Preprocess(size=(8, 8)),
        decode=Decode("softmax"),
        training={"seed": seed, **seen_record("training", "photos", hashes)},
    )


def advised(uri: str, model: ModelCard) -> str:
    """The address that is named; it is checked that a measurement of all its images passes."""
    cards = {"net.onnx": model}
    found = unseen_part(uri, cards, open_dataset)
    if found:
        (address,) = shlex.split(found)
        assert check_overlap(open_dataset(address), cards).parts[0].shared == 0
    return found


@pytest.mark.parametrize(("seed", "named"), [(0, "?split=val&val_fraction=0.05"), (3, "?split=val&val_fraction=0.05&seed=3")])
def test_what_a_training_held_out_is_named_with_its_seed(seed: int, named: str, tmp_path: Path) -> None:
    write(tmp_path, 60, 0)
    kept, _ = train_val_split(open_dataset(tmp_path), 0.05, seed)
    assert advised(str(tmp_path), card(kept, seed)) == shlex.quote(f"{tmp_path}{named}")


def test_the_part_of_the_division_in_the_address_is_named(tmp_path: Path) -> None:
    write(tmp_path, 60, 0)
    uri = f"{tmp_path}?split=train&val_fraction=0.3&seed=2&every=1"
    assert advised(uri, card(open_dataset(uri))) == shlex.quote(uri.replace("train", "val"))


@pytest.mark.parametrize("query", ["", "?split=train", "?split=train&rename=cat:feline"])
def test_the_test_split_of_the_dataset_is_named_with_the_other_parameters(query: str, tmp_path: Path) -> None:
    write(tmp_path / "train", 40, 0)
    write(tmp_path / "test", 20, 1)
    rest = query.partition("rename")
    named = f"?rename{rest[2]}&split=test" if rest[1] else "?split=test"
    assert advised(f"{tmp_path}{query}", card(open_dataset(f"{tmp_path}?split=train"))) == shlex.quote(f"{tmp_path}{named}")


def test_a_test_split_of_training_images_is_not_named(tmp_path: Path) -> None:
    write(tmp_path / "train", 40, 0)
    write(tmp_path / "test", 20, 0)  # the same images
    write(tmp_path / "val", 20, 1)
    assert advised(str(tmp_path), card(open_dataset(f"{tmp_path}?split=train"))) == shlex.quote(f"{tmp_path}?split=val")


def test_nothing_is_named_where_all_was_seen(tmp_path: Path) -> None:
    write(tmp_path, 30, 0)
    assert advised(str(tmp_path), card(open_dataset(tmp_path))) == ""


def test_of_a_scene_another_seed_is_named() -> None:
    uri = "scene:cups?seed=4&count=3&size=96x64"
    assert advised(uri, card(open_dataset(uri))) == "'scene:cups?count=3&size=96x64&seed=1004'"
