from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.metrics import match
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.pipeline.region_inference import RegionInference, Tiles, merge, parse_roi, parse_tiles
from edgecnn.runtime.steps.shapes import Shape
from edgecnn.scene import Scene, parse_scene
from edgecnn.task_names import TaskName
from edgecnn.types import Detections, Image, Prediction


class Blobs:
    """Finds bright rectangles on black, as a worker does."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, image: Image) -> tuple[Prediction, dict[str, float]]:
        self.seen.append(image.shape)
        grey = np.ascontiguousarray((image.max(axis=2) > 200).astype(np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(grey)
        x, y, w, h = stats[1:, :4].T
        xyxy = np.stack([x, y, x + w, y + h], 1).astype(np.float32)
        n = len(xyxy)
        return Detections(xyxy, np.full(n, 0.9, np.float32), np.zeros(n, np.int64)), {"infer": 1.0}


def card(task: TaskName = "detect") -> ModelCard:
    preprocess, decode = Preprocess(size=(32, 32)), Decode("fcos", {"iou_threshold": 0.5})
    return ModelCard(name="blobs", task=task, labels=("blob",), preprocess=preprocess, decode=decode)


def picture(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (400, 600)) -> Image:
    image = np.zeros((*size, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 255
    return image


def look(image: Image, roi: Shape | None = None, tiles: Tiles | None = None) -> list[list[int]]:
    found, stage_ms = RegionInference(card(), roi, tiles)(Blobs(), image)
    assert set(stage_ms) == {"preprocess", "infer", "postprocess"}
    assert isinstance(found, Detections)
    return sorted(np.rint(found.xyxy).astype(int).tolist())


def test_only_the_region_is_looked_at_and_boxes_are_in_the_whole_image() -> None:
    image = picture((10, 10, 30, 30), (300, 200, 340, 260))
    assert look(image, parse_roi("200,100,500,390")) == [[300, 200, 340, 260]]
    assert look(image, parse_roi("0.5,0.25,1,1")) == [[300, 200, 340, 260]]


def test_a_polygon_hides_what_lies_beside_it() -> None:
    image = picture((110, 110, 130, 130), (260, 260, 290, 290))
    triangle = parse_roi("100,100,300,100,100,300")
    assert look(image, triangle) == [[110, 110, 130, 130]]
    assert image[270, 270].tolist() == [255, 255, 255]


def test_a_region_beside_the_picture_is_one_line() -> None:
    with pytest.raises(InputError, match=r"--roi: the region .* is too small or outside the frame"):
        look(picture(), parse_roi("700,10,900,300"))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(12, 45), st.integers(12, 45)), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
)
def test_each_thing_is_found_once_across_seams(
    things: list[tuple[int, int, int, int]], columns: int, rows: int, whole: bool
) -> None:
    """Things in cells of 60 pixels of their own, wherever the seams lie."""
    cells = {(x, y): (60 * x + 5, 60 * y + 5, 60 * x + 5 + w, 60 * y + 5 + h) for x, y, w, h in things if y < 6}
    boxes = list(cells.values())
    found = look(picture(*boxes), tiles=Tiles(columns, rows, 0.2, whole))
    assert found == sorted(list(box) for box in boxes)


def test_what_is_wider_than_the_overlap_is_joined_or_found_in_the_whole() -> None:
    wide = (100, 100, 420, 160)
    assert look(picture(wide), tiles=Tiles(2, 1, 0.2, whole=True)) == [list(wide)]
    assert look(picture(wide), tiles=Tiles(2, 1, 0.2, whole=False)) == [list(wide)]


def test_a_small_thing_in_front_of_a_large_one_stays() -> None:
    xyxy = np.array([[0, 0, 300, 300], [100, 100, 150, 150]], np.float32)
    found = Detections(xyxy, np.array([0.9, 0.8], np.float32), np.zeros(2, np.int64))
    assert len(merge(found, np.zeros(2, np.bool_), NmsOptions())) == 2
    assert len(merge(found, np.array([False, True]), NmsOptions())) == 1


def test_tiles_find_small_cups_of_a_large_picture_that_one_look_misses() -> None:
    scene = Scene(parse_scene("scene:cups?seed=4"))
    pictures, boxes = [], []
    for place, index in enumerate((0, 200, 400, 600, 800, 1000)):
        image, truth = scene.render(index)
        corner = (image.shape[1] * (place % 3), image.shape[0] * (place // 3))
        crowd = np.zeros(len(truth.boxes), np.bool_) if truth.boxes.crowd is None else truth.boxes.crowd
        pictures.append(image)
        boxes.append(truth.boxes.xyxy[~crowd] + np.tile(corner, 2))
    image = np.concatenate([np.concatenate(pictures[row : row + 3], 1) for row in (0, 3)])
    xyxy = np.concatenate(boxes).astype(np.float32)
    true = Detections(xyxy, np.ones(len(xyxy), np.float32), np.zeros(len(xyxy), np.int64))
    with Predictor("cups") as predictor:
        hits, work = [], predictor.worker()
        tiled = RegionInference(predictor.card, tiles=Tiles(3, 2, 0.1))
        for found, stage_ms in (work(image), tiled(work, image)):
            assert isinstance(found, Detections)
            assert set(stage_ms) == {"preprocess", "infer", "postprocess"}
            hits.append(len(match(true, found[found.score > 0.3], class_aware=False).pairs))
    assert hits[1] > hits[0]
    assert hits[1] > 0.6 * len(true)


@pytest.mark.parametrize("text", ["2", "0x2", "2x2:1.5", "axb", "2x2:"])
def test_wrong_tiles_are_one_line(text: str) -> None:
    with pytest.raises(InputError, match="neither COLUMNSxROWS"):
        parse_tiles(text)


def test_tiles_with_their_overlap() -> None:
    assert parse_tiles("3x2:0.3") == Tiles(3, 2, 0.3)
    assert parse_tiles("4x1").overlap == 0.2


def test_tiles_need_a_detector() -> None:
    with pytest.raises(InputError, match="--tiles needs a detector, but the task of the model is classify; leave --tiles out"):
        RegionInference(card("classify"), tiles=Tiles(2, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 2), (1, 65_535)])
@pytest.mark.parametrize("grid", ["2x2", "3x3:0.5", "9x9:0.9", "99x99:0"])
def test_tiles_of_a_tiny_frame_have_a_pixel_and_cover_it(size: tuple[int, int], grid: str) -> None:
    infer = Blobs()
    RegionInference(card(), tiles=parse_tiles(grid))(infer, picture(size=size))
    assert all(min(shape) > 0 for shape in infer.seen)
    _, *places = RegionInference(card(), tiles=parse_tiles(grid))._places(picture(size=size))
    covered = np.zeros(size, bool)
    for x1, y1, x2, y2 in places:
        covered[y1:y2, x1:x2] = True
    assert covered.all()


def test_the_whole_of_a_tiny_frame_is_a_region() -> None:
    infer = Blobs()
    RegionInference(card(), parse_roi("0,0,1,1"))(infer, picture(size=(1, 40)))
    assert infer.seen == [(1, 40, 3)]
