"""The one training loop: AdamW, warm-up and cosine, average of the weights, mixed precision, a state file after each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from edgecnn.errors import InputError
from edgecnn.train import batch_memory
from edgecnn.train.distributed import Group, mean
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective
from edgecnn.train.options import TrainOptions
from edgecnn.train.prefetch import Prefetch
from edgecnn.train.schedule import Average, learning_rate
from edgecnn.train.state import State
from edgecnn.types import Array

MAX_NORM = 10.0
AfterEpoch = Callable[[nn.Module, list[dict[str, float]]], dict[str, float]]


class Engine:
    """Trains ``model`` for an objective; ``average`` holds the weights to use.

    ``record`` is what a resumed training must have in common with the stopped one beside the options; plain values. In a ``group`` of
    processes each trains on its part of every batch, and the main one alone saves.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        options: TrainOptions,
        hardware: Hardware,
        record: Mapping[str, Any] | None = None,
        group: Group | None = None,
    ) -> None:
        self.group = group or Group()
        self.group.check(options.batch)
        self.identity = {**options.identity(), **(record or {})}
        self.options, self.objective, self.hardware = options, objective, hardware
        self.model = model.to(hardware.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.model, options.ema)
        self.optimizer = torch.optim.AdamW(_groups(self.model, options.weight_decay), lr=options.lr, betas=(0.9, 0.99))
        self.epoch, self.step = 0, 0
        self.history: list[dict[str, float]] = []

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.options.epochs * self._batches

    @property
    def _batches(self) -> int:
        return max(len(self.objective) // self.options.batch, 1)

    def resume(self, folder: Path) -> None:
        """Go on where the state file in ``folder`` stopped."""
        state = State.load(folder, self.identity)
        self.model.load_state_dict(state.model)
        self.average.model.load_state_dict(state.average)
        self.optimizer.load_state_dict(state.optimizer)
        self.epoch, self.step, self.average.steps = state.epoch, state.step, state.average_steps
        self.history = state.history

    def run(self, folder: Path, after_epoch: AfterEpoch) -> None:
        """Train to the last epoch; ``after_epoch(model, history)`` gets the averaged model and gives numbers for the history.

        Raises ``InputError`` where the loss is not finite or the memory does not do; what was saved before stays.
        """
        if self.epoch < self.options.epochs:
            batch_memory.check(self.model, self.objective, self.options.batch, self.hardware, self.options.epochs - 1)
        attempt = self._attempt if self.group.size == 1 else None  # the others would not take part
        with Prefetch(self.objective, self.options.workers) as prefetch:
            while self.epoch < self.options.epochs:
                with batch_memory.guard(self.options.batch, attempt):
                    loss = self._epoch(prefetch)
                self.epoch += 1
                self.history.append({"epoch": self.epoch, "loss": loss, "lr": self.optimizer.param_groups[0]["lr"]})
                self.history[-1].update(after_epoch(self.average.model, self.history))
                self._save(folder)

    def _epoch(self, prefetch: Prefetch) -> float:
        torch.manual_seed(self.options.seed * 100_003 + self.epoch)
        self.model.train()
        total, title = 0.0, f"epoch {self.epoch + 1}/{self.options.epochs}"
        batches = prefetch.batches(self.epoch, self._order())
        network = self.group.shared(self.model)  # anew each epoch: which layers are frozen may have changed
        hidden = None if self.group.main else True
        with tqdm(batches, total=self._batches, desc=title, unit="batch", leave=False, disable=hidden) as bar:
            for count, batch in enumerate(bar, 1):
                total += self._train(network, *batch)
                bar.set_postfix(loss=f"{total / count:.4f}", refresh=False)
        return total / self._batches

    def _order(self) -> list[Array]:
        """Batches of this epoch in its own order; a last one that is not full is left out, unless it is the only one."""
        order = np.random.default_rng((self.options.seed, self.epoch)).permutation(len(self.objective))
        starts = range(0, self._batches * self.options.batch, self.options.batch)
        return [self.group.part(order[start : start + self.options.batch]) for start in starts]

    def _train(self, network: nn.Module, inputs: Tensor, truth: object) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.steps, self.options.lr)
        inputs = inputs.to(self.hardware.device, memory_format=torch.channels_last)
        with self.hardware.autocast():
            loss = self.objective.loss(network, inputs, truth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
        value, length = torch.stack([loss.detach().float(), norm.float()]).tolist()  # one wait for the device, not two
        value = mean(value)
        if not math.isfinite(value) or not math.isfinite(length):
            self._diverged(f"{value}" if not math.isfinite(value) else f"a gradient of {length}")
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return value

    def _attempt(self, count: int) -> None:
        """The memory of a step with ``count`` images, without its effect on the weights."""
        self.optimizer.zero_grad(set_to_none=True)
        indices = np.arange(count) % len(self.objective)
        inputs, truth = self.objective.batch(indices, self.options.epochs - 1)
        with self.hardware.autocast():
            inputs = inputs.to(self.hardware.device, memory_format=torch.channels_last)
            loss = self.objective.loss(self.model, inputs, truth)
        loss.backward()  # type: ignore[no-untyped-call]

    def _diverged(self, found: str) -> None:
        kept = f"the checkpoint of epoch {self.epoch} is kept" if self.epoch else "nothing was saved yet"
        raise InputError(
            "a finite loss", f"{found} in epoch {self.epoch + 1}, step {self.step + 1}", f"train with a lower --lr ({kept})"
        )

    def _save(self, folder: Path) -> None:
        if not self.group.main:
            return
        State(
            epoch=self.epoch,
            step=self.step,
            average_steps=self.average.steps,
            model=self.model.state_dict(),
            average=self.average.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            history=self.history,
            identity=self.identity,
        ).save(folder)


def _groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """No decay for biases and norms."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
