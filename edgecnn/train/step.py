"""One training step: loss, gradients, weights and their average, without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective
from edgecnn.train.schedule import WeightAverage

MAX_GRADIENT_NORM = 10.0  # larger gradients are scaled down to this norm


class TrainingStep:
    """Trains ``model`` by AdamW on an objective, and keeps the average of its weights."""

    def __init__(
        self, model: nn.Module, objective: Objective, average: WeightAverage, decay: float, lr: float, hardware: Hardware
    ) -> None:
        self.model, self.objective, self.average, self.hardware = model, objective, average, hardware
        gpu = hardware.gpu
        rate: Any = torch.tensor(lr, device=hardware.device) if gpu else lr  # a graph reads the rate from the device's memory
        self.optimizer = torch.optim.AdamW(_groups(model, decay), lr=rate, betas=(0.9, 0.99), fused=gpu or None, capturable=gpu)

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def __call__(self, network: nn.Module, inputs: Tensor, truth: Any, share: float | Tensor) -> Tensor:
        """Update the weights by a batch, and their average by ``share``; returns (2,): the loss and the norm of the gradient."""
        with self.hardware.autocast():
            loss = self.objective.loss(network, inputs, truth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.average.update(self.model, share)
        return torch.stack([loss.detach().float(), norm.float()])

    def state(self) -> dict[str, Any]:
        """The state of the optimizer, with plain numbers for its rates."""
        found = self.optimizer.state_dict()
        for group in found["param_groups"]:
            group["lr"] = float(group["lr"])
        return found

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` gave."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # the tensor on the device; the number is set before the next step


def _groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Parameter groups: no weight decay for biases and norms."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
