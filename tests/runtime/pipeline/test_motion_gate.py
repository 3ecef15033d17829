from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.runtime.pipeline.motion_gate import MotionGate
from edgecnn.types import Image

WALL: Image = cv2.resize(np.random.default_rng(0).integers(60, 200, (27, 48, 3), np.uint8), (320, 180)).astype(np.uint8)

NOISE = np.random.default_rng(1).normal(0, 1, (16, *WALL.shape)).astype(np.float32)


def frame(seed: int, noise: float = 3.0, x: float | None = None, size: int = 24, light: float = 0.0) -> Image:
    """The wall with sensor noise, and a dark thing at ``x``, exact to parts of a pixel."""
    picture = WALL.astype(np.float32) + light
    if x is not None:
        move = np.array([[1, 0, x], [0, 1, 80]], np.float32)
        shape = cv2.warpAffine(np.ones((size, size), np.float32), move, (320, 180))
        picture = picture * (1 - shape[..., None]) + 20 * shape[..., None]
    picture += noise * NOISE[seed % len(NOISE)]
    shown: Image = np.clip(picture, 0, 255).astype(np.uint8)
    return shown


def settled(gate: MotionGate, frames: int = 60) -> None:
    for n in range(frames):
        gate(frame(n))


def test_an_empty_scene_is_looked_at_now_and_then() -> None:
    gate = MotionGate(hold_s=1, refresh_s=2, fps=lambda: 10)
    looks = [gate(frame(n)) for n in range(120)]
    assert all(looks[:10])
    assert looks[20:] == [n % 20 == looks[20:40].index(True) for n in range(100)]
    assert (gate.passed, gate.skipped) == (sum(looks), 120 - sum(looks))


def test_something_that_comes_is_seen_at_once_and_for_a_while_after() -> None:
    gate = MotionGate(hold_s=1, refresh_s=1000, fps=lambda: 10)
    settled(gate)
    assert not gate(frame(1000))
    assert gate(frame(1001, x=200))
    after = [gate(frame(1002 + n)) for n in range(40)]
    assert all(after[:10])
    assert not after[-1]


@pytest.mark.parametrize("speed", [0.4, 2.0, 60.0])
def test_a_mover_is_seen_however_slow(speed: float) -> None:
    """Pixels a second in a picture 320 wide; it was there when the camera began."""
    fps = 2 if speed < 1 else 10
    gate = MotionGate(hold_s=1, refresh_s=1000, fps=lambda: fps)
    for n in range(10 * fps):
        gate(frame(n, x=100))
    looks = [gate(frame(200 + n, x=100 + speed * n / fps)) for n in range(round(fps * max(8 / speed, 1)))]
    assert any(looks)


@pytest.mark.parametrize("light", [-25.0, 25.0])
def test_light_that_changes_everywhere_is_no_motion(light: float) -> None:
    gate = MotionGate(hold_s=0.5, refresh_s=1000, fps=lambda: 10)
    settled(gate)
    assert not any(gate(frame(500 + n, light=light * n / 30)) for n in range(30))


def test_a_lamp_is_no_motion_and_hides_none() -> None:
    gate = MotionGate(hold_s=0, refresh_s=1000, fps=lambda: 10)
    settled(gate)
    assert not gate(frame(500, light=25))
    assert gate(frame(501, light=25, x=200))


def test_strong_noise_is_no_motion() -> None:
    gate = MotionGate(hold_s=0.5, refresh_s=1000, fps=lambda: 10)
    assert not any([gate(frame(n, noise=20)) for n in range(100)][40:])


def test_another_size_is_looked_at() -> None:
    gate = MotionGate(hold_s=0, refresh_s=1000)
    settled(gate)
    assert gate(frame(1)[:100])


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="refresh_s above 0"):
        MotionGate(refresh_s=0)
