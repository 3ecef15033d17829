"""The training loop: AdamW, warm-up and cosine schedule, weight averaging, mixed precision, a state file after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from edgecnn.errors import InputError
from edgecnn.train import batch_memory
from edgecnn.train.config import TrainConfig
from edgecnn.train.device_loop import DeviceLoop
from edgecnn.train.distributed import ProcessGroup, process_mean
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective, image_order
from edgecnn.train.on_device import DeviceBatches
from edgecnn.train.prefetch import Prefetch
from edgecnn.train.schedule import TrainingProgress, WeightAverage, learning_rate
from edgecnn.train.state import TrainState
from edgecnn.train.step import TrainingStep
from edgecnn.types import Array

AfterEpoch = Callable[[nn.Module, list[dict[str, float]]], dict[str, float]]
AfterSave = Callable[[nn.Module, list[dict[str, float]]], None]


class Engine:
    """Trains ``model`` on an objective; ``average`` holds the averaged weights, which are the result.

    ``record`` are plain values in which, beside the configuration, a resumed training must agree with the stopped one. In a ``group`` of
    processes each trains on its shard of every batch, and only the main one saves. Where ``batches`` makes batches on the device, the
    objective is asked for the loss only; ``say`` gets a line where that can't be done at full speed.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        config: TrainConfig,
        hardware: Hardware,
        record: Mapping[str, Any] | None = None,
        group: ProcessGroup | None = None,
        batches: DeviceBatches | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.group = group or ProcessGroup()
        self.group.check(config.batch)
        self.identity = {**config.identity(), **(record or {})}
        self.config, self.objective, self.hardware = config, objective, hardware
        self.model = model.to(hardware.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.model, config.ema)
        self.step_once = TrainingStep(self.model, objective, self.average, config.weight_decay, config.lr, hardware)
        self.batches = batches
        self._loop = DeviceLoop(self.step_once, batches, config.batch, say) if batches else None
        self.epoch, self.step = 0, 0
        self.progress = TrainingProgress(config.epochs, config.max_minutes)
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
        self.step_once.load_state(state.optimizer)
        self.epoch, self.step, self.average.steps = state.epoch, state.step, state.average_steps
        self.history = state.history
        self.progress.restore(
            self.epoch, self.history[-1].get("progress", self.epoch / self.config.epochs) if self.history else 0.0
        )

    def run(self, folder: Path, after_epoch: AfterEpoch, after_save: AfterSave) -> None:
        """Train to the last epoch; ``after_epoch(model, history)`` gets the averaged model and gives numbers for the history.

        ``after_save(model, history)`` writes what needs a state to go on from: the state is on the disk first.

        Raises ``InputError`` where the loss is not finite or the memory too small; what was saved before is kept.
        """
        if not self.progress.finished:
            batch_memory.check_memory(self.model, self.objective, self.config.batch, self.hardware, self.config.epochs - 1)
        attempt = self._attempt if self.group.size == 1 else None  # the other processes would wait for gradients forever
        with Prefetch(self.objective, 1 if self._loop else self.config.workers) as prefetch:
            while not self.progress.finished:
                began, share = time.perf_counter(), self.progress.share
                epoch = self.progress.epoch(share)
                with batch_memory.explain_out_of_memory(self.config.batch, attempt):
                    loss = self._epoch(prefetch, epoch, share)
                self.epoch += 1
                self.history.append({"epoch": self.epoch, "loss": loss, "lr": self.step_once.rate()})
                self.history[-1].update(after_epoch(self.average.model, self.history))
                self.progress.advance(share, time.perf_counter() - began)
                if self.progress.timed:
                    self.history[-1]["progress"] = self.progress.done
                self._save(folder)
                after_save(self.average.model, self.history)

    def _epoch(self, prefetch: Prefetch, epoch: int, share: float) -> float:
        self.model.train()
        order = self._order()
        if self._loop:
            self._loop.prepare(epoch, order[0])
        # seeded by epoch, like order and augmentation: a resumed training continues with the same random numbers
        torch.manual_seed(self.config.seed * 100_003 + self.epoch)
        # wrapped anew each epoch: DistributedDataParallel fixes which parameters are trained, and layers may have been unfrozen
        network = self.group.wrap(self.model)
        rates = self._rates(share, len(order))
        sums: Iterator[float | None]
        if self._loop:
            sums = self._on_device(self._loop, network, epoch, order, rates)
        else:
            sums = self._by_workers(prefetch, network, epoch, order, rates)
        hidden, title, total = None if self.group.main else True, f"epoch {self.epoch + 1}/{self.config.epochs}", 0.0
        with tqdm(sums, total=self._batches, desc=title, unit="batch", leave=False, disable=hidden) as bar:
            for count, found in enumerate(bar, 1):
                if found is not None:
                    total = found
                    bar.set_postfix(loss=f"{total / count:.4f}", refresh=False)
        return total / self._batches

    def _rates(self, share: float, count: int) -> list[float]:
        """The learning rates of the steps of an epoch that has ``share`` of the whole."""
        if self.progress.timed:
            start, stride = self.progress.done * self.steps, share * self.steps / count
        else:
            start, stride = self.step, 1
        return [learning_rate(start + index * stride, self.steps, self.config.lr) for index in range(count)]

    def _on_device(
        self, loop: DeviceLoop, network: nn.Module, epoch: int, order: list[Array], rates: list[float]
    ) -> Iterator[float | None]:
        """Train on the batches of an epoch; gives the sum of the losses so far from time to time."""
        for sums in loop.run(network, epoch, order, rates):
            self.step += 1
            if sums is not None:
                self._check(*sums)
            yield sums[0] if sums else None

    def _by_workers(
        self, prefetch: Prefetch, network: nn.Module, epoch: int, order: list[Array], rates: list[float]
    ) -> Iterator[float]:
        """Train on the batches of an epoch; gives the sum of the losses so far after each."""
        total = 0.0
        for (inputs, truth), rate in zip(prefetch.batches(epoch, order), rates, strict=True):
            self.step_once.set_rate(rate)
            moved = inputs.to(self.hardware.device, memory_format=torch.channels_last)
            # one wait for the device, not two
            value, length = self.step_once(network, moved, truth, self.average.next_share()).tolist()
            value = process_mean(value)
            self._check(value, length)
            self.step += 1
            total += value
            yield total

    def _order(self) -> list[Array]:
        """Indices of this epoch's batches, shuffled by seed and epoch; an incomplete last one is dropped unless it is the only one."""
        order = image_order(self.objective, np.random.default_rng((self.config.seed, self.epoch)))
        starts = range(0, self._batches * self.config.batch, self.config.batch)
        return [self.group.shard(order[start : start + self.config.batch]) for start in starts]

    def _check(self, loss: float, gradient: float) -> None:
        """Raise ``InputError`` where the loss, or the norm of the gradient, is not finite."""
        if math.isfinite(loss) and math.isfinite(gradient):
            return
        found = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient is {gradient}"
        kept = f"the checkpoint of epoch {self.epoch} is kept" if self.epoch else "nothing was saved yet"
        raise InputError(
            f"the training diverged: {found} in epoch {self.epoch + 1}, step {self.step + 1}",
            f"train with a lower --lr ({kept})",
        )

    def _attempt(self, count: int) -> None:
        """Forward and backward pass of ``count`` images of the last epoch, the largest ones, without an update of the weights."""
        self.step_once.optimizer.zero_grad(set_to_none=True)
        indices = np.arange(count) % len(self.objective)
        inputs, truth = self._batch(indices, self.config.epochs - 1)
        with self.hardware.autocast():
            inputs = inputs.to(self.hardware.device, memory_format=torch.channels_last)
            loss = self.objective.loss(self.model, inputs, truth)
        loss.backward()  # type: ignore[no-untyped-call]

    def _batch(self, indices: Array, epoch: int) -> tuple[Tensor, Any]:
        if self.batches is None:
            return self.objective.batch(indices, epoch)
        return self.batches.batch(torch.from_numpy(indices).to(self.hardware.device), epoch)

    def _save(self, folder: Path) -> None:
        if not self.group.main:
            return
        TrainState(
            epoch=self.epoch,
            step=self.step,
            average_steps=self.average.steps,
            model=self.model.state_dict(),
            average=self.average.model.state_dict(),
            optimizer=self.step_once.state(),
            history=self.history,
            identity=self.identity,
        ).save(folder)
