from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.scene import Scene, SceneOptions
from edgecnn.scene.concepts import NAMES
from edgecnn.scene.drawn.options import DrawnOptions
from edgecnn.scene.drawn.sets import SETS, drawn, drawn_concepts
from edgecnn.scene.options import LABELS
from edgecnn.scene.pixel_concepts import OBJECT, PART, TEXTURE, PixelConcepts

OPTIONS = SceneOptions(seed=4, size=(320, 240), cut=1.0, fps=1.0)
FRAMES = 12


def named(concepts: PixelConcepts, kind: str, name: str) -> np.ndarray:
    return np.asarray(concepts.maps[kind] == NAMES[kind].index(name) + 1)


def test_pictures_are_the_same_with_and_without_concepts() -> None:
    plain, asked = Scene(OPTIONS), Scene(OPTIONS)
    for frame in range(3):
        before = asked.concepts(frame)
        assert (plain.render(frame)[0] == asked.render(frame)[0]).all()
        after = asked.concepts(frame)
        assert all((before.maps[kind] == after.maps[kind]).all() for kind in before.maps)


def test_objects_are_where_the_mask_has_them() -> None:
    scene = Scene(OPTIONS)
    for frame in range(FRAMES):
        concepts, known = scene.concepts(frame), scene.ground_truth(frame)
        assert set(concepts.maps) == {TEXTURE, PART, OBJECT}
        for class_id, label in enumerate(LABELS):
            assert (named(concepts, OBJECT, label) == (known.mask == class_id + 1)).all()


def test_parts_lie_on_their_objects_and_handles_in_their_boxes() -> None:
    scene = Scene(OPTIONS)
    shown = dict.fromkeys(NAMES[PART], 0)
    in_boxes = 0
    for frame in range(FRAMES):
        concepts, known = scene.concepts(frame), scene.ground_truth(frame)
        handle = named(concepts, PART, "handle")
        assert not (handle & ~named(concepts, OBJECT, "mug")).any()
        assert not (named(concepts, PART, "stem") & ~named(concepts, OBJECT, "glass")).any()
        boxes = np.zeros(handle.shape, np.bool_)
        for x1, y1, x2, y2 in known.handles:
            boxes[max(int(y1) - 2, 0) : int(y2) + 3, max(int(x1) - 2, 0) : int(x2) + 3] = True
        in_boxes += int((handle & boxes).sum())
        for name in shown:
            shown[name] += int(named(concepts, PART, name).sum())
    assert in_boxes >= 0.95 * shown["handle"]
    assert min(shown[name] for name in ("outside", "rim", "inside", "contents", "handle", "foot")) > 50
    # plates and mugs are seen from above: their insides are large
    assert shown["inside"] > shown["rim"]


def test_the_rim_is_around_its_key_points() -> None:
    scene = Scene(SceneOptions(seed=4, size=(320, 240), cut=1.0, fps=1.0, clutter=0, occlude=0))
    checked = 0
    for frame in range(FRAMES):
        concepts, known = scene.concepts(frame), scene.ground_truth(frame)
        rim = named(concepts, PART, "rim")
        for points in known.points:
            for x, y, seen in points[1:3]:  # the ends of the rim
                if seen == 2 and 4 < x < 316 and 4 < y < 236:
                    area = rim[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5]
                    checked += 1
                    assert area.any()
    assert checked > 20


def test_textures_are_those_of_table_and_glazes() -> None:
    scene = Scene(OPTIONS)
    seen = np.zeros(len(NAMES[TEXTURE]) + 1, np.int64)
    for frame in range(FRAMES):
        concepts = scene.concepts(frame)
        table = named(concepts, OBJECT, "table")
        # a table has one material
        assert len(np.unique(concepts.maps[TEXTURE][table])) == 1
        assert not concepts.maps[TEXTURE][named(concepts, OBJECT, "wall")].any()
        assert named(concepts, TEXTURE, "glass")[named(concepts, OBJECT, "glass")].all()
        seen += np.bincount(concepts.maps[TEXTURE].ravel(), minlength=len(seen))
    assert (seen[1:] > 0).sum() >= 6


@pytest.mark.parametrize("name", SETS)
def test_drawn_objects_lie_in_their_boxes(name: str) -> None:
    for index in range(4):
        found = drawn(name, DrawnOptions(seed=2, size=64), index)
        concepts = drawn_concepts(name, found)
        own = concepts.maps[OBJECT] == found.label + 1
        rows, columns = np.nonzero(own)
        assert found.box is not None
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == found.box.tolist()


def test_samples_of_scenes_know_their_concepts_and_crops_none() -> None:
    for address in ("scene:cups?seed=1&size=96x96&count=1", "scene:cars?count=2"):
        sample = open_dataset(address).samples[0]
        assert sample.concepts is not None
        assert sample.concepts().maps[OBJECT].shape == sample.read().shape[:2]
    crop = open_dataset("scene:cups?seed=1&size=320x240&count=1&crops=class").samples[0]
    assert crop.concepts is None
