"""What a run has done so far: one JSON file in its folder, so that a killed run goes on with the step it was at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.errors import ArtifactError, InputError
from edgecnn.files import write_file
from edgecnn.train.distributed import Group

JOURNAL = "run.json"
STARTED = "00-start"


@dataclass(slots=True)
class Journal:
    """The folder of a run, what it was asked for, and for each finished step, by its name, what there is to tell of it."""

    folder: Path
    identity: dict[str, Any]
    command: str
    group: Group = field(default_factory=Group)
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, identity: dict[str, Any], command: str, *, resume: bool, group: Group | None = None) -> Journal:
        """A new one, or with ``resume`` the one that is there; of a group, the main process opens it first, and alone writes.

        Raises ``InputError`` where a run is there and not to be resumed, none is there, or it was asked for something else.
        """
        path, group = folder / JOURNAL, group or Group()
        with group.first():
            return cls._open(path, cls(folder, identity, command, group), resume=resume or not group.main)

    @staticmethod
    def _open(path: Path, journal: Journal, *, resume: bool) -> Journal:
        folder = journal.folder
        if resume != path.is_file():
            there = "no run" if resume else "a run"
            do = "leave --resume out" if resume else "go on with --resume, or name another folder with --out"
            raise InputError(f"{'a stopped' if resume else 'no'} run in {folder}", there, do)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"a folder to write at {folder}", error.strerror or str(error), "name another with --out") from error
        if resume:
            journal.done = _read(path, journal.identity)
        journal.write()
        return journal

    def checkpoint(self, step: str) -> Path:
        """Where a step's network is, or will be."""
        return self.folder / f"{step}.safetensors"

    def finished(self, step: str) -> bool:
        """Whether a step need not be done again."""
        return step in self.done and self.checkpoint(step).is_file()

    def finish(self, step: str, record: dict[str, Any]) -> None:
        """Note that a step is done."""
        self.done[step] = record
        self.write()

    def write(self) -> None:
        """Write it at once."""
        if not self.group.main:
            return
        record = {"command": self.command, "asked": self.identity, "done": self.done}
        write_file(self.folder / JOURNAL, json.dumps(record, indent=1))


def variants(folder: Path) -> list[Path]:
    """Checkpoints of the finished steps of a run, in order; raises ``InputError`` where the folder holds none."""
    path = folder / JOURNAL
    if not path.is_file():
        raise InputError(f"a run of edgecnn compress in {folder}", f"no {JOURNAL}", "name the folder that was its --out")
    done: dict[str, Any] = _load(path)["done"]
    return [folder / f"{step}.safetensors" for step in done]


def _read(path: Path, identity: dict[str, Any]) -> dict[str, dict[str, Any]]:
    record = _load(path)
    asked: dict[str, Any] = record["asked"]
    other = [name for name in identity if asked.get(name) != identity[name]]
    if other:
        found = f"{other[0]} {json.dumps(identity[other[0]])[:80]} instead of {json.dumps(asked.get(other[0]))[:80]}"
        raise InputError(f"the options that the run in {path.parent} was started with", found, "give the same with --resume")
    done: dict[str, dict[str, Any]] = record["done"]
    return done


def _load(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        if not {"asked", "done"} <= record.keys():
            raise ValueError("not the record of a run")
    except (ValueError, AttributeError) as error:
        raise ArtifactError(f"the record of a run at {path}", str(error), "start again in another folder") from error
    return record
