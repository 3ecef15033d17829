"""The training loop: AdamW, warm-up and cosine schedule, weight averaging, mixed precision, a state file after each epoch."""

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
from edgecnn.train.config import TrainConfig
from edgecnn.train.distributed import ProcessGroup, process_mean
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective
from edgecnn.train.prefetch import Prefetch
from edgecnn.train.schedule import WeightAverage, learning_rate
from edgecnn.train.state import TrainState
from edgecnn.types import Array

MAX_GRADIENT_NORM = 10.0  # larger gradients are scaled down to this norm
AfterEpoch = Callable[[nn.Module, list[dict[str, float]]], dict[str, float]]
AfterSave = Callable[[nn.Module, list[dict[str, float]]], None]


class Engine:
    """Trains ``model`` on an objective; ``average`` holds the averaged weights, which are the result.

    ``record`` are plain values in which, beside the configuration, a resumed training must agree with the stopped one. In a ``group`` of
    processes each trains on its shard of every batch, and only the main one saves.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        config: TrainConfig,
        hardware: Hardware,
        record: Mapping[str, Any] | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        self.group = group or ProcessGroup()
        self.group.check(config.batch)
        self.identity = {**config.identity(), **(record or {})}
        self.config, self.objective, self.hardware = config, objective, hardware
        self.model = model.to(hardware.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.model, config.ema)
        self.optimizer = torch.optim.AdamW(_groups(self.model, config.weight_decay), lr=config.lr, betas=(0.9, 0.99))
        self.epoch, self.step = 0, 0
        self.history: list[dict[str, float]] = []

    @property
    def steps(self) -> int:
        """Number of steps of the whole training."""
        return self.config.epochs * self._batches

    @property
    def _batches(self) -> int:
        return max(len(self.objective) // self.config.batch, 1)

    def resume(self, folder: Path) -> None:
        """Restore everything from the state file in ``folder``; raises what ``TrainState.load`` raises."""
        state = TrainState.load(folder, self.identity)
        self.model.load_state_dict(state.model)
        self.average.model.load_state_dict(state.average)
        self.optimizer.load_state_dict(state.optimizer)
        self.epoch, self.step, self.average.steps = state.epoch, state.step, state.average_steps
        self.history = state.history

    def run(self, folder: Path, after_epoch: AfterEpoch, after_save: AfterSave) -> None:
        """Train to the last epoch; ``after_epoch(model, history)`` gets the averaged model and gives numbers for the history.

        ``after_save(model, history)`` writes what needs a state to go on from: the state is on the disk first.

        Raises ``InputError`` where the loss is not finite or the memory too small; what was saved before is kept.
        """
        if self.epoch < self.config.epochs:
            batch_memory.check_memory(self.model, self.objective, self.config.batch, self.hardware, self.config.epochs - 1)
        attempt = self._attempt if self.group.size == 1 else None  # the other processes would wait for gradients forever
        with Prefetch(self.objective, self.config.workers) as prefetch:
            while self.epoch < self.config.epochs:
                with batch_memory.explain_out_of_memory(self.config.batch, attempt):
                    loss = self._epoch(prefetch)
                self.epoch += 1
                self.history.append({"epoch": self.epoch, "loss": loss, "lr": self.optimizer.param_groups[0]["lr"]})
                self.history[-1].update(after_epoch(self.average.model, self.history))
                self._save(folder)
                after_save(self.average.model, self.history)

    def _epoch(self, prefetch: Prefetch) -> float:
        # seeded by epoch, like order and augmentation: a resumed training continues with the same random numbers
        torch.manual_seed(self.config.seed * 100_003 + self.epoch)
        self.model.train()
        total, title = 0.0, f"epoch {self.epoch + 1}/{self.config.epochs}"
        batches = prefetch.batches(self.epoch, self._order())
        # wrapped anew each epoch: DistributedDataParallel fixes which parameters are trained, and layers may have been unfrozen
        network = self.group.wrap(self.model)
        hidden = None if self.group.main else True
        with tqdm(batches, total=self._batches, desc=title, unit="batch", leave=False, disable=hidden) as bar:
            for count, batch in enumerate(bar, 1):
                total += self._train(network, *batch)
                bar.set_postfix(loss=f"{total / count:.4f}", refresh=False)
        return total / self._batches

    def _order(self) -> list[Array]:
        """Indices of this epoch's batches, shuffled by seed and epoch; an incomplete last one is dropped unless it is the only one."""
        order = np.random.default_rng((self.config.seed, self.epoch)).permutation(len(self.objective))
        starts = range(0, self._batches * self.config.batch, self.config.batch)
        return [self.group.shard(order[start : start + self.config.batch]) for start in starts]

    def _train(self, network: nn.Module, inputs: Tensor, truth: object) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.steps, self.config.lr)
        inputs = inputs.to(self.hardware.device, memory_format=torch.channels_last)
        with self.hardware.autocast():
            loss = self.objective.loss(network, inputs, truth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        value, length = torch.stack(
            [loss.detach().float(), norm.float()]
        ).tolist()  # one synchronization with the device, not two
        value = process_mean(value)
        if not math.isfinite(value) or not math.isfinite(length):
            self._diverged(f"the loss is {value}" if not math.isfinite(value) else f"the gradient is {length}")
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return value

    def _attempt(self, count: int) -> None:
        """Forward and backward pass of ``count`` images of the last epoch, the largest ones, without an update of the weights."""
        self.optimizer.zero_grad(set_to_none=True)
        indices = np.arange(count) % len(self.objective)
        inputs, truth = self.objective.batch(indices, self.config.epochs - 1)
        with self.hardware.autocast():
            inputs = inputs.to(self.hardware.device, memory_format=torch.channels_last)
            loss = self.objective.loss(self.model, inputs, truth)
        loss.backward()  # type: ignore[no-untyped-call]

    def _diverged(self, found: str) -> None:
        kept = f"the checkpoint of epoch {self.epoch} is kept" if self.epoch else "nothing was saved yet"
        raise InputError(
            f"the training diverged: {found} in epoch {self.epoch + 1}, step {self.step + 1}",
            f"train with a lower --lr ({kept})",
        )

    def _save(self, folder: Path) -> None:
        if not self.group.main:
            return
        TrainState(
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
    """Parameter groups: no weight decay for biases and norms."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
