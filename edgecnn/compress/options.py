"""What a compression is asked to do; the same values make the same networks."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from typing import Any, cast

from edgecnn.compress.distill import Teaching
from edgecnn.compress.targets import LatencyTarget, parse_latency
from edgecnn.data.address import shown_address
from edgecnn.errors import InputError
from edgecnn.train.options import TrainOptions

QAT_RATE = 0.1  # of the learning rate: the weights are to settle, not to be found anew


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressOptions:
    """All of it.

    ``train`` holds the data, the folder and how each step trains; its ``model`` is the student's name, "" for none. ``checkpoint`` is
    the network to compress. ``teachers`` are checkpoints; without one the network to compress teaches, unless ``train.pseudo`` names
    artifacts whose boxes do. ``target_macs`` and ``target_latency`` ask for pruning, ``qat`` for quantization-aware training.
    ``rounds`` is how often channels go; each but the last is followed by ``round_epochs`` epochs, the last by ``train.epochs``.
    ``qat_epochs`` follow at a tenth of the learning rate.
    """

    train: TrainOptions
    checkpoint: str = ""
    teachers: tuple[str, ...] = ()
    teaching: Teaching = field(default_factory=Teaching)
    target_macs: str = ""
    target_latency: str = ""
    rounds: int = 4
    round_epochs: int = 1
    qat: bool = False
    qat_epochs: int = 3

    def __post_init__(self) -> None:
        if not self.checkpoint and not self.train.model:
            raise InputError("a network to compress", "none", "name a checkpoint, or a network to teach with --student")
        if not self.all_teachers and not self.train.pseudo:
            raise InputError("a teacher for the student", "none", "name a checkpoint with --teacher")
        if not self.steps:
            raise InputError("a way to compress", "none", "give --student, --target-macs, --target-latency or --qat")
        if self.target_macs and self.target_latency:
            raise InputError("one target", "MACs and a latency", "leave out --target-macs or --target-latency")
        if self.target_latency:
            parse_latency(self.target_latency)

    @property
    def steps(self) -> tuple[str, ...]:
        """What is to be done, in order."""
        wanted = {"distil": bool(self.train.model), "prune": bool(self.target_macs or self.target_latency), "qat": self.qat}
        return tuple(name for name, asked in wanted.items() if asked)

    @property
    def latency(self) -> LatencyTarget:
        """The target latency; raises ``InputError`` where none was given."""
        return parse_latency(self.target_latency)

    @property
    def all_teachers(self) -> tuple[str, ...]:
        """The named ones, else the network to compress."""
        return self.teachers or ((self.checkpoint,) if self.checkpoint else ())

    def identity(self) -> dict[str, Any]:
        """What a resumed run must have in common with the stopped one; plain values."""
        own = {name: getattr(self, name) for name in OWN}
        named = {
            "checkpoint": self.checkpoint and shown_address(self.checkpoint),
            "teachers": [*map(shown_address, self.teachers)],
        }
        found = {**named, **own, "teaching": dataclasses.asdict(self.teaching), "train": self.train.identity()}
        return cast(dict[str, Any], json.loads(json.dumps(found)))

    def command(self) -> str:
        """The command line that does the same, with folders by name only."""
        words = ["edgecnn compress"]
        words += [shlex.quote(shown_address(self.checkpoint))] if self.checkpoint else []
        words += [f"--student {self.train.model}"] if self.train.model else []
        words += [f"--teacher {shlex.quote(shown_address(teacher))}" for teacher in (*self.teachers, *self.train.pseudo)]
        words += _changed(self.teaching, ("method", "weight", "temperature", "beta"))
        words += _changed(self, OWN)
        _, _, rest = dataclasses.replace(self.train, pseudo=()).command().partition(" --data")
        return " ".join([*words, f"--data{rest}"])


OWN = ("target_macs", "target_latency", "rounds", "round_epochs", "qat", "qat_epochs")
WORDS = {"weight": "teacher-weight"}


def _changed(options: Any, names: tuple[str, ...]) -> list[str]:
    """``--name value`` for each option that is not its default."""
    defaults = {item.name: item.default for item in dataclasses.fields(options)}
    words = []
    for name in names:
        value = getattr(options, name)
        if value != defaults[name]:
            word = f"--{WORDS.get(name, name).replace('_', '-')}"
            shown = shown_address(value) if name == "target_latency" else str(value)
            words.append(word if value is True else f"{word} {shlex.quote(shown)}")
    return words
