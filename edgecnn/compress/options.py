"""What a compression is asked to do; the same values make the same networks."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from edgecnn.compress.distill import Teaching
from edgecnn.data.address import shown_address
from edgecnn.errors import InputError
from edgecnn.train.options import TrainOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressOptions:
    """All of it.

    ``train`` holds the data, the folder and how each step trains; its ``model`` is the student's name, "" for none. ``checkpoint`` is
    the network to compress. ``teachers`` are checkpoints; without one the network to compress teaches.
    """

    train: TrainOptions
    checkpoint: str = ""
    teachers: tuple[str, ...] = ()
    teaching: Teaching = field(default_factory=Teaching)

    def __post_init__(self) -> None:
        if not self.checkpoint and not self.train.model:
            raise InputError("a network to compress", "none", "name a checkpoint, or a network to teach with --student")
        if not self.all_teachers:
            raise InputError("a teacher for the student", "none", "name a checkpoint with --teacher")

    @property
    def all_teachers(self) -> tuple[str, ...]:
        """The named ones, else the network to compress."""
        return self.teachers or ((self.checkpoint,) if self.checkpoint else ())

    def command(self) -> str:
        """The command line that does the same, with folders by name only."""
        words = ["edgecnn compress"]
        words += [shlex.quote(shown_address(self.checkpoint))] if self.checkpoint else []
        words += [f"--student {self.train.model}"] if self.train.model else []
        words += [f"--teacher {shlex.quote(shown_address(teacher))}" for teacher in self.teachers]
        words += self._teaching()
        _, _, rest = self.train.command().partition(" --data")
        return " ".join([*words, f"--data{rest}"])

    def _teaching(self) -> list[str]:
        own, usual = self.teaching, Teaching()
        names = {"method": "method", "weight": "teacher-weight", "temperature": "temperature", "beta": "beta"}
        return [f"--{word} {getattr(own, name)}" for name, word in names.items() if getattr(own, name) != getattr(usual, name)]
