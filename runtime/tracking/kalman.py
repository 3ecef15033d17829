"""Predicts boxes by a constant-velocity Kalman filter (Kalman 1960) in seconds, so that it is right at every frame rate.

The state of a box is (centre x, centre y, width, height) and their velocities per second. All standard deviations are shares of
its height (as in Wojke et al. 2017, arXiv:1703.07402) and equal for the four values. So the usual filter with 8 states separates
into four filters with 2 states (value, velocity) that share one 2 x 2 covariance, kept as three numbers (variance, covariance,
variance of the velocity) relative to the height. The innovation covariance is a number, so no matrix is inverted.

The acceleration is white noise in continuous time (Bar-Shalom et al. 2001, section 6.2.2), so two steps of half the length equal
one step. In noise per frame, as published trackers have it, a camera with 7 frames/s would need other values than one with 30.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Float32

Float64: TypeAlias = NDArray[np.float64]

# Standard deviations in heights; DRIFT and ACCELERATION are those after a second of white noise. How they were chosen is in
# DECISIONS.md.
MEASURED = 0.08
DRIFT = 0.3  # of the position, in heights: posture and detector change the box
ACCELERATION = 0.35  # of the velocity, in heights per second
FIRST_POSITION = 2 * MEASURED
FIRST_VELOCITY = 1.9  # heights per second: a new track can move in any direction (the published 10/160 per frame at 30 frames/s)
MIN_SIZE = 1e-3  # pixels: a predicted box may shrink to nothing or below


@dataclass(slots=True)
class KalmanBoxes:
    """Holds the filter states of n boxes: position and velocity (n, 4), covariance (n, 3) relative to the height."""

    position: Float64
    velocity: Float64
    covariance: Float64

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, index: Any) -> KalmanBoxes:
        return KalmanBoxes(self.position[index], self.velocity[index], self.covariance[index])

    @classmethod
    def start(cls, xyxy: Float32) -> KalmanBoxes:
        """Return the states of new tracks at boxes (n, 4) in pixels: velocity 0 with a high variance."""
        position = to_position(xyxy)
        covariance = np.empty((len(position), 3))
        covariance[:] = FIRST_POSITION**2, 0, FIRST_VELOCITY**2
        return cls(position, np.zeros_like(position), covariance)

    @classmethod
    def join(cls, parts: list[KalmanBoxes]) -> KalmanBoxes:
        """Concatenate the states of ``parts``."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    @property
    def xyxy(self) -> Float32:
        """The boxes (n, 4) in pixels."""
        half = np.maximum(self.position[:, 2:], MIN_SIZE) / 2
        centre = self.position[:, :2]
        return np.concatenate([centre - half, centre + half], 1).astype(np.float32)

    def predict(self, seconds: float) -> None:
        """Move the states ``seconds`` ahead, in place."""
        self.position += seconds * self.velocity
        # F P F^T + Q with F = [[1, t], [0, 1]] and Q = a [[t³/3, t²/2], [t²/2, t]] + drift [[t, 0], [0, 0]]
        variance, cross, velocity_variance = self.covariance.T
        acceleration = ACCELERATION**2
        variance += seconds * (2 * cross + seconds * velocity_variance) + acceleration * seconds**3 / 3 + DRIFT**2 * seconds
        cross += seconds * velocity_variance + acceleration * seconds**2 / 2
        velocity_variance += acceleration * seconds

    def correct(self, rows: Any, xyxy: Float32) -> None:
        """Correct the states ``rows`` by measured boxes (n, 4) in pixels, in place."""
        # Only the position is measured (H = [1, 0]): S = P00 + R, and the gain K is [P00, P01] / S.
        variance, cross, velocity_variance = self.covariance[rows].T
        innovation_variance = variance + MEASURED**2
        gain, velocity_gain = variance / innovation_variance, cross / innovation_variance
        innovation = to_position(xyxy) - self.position[rows]
        self.position[rows] += gain[:, None] * innovation
        self.velocity[rows] += velocity_gain[:, None] * innovation
        left = 1 - gain
        self.covariance[rows] = np.stack([left * variance, left * cross, velocity_variance - velocity_gain * cross], 1)


def to_position(xyxy: Float32) -> Float64:
    """Return centre x, centre y, width and height (n, 4) of boxes (n, 4)."""
    low, high = xyxy[:, :2].astype(np.float64), xyxy[:, 2:].astype(np.float64)
    return np.concatenate([(low + high) / 2, np.maximum(high - low, MIN_SIZE)], 1)
