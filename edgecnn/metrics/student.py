"""Quantiles of Student's t distribution."""

from __future__ import annotations

import math
from statistics import NormalDist


def t_quantile(share: float, degrees: float) -> float:
    """The quantile of Student's t distribution with ``degrees`` (at least 2) degrees of freedom, ``share`` above 0.5.

    Hill's approximation (Algorithm 396, CACM 13, 1970, p. 619), exact for two degrees; within 0.1 % for the shares used here.
    """
    p = 2 * (1 - share)
    if degrees <= 2:
        return math.sqrt(2 / (p * (2 - p)) - 2)
    a = 1 / (degrees - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * degrees
    y = (d * p) ** (2 / degrees)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(p / 2)
        y = x * x
        c += 0.3 * (degrees - 4.5) * (x + 0.6) if degrees < 5 else 0
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = ((1 / (((degrees + 6) / (degrees * y) - 0.089 * d - 0.822) * (degrees + 2) * 3) + 0.5 / (degrees + 4)) * y - 1) * (
            (degrees + 1) / (degrees + 2)
        ) + 1 / y
    return math.sqrt(degrees * y)
