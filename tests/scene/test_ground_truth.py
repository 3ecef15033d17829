from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edgecnn.scene import Scene, SceneGroundTruth, SceneOptions
from edgecnn.scene.camera import Motion, PinholeCamera, camera_at
from edgecnn.scene.ground_truth import LEAST_SIDE, LEAST_VISIBLE, ground_truth
from edgecnn.scene.options import LABELS
from edgecnn.scene.paint_hand import Hand
from edgecnn.scene.renderer import CutRenderer
from edgecnn.scene.world import SceneObject, World, build_world

SIZE = (320, 240)
OPTIONS = SceneOptions(size=SIZE, cut=2.0, rotate=180, clutter=0)


def shown(world: World, t: float = 1.0) -> SceneGroundTruth:
    canvas, painted = CutRenderer(world, SIZE).paint(t)
    return ground_truth(canvas.ids, painted)


def alone(world: World, *objects: SceneObject) -> World:
    return replace(world, objects=objects, hand=None)


def labelled(kinds: tuple[str, ...], cuts: int = 12) -> Iterator[tuple[World, SceneObject]]:
    for number in range(cuts):
        world = build_world(OPTIONS, number)
        for item in world.objects:
            if item.kind in kinds:
                yield alone(world, item), item


def opaque(world: World) -> np.ndarray:
    """Where an image over a black table and one over a white table agree: there something covers the table."""
    pictures = []
    for level in (0.0, 255.0):
        bare = replace(world.ground, dark=np.full(3, level), light=np.full(3, level), room=np.full((5, 22, 3), level, np.uint8))
        pictures.append(CutRenderer(replace(world, ground=bare), SIZE).paint(1.0)[0].image.astype(np.int16))
    return np.asarray(np.abs(pictures[1] - pictures[0]).max(2) < 20)


