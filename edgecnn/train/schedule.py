"""The learning rate schedule and the exponential moving average of the weights."""

from __future__ import annotations

import copy
import math
import statistics
import time

import torch
from torch import Tensor, nn

FINAL_LR = 0.02  # of the peak
WARM_UP = 0.05  # of all steps
MAX_WARM_UP_STEPS = 500


def learning_rate(step: float, steps: int, peak: float) -> float:
    """Linear warm-up over the first 5 % (at most 500 steps), then half a cosine down to 2 % of ``peak``: SGDR, arXiv:1608.03983."""
    warm = min(max(int(steps * WARM_UP), 1), MAX_WARM_UP_STEPS)
    if step < warm:
        return peak * (step + 1) / warm
    done = (step - warm) / max(steps - warm, 1)
    return peak * (FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done)))


class TrainingProgress:
    """How much of a training is done, 0..1, by its epochs or by its time.

    With ``minutes`` the number of epochs follows from the time that they take, at most ``epochs``; it is estimated anew after each.
    The share of an epoch in the whole then changes, and schedules go by ``done``, so that they end where the time does.
    """

    def __init__(self, epochs: int, minutes: float | None = None) -> None:
        self.epochs, self.done, self._count = epochs, 0.0, 0
        self._end = None if minutes is None else time.monotonic() + 60 * minutes
        self._times: list[float] = []

    def restore(self, epoch: int, done: float) -> None:
        """Go on after ``epoch`` epochs."""
        self._count, self.done = epoch, done

    @property
    def timed(self) -> bool:
        """Whether time limits the training."""
        return self._end is not None

    @property
    def finished(self) -> bool:
        """Whether there is no epoch left."""
        return self._count >= self.epochs or self.done >= 1

    def epoch(self, share: float) -> int:
        """The epoch to train, of ``epochs`` in all, if it has ``share`` of the whole.

        In a shorter training epochs are left out evenly, but never the last one, which has the images as they are at inference.
        """
        if not self.timed:
            return self._count
        is_last = self.done + share > 1 - 1e-6
        return self.epochs - 1 if is_last else min(int(self.done * self.epochs + 1e-6), self.epochs - 1)

    @property
    def share(self) -> float:
        """The share of the next epoch in the whole."""
        if self._end is None or not self._times:
            return 1 / self.epochs
        # the first epoch allocates and captures: it takes longer
        each = statistics.median(self._times[-3:] if len(self._times) < 4 else self._times[1:][-3:])
        left = max(int((self._end - time.monotonic()) / each), 1)
        return max((1 - self.done) / left, 1 / self.epochs)

    def advance(self, share: float, seconds: float) -> None:
        """Count an epoch that had ``share`` of the whole and took ``seconds``."""
        self._count += 1
        self._times.append(seconds)
        self.done = min(self.done + share, 1.0) if self.timed else self._count / self.epochs
        if self.done > 1 - 1e-6:
            self.done = 1.0


class WeightAverage:
    """The exponential moving average of a model's weights and batch-norm statistics.

    The decay starts low and rises to ``decay``: random weights of the first steps are forgotten quickly.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    def next_share(self) -> float:
        """Count a step, and give the share of the new weights in the average."""
        self.steps += 1
        # 1/11, 2/12, 3/13, ...: the average covers about the last tenth of the steps so far until ``decay`` is reached
        return 1 - min(self.decay, self.steps / (self.steps + 10))

    @torch.no_grad()
    def update(self, model: nn.Module, share: float | Tensor) -> None:
        """Move the average towards the weights of ``model`` by ``share``, a number or a tensor () on their device."""
        now = model.state_dict()
        kept = self.model.state_dict()
        floats = [key for key, value in kept.items() if value.is_floating_point()]  # not the counters of batch-norm
        others = [key for key, value in kept.items() if not value.is_floating_point()]
        mine, new = [kept[key] for key in floats], [now[key] for key in floats]
        # fused calls: a loop over the tensors takes as long as a step of a small network
        if isinstance(share, Tensor):
            way = torch._foreach_sub(new, mine)
            torch._foreach_mul_(way, share)
            torch._foreach_add_(mine, way)
        else:
            torch._foreach_lerp_(mine, new, share)
        if others:
            torch._foreach_copy_([kept[key] for key in others], [now[key] for key in others])
