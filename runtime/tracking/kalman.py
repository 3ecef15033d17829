"""Predicts boxes by a constant-velocity Kalman filter (Kalman 1960; noise as in Wojke et al. 2017, arXiv:1703.07402).

The state of a box is (centre x, centre y, width / height, height) and their velocities per frame. Noise is independent between
the four, so the usual filter with 8 states separates into four filters with 2 states each (value, velocity). Their 2 x 2
covariance is kept as three arrays (variance, covariance, variance), and the innovation covariance is a number, so no matrix is
inverted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Float32

Float64: TypeAlias = NDArray[np.float64]

# Standard deviations relative to the height; those of width / height are absolute (values of the published code).
POSITION, VELOCITY = 1 / 20, 1 / 160
ASPECT, ASPECT_VELOCITY, ASPECT_MEASURED = 1e-2, 1e-5, 1e-1
MIN_SIZE = 1e-3  # pixels: a predicted box may shrink to nothing or below


@dataclass(slots=True)
class KalmanBoxes:
    """Holds the filter states of n boxes: positions and velocities (n, 4), their variances and their covariance (n, 4)."""

    position: Float64
    velocity: Float64
    position_var: Float64
    cross_cov: Float64
    velocity_var: Float64

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, index: Any) -> KalmanBoxes:
        return KalmanBoxes(*(getattr(self, one.name)[index] for one in fields(self)))

    @classmethod
    def start(cls, xyxy: Float32) -> KalmanBoxes:
        """Return the states of new tracks at boxes (n, 4) in pixels: velocity 0 with a high variance."""
        position = to_position(xyxy)
        height = position[:, 3:4]
        position_std = np.concatenate(
            [height * 2 * POSITION, height * 2 * POSITION, np.full_like(height, ASPECT), height * 2 * POSITION], 1
        )
        velocity_std = np.concatenate(
            [height * 10 * VELOCITY, height * 10 * VELOCITY, np.full_like(height, ASPECT_VELOCITY), height * 10 * VELOCITY], 1
        )
        # The factors 2 and 10 are those of the published code: a new track can move in any direction.
        zero = np.zeros_like(position)
        return cls(position, zero, position_std**2, zero.copy(), velocity_std**2)

    @classmethod
    def join(cls, parts: list[KalmanBoxes]) -> KalmanBoxes:
        """Concatenate the states of ``parts``."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    @property
    def xyxy(self) -> Float32:
        """The boxes (n, 4) in pixels."""
        x, y, aspect, height = self.position.T
        height = np.maximum(height, MIN_SIZE)
        width = np.maximum(aspect, MIN_SIZE) * height
        return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1).astype(np.float32)

    def predict(self, frames: float) -> KalmanBoxes:
        """Predict the state ``frames`` later, like that many steps of one frame, but with the noise of the current height."""
        position_noise, velocity_noise = (std**2 for std in self._noise())
        n = frames
        # With F = [[1, 1], [0, 1]], Q = diag(p, v): P after n steps is F^n P F^nT + the sum over k < n of F^k Q F^kT.
        squares = n * (n - 1) * (2 * n - 1) / 6  # 0² + 1² + ... + (n - 1)²
        return KalmanBoxes(
            self.position + n * self.velocity,
            self.velocity,
            self.position_var
            + 2 * n * self.cross_cov
            + n * n * self.velocity_var
            + n * position_noise
            + squares * velocity_noise,
            self.cross_cov + n * self.velocity_var + n * (n - 1) / 2 * velocity_noise,
            self.velocity_var + n * velocity_noise,
        )

    def correct(self, xyxy: Float32) -> KalmanBoxes:
        """Return the state after a measurement of the boxes ``xyxy`` (n, 4) in pixels."""
        height = self.position[:, 3:4]
        measured_std = np.concatenate(
            [height * POSITION, height * POSITION, np.full_like(height, ASPECT_MEASURED), height * POSITION], 1
        )
        # Only the position is measured (H = [1, 0]): S = P00 + R, and the gain K is [P00, P01] / S for each of the four values.
        innovation_var = self.position_var + measured_std**2
        gain, velocity_gain = self.position_var / innovation_var, self.cross_cov / innovation_var
        innovation = to_position(xyxy) - self.position
        return KalmanBoxes(
            self.position + gain * innovation,
            self.velocity + velocity_gain * innovation,
            (1 - gain) * self.position_var,
            (1 - gain) * self.cross_cov,
            self.velocity_var - velocity_gain * self.cross_cov,
        )

    def _noise(self) -> tuple[Float64, Float64]:
        height = np.maximum(self.position[:, 3:4], MIN_SIZE)
        position = np.concatenate([height * POSITION, height * POSITION, np.full_like(height, ASPECT), height * POSITION], 1)
        velocity = np.concatenate(
            [height * VELOCITY, height * VELOCITY, np.full_like(height, ASPECT_VELOCITY), height * VELOCITY], 1
        )
        return position, velocity


def to_position(xyxy: Float32) -> Float64:
    """Return centre x, centre y, width / height and height (n, 4) of boxes (n, 4)."""
    x1, y1, x2, y2 = xyxy.astype(np.float64).T
    height = np.maximum(y2 - y1, MIN_SIZE)
    return np.stack([(x1 + x2) / 2, (y1 + y2) / 2, np.maximum(x2 - x1, MIN_SIZE) / height, height], 1)
