"""A pinhole camera: its pose over time, and the projection between table and image.

The world: x to the right, y away from the camera's start, z up, in cm; the table is z = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.scene.options import SceneOptions

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """One coordinate over time, in seconds: ``start + drift * t + swing * sin(rate * t + phase)``."""

    start: float
    drift: float = 0.0
    swing: float = 0.0
    rate: float = 0.0
    phase: float = 0.0

    def at(self, t: float) -> float:
        """The value at ``t`` seconds."""
        return self.start + self.drift * t + self.swing * math.sin(self.rate * t + self.phase)

    def over(self, times: Float64) -> Float64:
        """The values at ``times`` (n,)."""
        return np.asarray(self.start + self.drift * times + self.swing * np.sin(self.rate * times + self.phase))


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """Camera motion during one cut: target (x, y) and distance in cm, pitch, yaw and roll in radians, focal length in image widths."""

    x: Motion
    y: Motion
    distance: Motion
    pitch: Motion
    yaw: Motion
    roll: Motion
    focal: float


@dataclass(frozen=True, slots=True, eq=False)
class PinholeCamera:
    """A pinhole camera at one moment: position in cm, ``axes`` (rows right, down, forward), focal length and centre in pixels."""

    position: Float64
    axes: Float64
    focal: float
    centre: Float64

    def project(self, points: Float64) -> Float64:
        """Project world points (n, 3) to pixels (n, 2); the depth is at least 1e-3 cm."""
        local = (points - self.position) @ self.axes.T
        # avoids a division by zero; callers skip objects behind the camera
        depth = np.maximum(local[:, 2:], 1e-3)
        return np.asarray(local[:, :2] / depth * self.focal + self.centre)

    def ground(self, pixels: Float64) -> Float64:
        """Points (n, 2) of the table under pixels (n, 2); the pixels must lie below the horizon."""
        local = np.column_stack([(pixels - self.centre) / self.focal, np.ones(len(pixels))])
        rays = local @ self.axes
        # intersection of the ray position + s * ray with the plane z = 0
        return np.asarray(self.position[:2] - rays[:, :2] * (self.position[2] / rays[:, 2:]))

    def homography(self) -> Float64:
        """The homography (3, 3) from (x, y, 1) on the table to pixels."""
        # with z = 0 the third column of the rotation drops out of the projection K [R | t], which leaves a 3 x 3 matrix
        local = self.axes @ np.column_stack([np.eye(3)[:, :2], -self.position])
        lens = np.array([[self.focal, 0, self.centre[0]], [0, self.focal, self.centre[1]], [0, 0, 1]])
        return np.asarray(lens @ local)


def camera_at(motion: CameraMotion, t: float, size: tuple[int, int]) -> PinholeCamera:
    """The camera of ``motion`` at ``t`` seconds for an image of (width, height)."""
    pitch, yaw, roll, distance = (path.at(t) for path in (motion.pitch, motion.yaw, motion.roll, motion.distance))
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    down = np.cross(forward, right)
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    position = np.array([motion.x.at(t), motion.y.at(t), 0.0]) - forward * distance
    width, height = size
    # integer coordinates are pixel centres, so the middle of the image lies at (size - 1) / 2
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return PinholeCamera(position, np.vstack([turn @ np.stack([right, down]), forward]), motion.focal * max(size), centre)


def sample_camera_motion(options: SceneOptions, rng: np.random.Generator) -> CameraMotion:
    """A random camera motion for one cut, looking down at the table at an angle."""
    focal = rng.uniform(0.9, 1.5)
    span = float(np.exp(rng.uniform(np.log(45), np.log(160))))
    # mostly the angles of a seated or standing person, one in ten from almost above
    pitch = np.radians(rng.choice([rng.uniform(24, 60), rng.uniform(30, 48), rng.uniform(55, 78)], p=[0.5, 0.4, 0.1]))
    roll = np.radians(rng.uniform(-0.9, 0.9) * options.rotate)

    def path(start: float, swing: float) -> Motion:
        rate = float(rng.uniform(0.3, 0.9)) * options.speed
        return Motion(start, 0.0, swing * float(rng.uniform(0.2, 1)), rate, float(rng.uniform(0, 2 * np.pi)))

    return CameraMotion(
        x=path(0.0, span * 0.08),
        y=path(0.0, span * 0.06),
        distance=path(span * focal, span * focal * 0.08),
        pitch=path(float(pitch), 0.03),
        yaw=path(0.0, 0.06),
        roll=path(float(roll), min(0.05, float(np.radians(options.rotate)) * 0.1)),
        focal=float(focal),
    )
