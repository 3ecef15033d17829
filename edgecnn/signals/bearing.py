"""Generates vibrations of a rolling bearing, healthy or with a fault: one window for each sample number.

A fault on a raceway or a ball gives an impact each time it is rolled over; each impact makes the housing ring at its resonance
(McFadden and Smith 1984, doi:10.1016/0022-460X(84)90595-9). The geometry is that of a 6205 deep groove ball bearing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.types import Array, Float32

LABELS = ("healthy", "outer race", "inner race", "ball")
# impacts per turn of the shaft, and how often per turn the load on the fault changes
IMPACTS = {"outer race": (3.585, 0.0), "inner race": (5.415, 1.0), "ball": (4.714, 0.398)}
SPEED_HZ = (24.0, 31.0)  # turns a second
RESONANCE_HZ, DAMPING = (2200.0, 3800.0), (500.0, 1100.0)  # 1/s
RINGS = 10  # time constants after which an impact has faded
SLIP = 0.01  # relative deviation of the time between two impacts


@dataclass(frozen=True, slots=True)
class BearingOptions:
    """``rate_hz`` samples a second, windows of ``length`` samples, and noise whose deviation is ``noise`` times the ringing's peak."""

    seed: int = 0
    rate_hz: float = 12000.0
    length: int = 2048
    noise: float = 0.35


def bearing_window(options: BearingOptions, index: int) -> tuple[Float32, int]:
    """Window ``index``: (length, 1) float32 acceleration in g, and its class in ``LABELS``; the classes take turns."""
    random = np.random.default_rng((options.seed, index))
    label = index % len(LABELS)
    time = np.arange(options.length) / options.rate_hz
    speed = random.uniform(*SPEED_HZ)
    signal = _shaft(time, speed, random) + random.normal(0, options.noise, options.length)
    if label:
        signal += random.uniform(0.8, 1.6) * _ringing(time, speed, LABELS[label], random)
    return (signal * random.uniform(0.5, 1.5)).astype(np.float32)[:, None], label


def bearing_signal(options: BearingOptions, label: int, seconds: float, seed: int) -> Float32:
    """A longer signal (n, 1) of one class."""
    random = np.random.default_rng((options.seed, seed, label))
    time = np.arange(round(seconds * options.rate_hz)) / options.rate_hz
    speed = random.uniform(*SPEED_HZ)
    signal = _shaft(time, speed, random) + random.normal(0, options.noise, len(time))
    if label:
        signal += random.uniform(0.8, 1.6) * _ringing(time, speed, LABELS[label], random)
    return signal.astype(np.float32)[:, None]


def _shaft(time: Array, speed: float, random: np.random.Generator) -> Array:
    """Imbalance and misalignment: the first harmonics of the speed."""
    phases, sizes = random.uniform(0, 2 * np.pi, 3), random.uniform(0.05, 0.3, 3) / (1, 2, 3)
    waves = [
        size * np.sin(2 * np.pi * speed * (n + 1) * time + phase)
        for n, (phase, size) in enumerate(zip(phases, sizes, strict=True))
    ]
    return np.asarray(np.sum(waves, 0))


def _ringing(time: Array, speed: float, fault: str, random: np.random.Generator) -> Array:
    """Decaying oscillations after each impact, each of the size that the load on the fault gives it."""
    per_turn, modulation = IMPACTS[fault]
    resonance, damping = random.uniform(*RESONANCE_HZ), random.uniform(*DAMPING)
    step = 1 / (speed * per_turn)
    count = int(time[-1] / step) + 3
    starts = np.cumsum(step * (1 + SLIP * random.normal(size=count))) - random.uniform(1, 2) * step
    load = (
        1 + 0.7 * np.sin(2 * np.pi * speed * modulation * starts + random.uniform(0, 2 * np.pi)) if modulation else np.ones(count)
    )
    signal, rate = np.zeros(len(time)), 1 / time[1]
    for start, size in zip(starts, load, strict=True):
        first, last = (int(np.clip(np.ceil(at * rate), 0, len(time))) for at in (start, start + RINGS / damping))
        since = time[first:last] - start
        signal[first:last] += size * np.exp(-damping * since) * np.sin(2 * np.pi * resonance * since)
    return signal
