"""The steps of a compression run: each trains in its own folder and writes a checkpoint beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.compress import qat
from edgecnn.compress.config import QAT_LR_FACTOR, CompressConfig
from edgecnn.compress.cost import count_macs, example_input
from edgecnn.compress.distill import METHODS, DistillConfig, DistillObjective
from edgecnn.compress.prune import mark_pruned, prune_to, prune_to_latency
from edgecnn.compress.targets import parse_macs
from edgecnn.compress.teacher import DistillationTeacher
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.models import load_checkpoint, save_checkpoint
from edgecnn.models.registry import task_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.distributed import ProcessGroup
from edgecnn.train.hardware import Hardware
from edgecnn.train.hooks import TrainHooks
from edgecnn.train.objective import Objective
from edgecnn.train.recorder import CHECKPOINT
from edgecnn.train.run import train
from edgecnn.train.state import STATE

Say = Callable[[str], None]
LatencyOf = Callable[[Path], float]
Trained = tuple[nn.Module, ModelCard]
NetworkHook = Callable[[nn.Module, ModelCard, Objective], nn.Module]

CALIBRATION_IMAGES, CALIBRATION_BATCH = 256, 32  # enough for initial ranges, which training adjusts


@dataclass(frozen=True, slots=True, eq=False)
class PipelineContext:
    """The context that all steps of a run share.

    ``teacher`` is None where only ``labelers``, model files that label images, teach. ``latency_of`` gives the latency of a checkpoint in
    milliseconds and ``target_ms`` is the target; both are None where pruning is by MACs.
    """

    config: CompressConfig
    teacher: DistillationTeacher | None
    labelers: Sequence[PseudoLabeler] = ()
    say: Say = print
    latency_of: LatencyOf | None = None
    target_ms: float | None = None
    group: ProcessGroup = field(default_factory=ProcessGroup)

    def distil(self, folder: Path) -> dict[str, Any]:
        """Train the student from random weights."""
        publish(self.train(folder, self.config.train, None, {"step": "distil"}), step_checkpoint(folder), self.group)
        return {}

    def prune(self, folder: Path, source: Path) -> dict[str, Any]:
        """Prune ``source`` in rounds, each followed by fine-tuning; gives the MACs before and after."""
        model, card = load_checkpoint(source)
        rounds = PruningRounds(self, folder, mark_pruned(card))
        image, count = example_input(card), self.config.rounds
        if rounds.target_ms is not None:
            found = prune_to_latency(
                model, image, target_ms=rounds.target_ms, latency_of=rounds.latency, finetune=rounds.finetune, rounds=count
            )
        else:
            target = parse_macs(self.config.target_macs, count_macs(model, image))
            found = prune_to(model, image, target_macs=target, finetune=rounds.finetune, rounds=count)
        publish(rounds.last, step_checkpoint(folder), self.group)
        return {"macs_before": found.macs_before, "macs_after": found.macs_after, "latency_ms": found.latency_ms}

    def qat(self, folder: Path, source: Path) -> dict[str, Any]:
        """Quantization-aware training of ``source`` at a low learning rate; gives the record of its ranges."""
        model, card = load_checkpoint(source)
        # bfloat16 has 8 bits of mantissa: its own rounding would be as coarse as the int8 grid that is trained here
        config = dataclasses.replace(self.finetune_config(self.config.qat_epochs, QAT_LR_FACTOR), amp="fp32")
        made = self.train(folder, config, (model, qat.mark_quantized(card)), {"step": "qat"}, add_fake_quant)
        trained, card = load_checkpoint(made)
        final, record = qat.finish(trained)
        if self.group.main:
            save_checkpoint(step_checkpoint(folder), final, qat.mark_quantized(card, record))
        self.group.wait()
        return record

    def train(
        self,
        folder: Path,
        config: TrainConfig,
        initial: Trained | None,
        note: dict[str, Any],
        network: NetworkHook = lambda model, card, objective: model,
    ) -> Path:
        """One training, distilled from the teacher; resumes where an earlier run was stopped."""
        folder.mkdir(parents=True, exist_ok=True)
        resume = (folder / STATE).is_file()
        if not resume:
            (folder / CHECKPOINT).unlink(missing_ok=True)  # of a first epoch whose state was not written any more
        task = initial[1].task if initial else task_of(config.model, config.network())
        hooks = dataclasses.replace(self._hooks(task, initial, note), network=network)
        return train(dataclasses.replace(config, out=folder, resume=resume), self.say, hooks, teachers=self.labelers)

    def finetune_config(self, epochs: int, lr_factor: float = 1.0) -> TrainConfig:
        """The configuration for training an existing network further."""
        usual = self.config.train
        return dataclasses.replace(usual, model="", epochs=epochs, lr=usual.lr * lr_factor, init="", freeze="")

    def _hooks(self, task: str, initial: Trained | None, note: dict[str, Any]) -> TrainHooks:
        source = {"source": initial[1].name, "sha256": initial[1].sha256} if initial else {}
        plain = TrainHooks(initial=initial, record={"compression": {**note, **source}}, command=self.config.command())
        if self.teacher is None or (task not in METHODS and not self.config.teachers):
            return plain
        distill = self.config.distill.for_task(task)
        return dataclasses.replace(
            plain,
            check=self.teacher.check,
            objective=distill_from(self.teacher, distill),
            record={**plain.record, "distillation": {"teachers": self.teacher.record(), **distill.record()}},
        )


class PruningRounds:
    """Fine-tuning between rounds of pruning; networks and latencies that an earlier run has finished are read from ``folder``.

    Pruning itself is deterministic, so a resumed run asks for the same rounds and measurements in the same order.
    """

    def __init__(self, context: PipelineContext, folder: Path, card: ModelCard) -> None:
        self._context, self._folder, self._card = context, folder, card
        self._count = 0
        self._file = folder / "latency.json"
        found: dict[str, Any] = json.loads(self._file.read_text()) if self._file.is_file() else {}
        # measured latencies vary: a resumed run must repeat the decisions of the stopped one, so it reuses its measurements
        self._known_ms: list[float] = found.get("measured_ms", [])
        self.target_ms: float | None = found.get("target_ms", context.target_ms)
        self._asked = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def last(self) -> Path:
        """The checkpoint of the last round."""
        return self._folder / f"round-{self._count}.safetensors"

    def finetune(self, model: nn.Module) -> nn.Module:
        """Train a pruned network: for ``round_epochs``, after the last round for all ``epochs``."""
        self._count += 1
        config = self._context.config
        if not self.last.is_file():
            epochs = config.round_epochs if self._count < config.rounds else config.train.epochs
            macs = count_macs(model, example_input(self._card))
            self._context.say(f"pruned to {macs:,} MACs, round {self._count}")
            note = {"step": "prune", "round": self._count, "macs": macs}
            folder = self.last.with_suffix("")
            made = self._context.train(folder, self._context.finetune_config(epochs), (model, self._card), note)
            publish(made, self.last, self._context.group)
        trained: nn.Module = load_checkpoint(self.last)[0]
        return trained

    def latency(self, model: nn.Module) -> float:
        """Milliseconds of a pruned network, trained or not."""
        self._asked += 1
        if self._asked > len(self._known_ms):
            if self._context.group.main:
                self._measure(model)
            self._context.group.wait()
            self._known_ms = json.loads(self._file.read_text())["measured_ms"]
        return self._known_ms[self._asked - 1]

    def _measure(self, model: nn.Module) -> None:
        assert self._context.latency_of is not None
        draft = self._folder / "measured.safetensors"
        save_checkpoint(draft, model, self._card)
        found_ms = self._context.latency_of(draft)
        draft.unlink()
        record = {"target_ms": self.target_ms, "measured_ms": [*self._known_ms, found_ms]}
        write_file(self._file, dump_json(record))
        self._context.say(f"{count_macs(model, example_input(self._card)):,} MACs: {found_ms:.3f} ms")


def add_fake_quant(model: nn.Module, card: ModelCard, objective: Objective) -> nn.Module:
    """The network with fake quantization, its ranges calibrated on the first training images."""
    starts = range(0, min(len(objective), CALIBRATION_IMAGES), CALIBRATION_BATCH)
    batches = [np.arange(start, min(start + CALIBRATION_BATCH, len(objective))) for start in starts]
    return qat.prepare(model, card, (objective.batch(indices, 0)[0] for indices in batches))


def distill_from(teacher: DistillationTeacher, config: DistillConfig) -> Callable[[Objective, ModelCard, Hardware], Objective]:
    """An objective hook that adds the teacher's loss."""

    def wrap(objective: Objective, card: ModelCard, hardware: Hardware) -> Objective:
        teacher.to(hardware.device)
        return DistillObjective(objective, teacher, config, card.preprocess)

    return wrap


def step_checkpoint(folder: Path) -> Path:
    """The checkpoint of the step that trains in ``folder``: a file beside it."""
    return folder.with_name(f"{folder.name}.safetensors")


def publish(made: Path, path: Path, group: ProcessGroup) -> None:
    """Copy a checkpoint to its final name atomically; all processes of a group wait until it is there."""
    if group.main:
        write_file(path, made.read_bytes())
    group.wait()
