"""Objects turned around their axes and the camera's pitch: the same table, exact truth."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.scene import LABELS, Scene, parse_scene

STILL = "scene:cups?seed=5&size=160x120&light=0&noise=0&blur=0&speed=0&occlude=0"


def test_turned_objects_stand_at_the_same_places_and_look_otherwise() -> None:
    plain, turned, whole = (Scene(parse_scene(f"{STILL}&turn={angle}")) for angle in (0, 90, 360))
    changed = 0.0
    for frame in range(0, 1440, 240):
        (image, truth), (other, moved), (same, _) = plain.render(frame), turned.render(frame), whole.render(frame)
        points = [
            dict(zip(t.boxes.identity.tolist(), t.points[:, 3], strict=True))
            for t in (truth, moved)
            if t.boxes.identity is not None
        ]
        shared = points[0].keys() & points[1].keys()
        assert all(np.allclose(points[0][key][:2], points[1][key][:2], atol=1.5) for key in shared)
        assert np.abs(same.astype(int) - image).mean() < 0.5
        changed += float(np.abs(other.astype(int) - image).mean())
    assert changed > 0.1


def test_plates_are_flatter_from_the_side_than_from_above() -> None:
    flat, steep = (Scene(parse_scene(f"{STILL}&pitch={angle}")) for angle in (20, 75))
    shapes = []
    for frame in range(0, 1440, 240):
        sides = []
        for boxes in (flat.ground_truth(frame).boxes, steep.ground_truth(frame).boxes):
            assert boxes.identity is not None
            assert boxes.crowd is not None
            width, height = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).T
            seen = ~boxes.crowd & (boxes.class_id == LABELS.index("plate"))
            sides.append(dict(zip(boxes.identity[seen].tolist(), (height / width)[seen].tolist(), strict=True)))
        shapes += [(sides[0][key], sides[1][key]) for key in sides[0].keys() & sides[1].keys()]
    assert shapes
    assert np.mean([above - beside for beside, above in shapes]) > 0.3


@pytest.mark.parametrize("words", ["turn=361", "pitch=5", "pitch=x"])
def test_values_out_of_range_are_refused(words: str) -> None:
    with pytest.raises(InputError, match="of a scene is not a number from"):
        parse_scene(f"scene:cups?{words}")
