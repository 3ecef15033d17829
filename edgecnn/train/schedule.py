"""How the learning rate and the average of the weights move."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

FLOOR = 0.02
WARM_UP = 0.05
WARM_UP_STEPS = 500


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over the first 5 % (at most 500 steps), then half a cosine down to 2 % of ``peak``: SGDR, arXiv:1608.03983."""
    warm = min(max(int(steps * WARM_UP), 1), WARM_UP_STEPS)
    if step < warm:
        return peak * (step + 1) / warm
    done = (step - warm) / max(steps - warm, 1)
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))


class Average:
    """An exponential moving average of a model's weights and batch-norm statistics; short at the start, then ``decay``."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the weights of ``model``."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        now = model.state_dict()
        kept = self.model.state_dict()
        floats = [key for key, value in kept.items() if value.is_floating_point()]
        torch._foreach_lerp_([kept[key] for key in floats], [now[key] for key in floats], 1 - decay)
        for key, value in kept.items():
            if not value.is_floating_point():
                value.copy_(now[key])
