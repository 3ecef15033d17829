from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.data import Dataset, open_dataset
from edgecnn.errors import InputError
from edgecnn.scene.pixel_concepts import OBJECT, PART
from edgecnn.trust.colours import COLOURS
from edgecnn.trust.explain.dissection.concept_maps import COLOUR, ConceptReader
from edgecnn.trust.explain.dissection.overlap import ConceptOverlap, Enlarged
from edgecnn.trust.explain.dissection.result import THRESHOLD, Dissection
from edgecnn.trust.explain.dissection.run import dissect
from edgecnn.trust.explain.dissection.text import dissection_lines
from edgecnn.trust.explain.dissection.top_values import TopValues
from edgecnn.types import Float32, Image
from tests.trust.explain.planted import PREPROCESS, SIDE, UNITS, PlantedReader, planted_dataset


@pytest.fixture(scope="module")
def found() -> Dissection:
    dataset = planted_dataset()
    return dissect(PlantedReader(dataset), dataset, PREPROCESS, name="planted", pictures=True)


def test_planted_units_are_named_and_noise_is_no_detector(found: Dissection) -> None:
    units = {UNITS[one.unit]: one for one in found.layers[0].units}
    assert (units["red"].kind, units["red"].concept) == (COLOUR, "red")
    assert units["red"].iou > 0.3
    assert (units["handle"].kind, units["handle"].concept) == (PART, "handle")
    assert units["handle"].iou > 0.8
    assert units["noise"].iou < THRESHOLD
    assert not units["noise"].detects
    assert "constant" not in units
    assert found.layers[0].silent == 1
    assert found.layers[0].detectors == {COLOUR: 1, "texture": 0, PART: 1, OBJECT: 0}


def test_concepts_of_other_images_are_not_detected(found: Dissection) -> None:
    assert found.layers[0].by_chance == 0
    assert all(one.chance < THRESHOLD for one in found.layers[0].units if UNITS[one.unit] != "red")


def test_a_unit_that_depends_on_the_place_alone_is_shown_by_the_control() -> None:
    dataset = planted_dataset()
    same = dataset.samples[0].concepts
    assert same is not None
    handle = (same().maps[PART] == 2) * (1 + 0.1 * np.random.default_rng(0).random((SIDE, SIDE)))
    fixed = np.stack([handle] * len(UNITS)).astype(np.float32)

    class FixedPlace(PlantedReader):
        def activations(self, image: Image, names: Sequence[str]) -> dict[str, Float32]:
            return dict.fromkeys(names, fixed)

    samples = [dataclasses.replace(sample, concepts=same) for sample in dataset.samples]
    found = dissect(FixedPlace(dataset), dataclasses.replace(dataset, samples=samples), PREPROCESS, name="fixed")
    assert found.layers[0].units[0].chance > 0.5
    assert found.layers[0].by_chance == 4


def test_pictures_show_where_the_unit_is_active(found: Dissection) -> None:
    handle = next(one for one in found.pictures if one.unit.concept == "handle")
    assert len(handle.images) == 4
    assert handle.images[0].shape == (SIDE, SIDE, 3)
    assert (handle.images[0].max(2) < 60).mean() > 0.9


def test_document_and_text_agree(found: Dissection) -> None:
    document = found.to_document()
    assert document["layers"][0]["detectors"][PART] == 1
    assert document["concepts"][PART]["handle"] == pytest.approx(12 / SIDE**2)
    text = "\n".join(dissection_lines(found))
    assert "2 of 4 units in 1 layers detect a concept (colour 1, part 1, object 0)" in text
    assert "part handle" in text


def test_thresholds_are_exact_where_they_fit_and_close_where_they_are_drawn() -> None:
    values = np.random.default_rng(0).normal(size=(3, 40, 500)).astype(np.float32)
    exact, drawn = TopValues(20_000, 0.05), TopValues(20_000, 0.05, most=200)
    for image in range(40):
        exact.add(values[:, image])
        drawn.add(values[:, image])
    flat = values.reshape(3, -1)
    assert ((flat > exact.thresholds()[:, None]).mean(1) == 0.05).all()
    assert (flat > drawn.thresholds()[:, None]).mean(1) == pytest.approx([0.05] * 3, abs=0.015)


def test_maps_are_enlarged_as_images_are() -> None:
    maps = np.random.default_rng(0).random((2, 5, 7)).astype(np.float32)
    large = Enlarged((5, 7), (20, 31))(maps)
    for own, expected in zip(large, maps, strict=True):
        assert own == pytest.approx(cv2.resize(expected, (31, 20), interpolation=cv2.INTER_LINEAR), abs=1e-5)
    assert Enlarged((1, 1), (4, 4))(maps[:, :1, :1]) == pytest.approx(np.broadcast_to(maps[:, :1, :1], (2, 4, 4)))


def test_overlap_is_intersection_over_union() -> None:
    overlap = ConceptOverlap(1, {"kind": 2})
    labels = np.array([[0, 1, 1, 2]], np.uint16)
    overlap.add(np.array([[[False, True, False, True]]]), {"kind": labels})
    overlap.add(np.array([[[True, True, False, False]]]), {"kind": labels})
    assert overlap.iou("kind")[0].tolist() == pytest.approx([2 / 6, 1 / 5])
    overlap.add(np.zeros((0, 1, 4), np.bool_), {"kind": np.zeros((1, 4), np.uint16)}, np.zeros(0, np.int64))
    assert overlap.iou("kind")[0].tolist() == pytest.approx([2 / 6, 1 / 5])
    assert overlap.images("kind").tolist() == [2, 2]
    assert overlap.shares("kind").tolist() == pytest.approx([4 / 12, 2 / 12])


def test_concepts_follow_the_letterbox_and_boxes_are_objects() -> None:
    dataset = open_dataset("scene:cups?seed=3&size=320x240&count=1")
    plain = dataclasses.replace(dataset, samples=[dataclasses.replace(dataset.samples[0], concepts=None)])
    reader = ConceptReader(plain, Preprocess(size=(96, 96), color="rgb", resize="letterbox"))
    assert reader.names == {COLOUR: COLOURS, OBJECT: dataset.labels}
    image = reader(plain.samples[0])
    assert image.content.sum() == 96 * 72
    assert not image.content[:12].any()
    assert not image.maps[OBJECT][~image.content].any()
    boxes = plain.samples[0].boxes
    assert boxes is not None
    index = int(np.argmin((boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(1) + 1e9 * boxes.crowd))
    x, y = (boxes.xyxy[index, :2] + boxes.xyxy[index, 2:]) / 2 * 0.3
    assert image.maps[OBJECT][int(y) + 12, int(x)] == boxes.class_id[index] + 1


def test_a_single_image_and_no_image_are_refused() -> None:
    dataset = planted_dataset(1)
    with pytest.raises(InputError, match="fewer than 2 images"):
        dissect(PlantedReader(dataset), dataset, PREPROCESS, name="one")
    empty: Dataset = dataclasses.replace(dataset, samples=[])
    with pytest.raises(InputError, match="no image"):
        dissect(PlantedReader(dataset), empty, PREPROCESS, name="none")