def enclosing(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def test_boxes_of_opaque_things_are_tight_to_the_pixel() -> None:
    checked = 0
    for world, _ in labelled(("mug", "bowl", "plate")):
        found = shown(world)
        covered = opaque(world)
        if not len(found.boxes) or not covered.any():
            continue
        assert np.abs(found.boxes.xyxy[0] - enclosing(covered)).max() <= 2
        checked += 1
    assert checked > 20


def ring_points(item: SceneObject, t: float) -> np.ndarray:
    assert item.shape is not None
    angle = np.linspace(0, 2 * np.pi, 60)
    x, y = item.place(t)
    rings = [
        np.stack([x + r * np.cos(angle), y + r * np.sin(angle), np.full(60, h + item.lift)], 1)
        for r, h in zip(item.shape.r, item.shape.h, strict=True)
    ]
    return np.concatenate(rings)


def within_picture(points: np.ndarray) -> bool:
    return bool((points > 2).all() and (points < np.array(SIZE) - 2).all())


def test_boxes_agree_with_the_perspective_of_the_shape() -> None:
    checked = 0
    for world, item in labelled(("glass", "bowl", "plate")):
        camera: PinholeCamera = camera_at(world.camera_motion, 1.0, SIZE)
        ground = np.array([[*item.place(1.0), 0.0]])
        points = camera.project(ring_points(item, 1.0))
        if not within_picture(points) or ((ground - camera.position) @ camera.axes[2])[0] < 10:
            continue
        wanted = np.r_[points.min(0), points.max(0)]
        box = shown(world).boxes.xyxy[0]
        assert np.abs(box - wanted).max() < 2 + 0.16 * (wanted[2:] - wanted[:2]).max()
        checked += 1
    assert checked > 10


def before(camera: PinholeCamera, item: SceneObject) -> tuple[float, float]:
    x, y = item.place(1.0)
    dx, dy = -camera.axes[2, :2] / np.hypot(*camera.axes[2, :2])
    return x + dx * 1.2 * item.radius, y + dy * 1.2 * item.radius


def test_what_stands_before_a_thing_hides_it_and_not_the_other_way_round() -> None:
    checked = 0
    for world, item in labelled(("mug", "bowl")):
        single = shown(world)
        x, y = before(camera_at(world.camera_motion, 1.0, SIZE), item)
        if not len(single.boxes) or single.visible[0] < 0.9:
            continue
        front = replace(item, number=item.number + 1, x=Motion(x), y=Motion(y))
        both = shown(alone(world, item, front))
        by_identity = dict(zip((both.boxes.identity % 128).tolist(), both.visible, strict=True))
        assert by_identity.get(item.number, 0.0) < single.visible[0]
        assert by_identity[front.number] == pytest.approx(shown(alone(world, front)).visible[0])
        checked += 1
    assert checked > 5


def test_a_hidden_part_shrinks_the_box() -> None:
    for world, item in labelled(("plate",)):
        x, y = item.place(1.0)
        cover = replace(item, number=99, label=-1, x=Motion(x + item.radius), y=Motion(y))
        whole, part = shown(world), shown(alone(world, item, replace(cover, lift=0.1)))
        if len(whole.boxes) and len(part.boxes):
            assert (part.boxes.xyxy[0, :2] >= whole.boxes.xyxy[0, :2]).all()
            assert (part.boxes.xyxy[0, 2:] <= whole.boxes.xyxy[0, 2:]).all()


def test_a_hand_hides_things() -> None:
    world = next(world for world, _ in labelled(("bowl",)) if len(shown(world).boxes))
    hand = Hand(bearing=1.0, target=0, phase=np.pi / 2, rate=0.0, skin=1, sleeve=(0.2, 0.2, 0.6), spread=1.0)
    reached = shown(replace(world, hand=hand))
    left = reached.visible[0] if len(reached.visible) else 0.0
    assert left < shown(world).visible[0]


def test_occlude_makes_things_hide_one_another() -> None:
    def mean(occlude: float) -> float:
        scene = Scene(replace(OPTIONS, occlude=occlude, objects=8, size=(160, 120)))
        return float(np.mean(np.concatenate([scene.ground_truth(cut * 60 + 30).visible for cut in range(15)])))

    assert mean(0.95) < mean(0.0) - 0.05


def turned_mug(yaw: float) -> Iterator[SceneGroundTruth]:
    for world, item in labelled(("mug",)):
        if item.handle:
            found = shown(alone(world, replace(item, yaw=Motion(yaw))))
            if len(found.boxes) and found.visible[0] > 0.97:
                yield found


def test_a_handle_shows_at_the_side_and_hides_behind_the_mug() -> None:
    side, behind = ([found.handle_visible[0] for found in turned_mug(yaw)] for yaw in (0.0, -np.pi / 2))
    assert len(side) > 3
    assert min(side) > 0.7
    assert np.mean(behind) < 0.5
    assert np.mean(behind) < min(side)


def test_a_mug_without_a_handle_and_other_things_show_none() -> None:
    for world, _ in labelled(("bowl", "glass", "plate")):
        assert (shown(world).handle_visible == 0).all()


def test_identities_are_stable_within_a_cut_and_new_in_the_next() -> None:
    scene = Scene(OPTIONS)
    classes: dict[int, int] = {}
    per_cut: list[set[int]] = []
    for cut in range(4):
        seen: set[int] = set()
        for index in range(cut * 60, cut * 60 + 60, 10):
            boxes = scene.ground_truth(index).boxes
            assert boxes.identity is not None
            assert len(set(boxes.identity.tolist())) == len(boxes)
            for identity, label in zip(boxes.identity.tolist(), boxes.class_id.tolist(), strict=True):
                assert classes.setdefault(identity, label) == label
                seen.add(identity)
        per_cut.append(seen)
    assert sum(map(len, per_cut)) == len(set().union(*per_cut))


def test_a_moving_thing_keeps_its_identity() -> None:
    scene = Scene(replace(OPTIONS, rotate=0))
    one, two = scene.ground_truth(30).boxes, scene.ground_truth(31).boxes
    assert one.identity is not None
    assert two.identity is not None
    _, a, b = np.intersect1d(one.identity, two.identity, return_indices=True)
    assert len(a)
    assert np.abs(one.xyxy[a] - two.xyxy[b]).max() < 12


def test_what_hardly_shows_or_is_tiny_is_not_judged() -> None:
    scene = Scene(replace(OPTIONS, occlude=1, objects=14, size=(96, 72)))
    crowds = 0
    for cut in range(10):
        found = scene.ground_truth(cut * 60)
        sides = (found.boxes.xyxy[:, 2:] - found.boxes.xyxy[:, :2]).min(1)
        assert found.boxes.crowd is not None
        assert np.array_equal(found.boxes.crowd, (found.visible < LEAST_VISIBLE) | (sides < LEAST_SIDE))
        crowds += int(found.boxes.crowd.sum())
    assert crowds


def test_labels_are_those_of_the_scene() -> None:
    scene = Scene(OPTIONS)
    for cut in range(6):
        world = build_world(OPTIONS, cut)
        kinds = {item.number: item.kind for item in world.objects}
        boxes = scene.ground_truth(cut * 60).boxes
        assert boxes.identity is not None
        for identity, label in zip(boxes.identity % 128, boxes.class_id, strict=True):
            assert kinds[int(identity)] == LABELS[label]


def test_the_mask_shows_each_object_within_its_box_and_key_points_lie_on_it() -> None:
    scene = Scene(SceneOptions(seed=4, size=(320, 240)))
    known = scene.ground_truth(0)
    assert known.mask.shape == (240, 320)
    boxes = known.boxes
    assert set(np.unique(known.mask)) == {0, *(boxes.class_id + 1)}
    inside = np.zeros_like(known.mask, dtype=bool)
    for left, top, right, bottom in boxes.xyxy.astype(int):
        inside[top:bottom, left:right] = True
    assert not known.mask[~inside].any()
    assert known.points.shape == (len(boxes), 4, 3)
    for (rim, left, right, _foot), class_id in zip(known.points, boxes.class_id, strict=True):
        if (known.points[..., 2] == 0).any():
            continue
        np.testing.assert_allclose((left[:2] + right[:2]) / 2, rim[:2], atol=0.01)  # ends of a diameter
        assert left[0] < right[0]
        if rim[2] == 2:
            assert known.mask[int(rim[1]), int(rim[0])] == class_id + 1


def test_the_box_of_a_handle_lies_beside_the_body_and_in_the_box_of_its_mug() -> None:
    checked = 0
    for world, item in labelled(("mug",)):
        if not item.handle:
            continue
        turned = [alone(world, replace(item, handle=handle, yaw=Motion(0.0))) for handle in (True, False)]
        found, bare = (shown(each) for each in turned)
        if not len(found.boxes) or found.visible[0] < 0.9 or found.handle_visible[0] < 0.7:
            continue
        mug, body, handle = found.boxes.xyxy[0], bare.boxes.xyxy[0], found.handles[0]
        assert (handle[:2] >= mug[:2]).all()
        assert (handle[2:] <= mug[2:]).all()
        # the mug's box is the union of the body's and the handle's, up to the rounding of pixels
        np.testing.assert_allclose(np.minimum(body[:2], handle[:2]), mug[:2], atol=2)
        np.testing.assert_allclose(np.maximum(body[2:], handle[2:]), mug[2:], atol=2)
        assert (bare.handles == 0).all()
        checked += 1
    assert checked > 5
