from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.scene import LABELS, Scene, SceneGroundTruth, SceneOptions, parse_scene
from edgecnn.scene.camera import camera_at
from edgecnn.scene.world import build_world
from edgecnn.types import Image

SMALL = SceneOptions(size=(160, 120), cut=2.0)


def same(a: tuple[Image, SceneGroundTruth], b: tuple[Image, SceneGroundTruth]) -> bool:
    one, two = a[1].boxes, b[1].boxes
    return (
        np.array_equal(a[0], b[0])
        and np.array_equal(one.xyxy, two.xyxy)
        and np.array_equal(one.class_id, two.class_id)
        and np.array_equal(a[1].visible, b[1].visible)
        and np.array_equal(a[1].handle_visible, b[1].handle_visible)
    )


def test_a_scene_says_what_it_gives() -> None:
    scene = Scene(SceneOptions(size=(200, 150), fps=25))
    image, ground_truth = scene.render(0)
    assert (scene.labels, scene.fps, scene.size) == (LABELS, 25, (200, 150))
    assert image.shape == (150, 200, 3)
    assert image.dtype == np.uint8
    assert ground_truth.boxes.xyxy.dtype == np.float32
    assert ground_truth.boxes.class_id.dtype == np.int64


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 400), min_size=2, max_size=4))
def test_a_frame_depends_on_the_seed_and_its_number_alone(seed: int, indices: list[int]) -> None:
    options = replace(SMALL, seed=seed)
    scene = Scene(options)
    seen = {index: scene.render(index) for index in indices}
    for index in reversed(indices):
        assert same(Scene(replace(options, count=500, every=3)).render(index), seen[index])


def test_the_same_frame_again_is_a_fresh_image() -> None:
    scene = Scene(SMALL)
    first, _ = scene.render(5)
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(scene.render(5)[0], kept)


def test_threads_get_the_frames_that_one_thread_gets() -> None:
    indices = [k * 37 % 300 for k in range(16)]
    alone = [Scene(SMALL).render(index) for index in indices]
    shared = Scene(SMALL)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(shared.render, indices))
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))


def test_another_seed_is_another_world() -> None:
    assert not np.array_equal(Scene(SMALL).render(0)[0], Scene(replace(SMALL, seed=1)).render(0)[0])


def test_the_camera_cuts_after_the_time_asked_for() -> None:
    scene = Scene(SMALL)
    assert [scene.cut(index) for index in (0, 59, 60, 119, 120)] == [0, 0, 1, 1, 2]
    images = [scene.render(index)[0].astype(np.int16) for index in (58, 59, 60)]
    within, across = (np.abs(images[k] - images[k + 1]).mean() for k in (0, 1))
    assert across > 3 * within


@pytest.mark.parametrize("size", [(64, 64), (97, 65), (120, 160), (1000, 64)], ids=lambda size: "{}x{}".format(*size))
def test_any_size_can_be_rendered(size: tuple[int, int]) -> None:
    image, ground_truth = Scene(replace(SMALL, size=size)).render(7)
    assert image.shape == (size[1], size[0], 3)
    assert (ground_truth.boxes.xyxy >= 0).all()
    assert (ground_truth.boxes.xyxy <= [*size, *size]).all()


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="frame numbers start at 0, but this one is -1"):
        Scene(SMALL).render(-1)


def test_an_empty_table_has_no_boxes() -> None:
    _, ground_truth = Scene(replace(SMALL, objects=0, clutter=0)).render(0)
    assert ground_truth.boxes.xyxy.shape == (0, 4)
    assert ground_truth.boxes.crowd is not None
    assert len(ground_truth.boxes.crowd) == len(ground_truth.visible) == len(ground_truth.handle_visible) == 0


def test_without_speed_and_noise_nothing_moves() -> None:
    scene = Scene(replace(SMALL, speed=0, noise=0))
    assert np.array_equal(scene.render(0)[0], scene.render(40)[0])


def test_with_speed_things_and_camera_move() -> None:
    scene = Scene(replace(SMALL, noise=0))
    assert np.abs(scene.render(0)[0].astype(np.int16) - scene.render(40)[0]).mean() > 1


def test_rotate_bounds_the_roll_and_uses_it() -> None:
    rolls = []
    for number in range(40):
        camera_motion = build_world(replace(SMALL, rotate=90), number).camera_motion
        rolls += [np.degrees(camera_motion.roll.at(t)) for t in (0.0, 0.7, 1.9)]
    assert max(map(abs, rolls)) <= 90
    assert max(rolls) > 60
    assert min(rolls) < -60


