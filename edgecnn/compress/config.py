"""The configuration of a compression run; equal configurations give equal networks."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from typing import Any, cast

from edgecnn.compress.distill import DistillConfig
from edgecnn.compress.targets import LatencyTarget, parse_latency
from edgecnn.data.address import shown_address
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.train.config import TrainConfig

QAT_LR_FACTOR = 0.1  # of the learning rate: quantization-aware training only adjusts trained weights

STEP_FIELDS = ("target_macs", "target_latency", "rounds", "round_epochs", "qat", "qat_epochs")
DISTILL_FIELDS = ("method", "weight", "temperature", "beta")
OPTION_NAMES = {"weight": "teacher-weight"}  # options of `edgecnn compress` that are not called like their field


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressConfig:
    """The options of `edgecnn compress`.

    ``train`` holds data, folder and hyperparameters of every step; its ``model`` is the name of the student, "" for none.
    ``checkpoint`` is the network to compress, or ``package.module:factory`` that was opened in this process
    (``edgecnn.models.factories``); ``factory_options`` are the words of the command line that opened it. ``teachers`` are checkpoints;
    without any, the network to compress is the teacher, unless ``train.pseudo`` names model files that label the images.
    ``target_macs`` and ``target_latency`` ask for pruning in ``rounds`` rounds, with ``round_epochs`` epochs of fine-tuning after each
    but the last and ``train.epochs`` after the last. ``qat`` asks for ``qat_epochs`` epochs of quantization-aware training at a tenth of
    the learning rate.
    Raises ``InputError`` where a network, a teacher or a step is missing, or two targets are given.
    """

    train: TrainConfig
    checkpoint: str = ""
    teachers: tuple[str, ...] = ()
    distill: DistillConfig = field(default_factory=DistillConfig)
    target_macs: str = ""
    target_latency: str = ""
    rounds: int = 4
    round_epochs: int = 1
    factory_options: tuple[str, ...] = ()
    qat: bool = False
    qat_epochs: int = 3

    def __post_init__(self) -> None:
        if not self.checkpoint and not self.train.model:
            raise InputError("there is no network to compress", "name a checkpoint, or a network to train with --student")
        if not self.all_teachers and not self.train.pseudo:
            raise InputError("--student: there is no teacher to learn from", "name a checkpoint with --teacher")
        if not self.steps:
            raise InputError("there is nothing to do", "give --student, --target-macs, --target-latency or --qat")
        if self.factory_options and self.steps != ("qat",):
            raise InputError(
                "a network of your own code can only be trained for int8",
                "give --qat without --student, --target-macs and --target-latency",
            )
        if self.target_macs and self.target_latency:
            raise InputError("--target-macs and --target-latency exclude each other", "leave one of them out")
        if self.target_latency:
            parse_latency(self.target_latency)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps to run, in order: distil, prune, qat."""
        chosen = {"distil": bool(self.train.model), "prune": bool(self.target_macs or self.target_latency), "qat": self.qat}
        return tuple(name for name, on in chosen.items() if on)

    @property
    def latency(self) -> LatencyTarget:
        """The parsed ``target_latency``; raises ``InputError`` where none was given."""
        return parse_latency(self.target_latency)

    @property
    def all_teachers(self) -> tuple[str, ...]:
        """``teachers``, else the network to compress."""
        return self.teachers or ((self.checkpoint,) if self.checkpoint else ())

    def identity(self) -> dict[str, Any]:
        """Everything that changes the networks, as plain values: a resumed run must agree with the stopped one in all of it."""
        found = {
            "checkpoint": self.checkpoint and shown_address(self.checkpoint),
            "teachers": [*map(shown_address, self.teachers)],
            **{name: getattr(self, name) for name in STEP_FIELDS},
            "distill": dataclasses.asdict(self.distill),
            "train": self.train.identity(),
        }
        return cast(
            dict[str, Any], json.loads(dump_json(found))
        )  # tuples become lists, as in the file that this is compared with

    def command(self) -> str:
        """The command line that gives the same networks, with folders by name only."""
        words = ["edgecnn compress"]
        words += [shlex.quote(shown_address(self.checkpoint))] if self.checkpoint else []
        words += map(shlex.quote, self.factory_options)
        words += [f"--student {self.train.model}"] if self.train.model else []
        words += [f"--teacher {shlex.quote(shown_address(teacher))}" for teacher in (*self.teachers, *self.train.pseudo)]
        words += _changed(self.distill, DISTILL_FIELDS)
        words += _changed(self, STEP_FIELDS)
        # the options after the data are those of `edgecnn train`; pseudo-label teachers are --teacher here
        _, _, rest = dataclasses.replace(self.train, pseudo=()).command().partition(" --data")
        return " ".join([*words, f"--data{rest}"])


def _changed(config: Any, names: tuple[str, ...]) -> list[str]:
    """``--name value`` for each field that differs from its default."""
    defaults = {item.name: item.default for item in dataclasses.fields(config)}
    words = []
    for name in names:
        value = getattr(config, name)
        if value != defaults[name]:
            option = f"--{OPTION_NAMES.get(name, name).replace('_', '-')}"
            shown = shown_address(value) if name == "target_latency" else str(value)
            words.append(option if value is True else f"{option} {shlex.quote(shown)}")
    return words
