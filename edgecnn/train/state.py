"""The state file of a training run: everything that is needed to resume with bit-identical results."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgecnn.errors import ArtifactError, InputError, first_line
from edgecnn.files import write_file

STATE = "state.pt"
VERSION = 2  # in 1 some fields of the configuration had other names


@dataclass(frozen=True, slots=True, eq=False)
class TrainState:
    """The state after ``epoch`` epochs and ``step`` steps: tensors of model, average and optimizer, metrics of each epoch."""

    epoch: int
    step: int
    average_steps: int
    model: dict[str, Any]
    average: dict[str, Any]
    optimizer: dict[str, Any]
    history: list[dict[str, float]]
    identity: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write the file atomically; raises ``InputError`` where the disk is full or the folder can't be written."""
        buffer = io.BytesIO()  # torch.save can't write atomically itself
        torch.save({"version": VERSION, **{name: getattr(self, name) for name in self.__slots__}}, buffer)
        write_file(folder / STATE, buffer.getvalue(), fix="choose another --out")

    @classmethod
    def load(cls, folder: Path, identity: dict[str, Any]) -> TrainState:
        """Read the file; only tensors and plain values are unpickled.

        Raises ``InputError`` where there is none or it is of a training with other options, ``ArtifactError`` where it is broken.
        """
        path = folder / STATE
        if not path.is_file():
            raise InputError(
                f"--resume: {folder} holds no stopped training (no {STATE})", "leave --resume out, or name its folder with --out"
            )
        try:
            record = torch.load(path, map_location="cpu", weights_only=True)
            version = record.pop("version")
            state = cls(**record)
        except (RuntimeError, EOFError, KeyError, TypeError, AttributeError, ValueError, pickle.UnpicklingError) as error:
            raise ArtifactError(f"{path} is broken ({first_line(error)})", "start again without --resume") from error
        _compare(state, version, identity, path)
        return state


ADDED = {"balance": "none", "adversarial": ""}  # options that were added later, with the value that changes nothing


def _compare(state: TrainState, version: int, identity: dict[str, Any], path: Path) -> None:
    if version != VERSION:
        raise ArtifactError(
            f"--resume: {path} was written by another version of edgecnn (format {version}, not {VERSION})",
            "start again without --resume",
        )
    # an option that the version before did not have was not set
    other = [name for name, value in identity.items() if state.identity.get(name, None if value else value) != value]
    if other:
        name = other[0]
        raise InputError(
            f"--resume: the training in {path.parent} was started with {name} {state.identity.get(name)!r}, not {identity[name]!r}",
            "give the same options, or another --out",
        )