def test_the_camera_looks_down_at_the_table() -> None:
    for number in range(10):
        camera = camera_at(build_world(SMALL, number).camera_motion, 0.5, SMALL.size)
        assert camera.position[2] > 10
        assert camera.axes[2, 2] < 0
        assert np.allclose(camera.axes @ camera.axes.T, np.eye(3))


def brightness(options: SceneOptions) -> Image:
    scene = Scene(options)
    return np.array([scene.render(cut * 60)[0].mean() for cut in range(12)])


def test_light_varies_the_brightness() -> None:
    plain = replace(SMALL, size=(64, 64), objects=0, clutter=0, noise=0)
    even, little, much = (brightness(replace(plain, light=amount)) for amount in (0, 0.2, 1))
    assert np.std(np.log(much / even)) > 2 * np.std(np.log(little / even))
    assert (much / even).min() < 0.5


def grain(options: SceneOptions) -> float:
    a, b = (Scene(options).render(index)[0].astype(np.float64) for index in (0, 1))
    return float((a - b).std())


def test_noise_is_grain_that_changes_from_frame_to_frame() -> None:
    still = replace(SMALL, speed=0)
    assert grain(replace(still, noise=0)) == 0
    assert 1 < grain(replace(still, noise=0.5)) < grain(replace(still, noise=1)) < 24


def sharpness(options: SceneOptions) -> float:
    scene = Scene(options)
    return float(np.mean([cv2.Laplacian(scene.render(cut * 60)[0], cv2.CV_32F).std() for cut in range(6)]))


def test_blur_takes_sharpness_away() -> None:
    clean = replace(SMALL, size=(320, 240), noise=0)
    assert sharpness(replace(clean, blur=1)) < 0.9 * sharpness(replace(clean, blur=0))


@pytest.mark.parametrize("objects", [0, 1, 4])
def test_objects_and_clutter_say_how_many_stand_there(objects: int) -> None:
    for number in range(12):
        placed = build_world(replace(SMALL, objects=objects, clutter=3), number).objects
        assert sum(item.label >= 0 for item in placed) <= objects + objects // 2
        assert sum(item.label < 0 for item in placed) <= 4


def test_all_classes_come() -> None:
    scene = Scene(SMALL)
    seen = {int(label) for cut in range(12) for label in scene.ground_truth(cut * 60).boxes.class_id}
    assert seen == set(range(len(LABELS)))


@pytest.mark.parametrize(
    ("address", "frame", "digest"),
    [
        ("scene:cups?seed=9001&cut=1&fps=1&size=160x120", 0, "ed534b84c478c1f7aa63babfe03c41a8"),
        ("scene:cups?seed=9001&cut=1&fps=1&size=160x120", 3, "e5661acd91571fee91a71493c49e04d1"),
        ("scene:cups?seed=900&cut=1&every=15&size=160x120", 45, "3d56eb5c269f2119ab80b38d644cae35"),
    ],
)
def test_addresses_that_models_are_scored_on_give_the_same_frames_in_every_version(address: str, frame: int, digest: str) -> None:
    image, truth = Scene(parse_scene(address)).render(frame)
    parts = image.tobytes(), truth.boxes.xyxy.tobytes() + truth.points.tobytes() + truth.mask.tobytes()
    assert "".join(hashlib.sha256(part).hexdigest()[:16] for part in parts) == digest


def test_unusual_cuts_differ_in_colours_and_camera_and_keep_their_ground_truth() -> None:
    usual, unusual = (build_world(replace(SMALL, vary=vary), 0) for vary in (0.0, 1.0))
    assert usual.camera_motion.pitch.start != unusual.camera_motion.pitch.start
    assert not np.array_equal(usual.ground.dark, unusual.ground.dark)
    shares = [Scene(replace(SMALL, vary=0.5)), Scene(SMALL)]
    same_cuts = [same(shares[0].render(60 * cut), shares[1].render(60 * cut)) for cut in range(12)]
    assert 0 < sum(same_cuts) < 12
    for cut in range(12):
        image, truth = Scene(replace(SMALL, vary=1.0)).render(60 * cut)
        assert image.any()
        assert (truth.boxes.xyxy[:, 2:] > truth.boxes.xyxy[:, :2]).all()
