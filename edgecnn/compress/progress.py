"""The progress file of a run: a JSON file in its folder, from which an interrupted run resumes at the unfinished step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.errors import ArtifactError, InputError
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.train.distributed import ProcessGroup

PROGRESS = "run.json"
START = "00-start"


@dataclass(slots=True)
class ProgressFile:
    """The configuration (``identity``) of a run in ``folder``, and the record of each finished step by name (``done``)."""

    folder: Path
    identity: dict[str, Any]
    command: str
    group: ProcessGroup = field(default_factory=ProcessGroup)
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(
        cls, folder: Path, identity: dict[str, Any], command: str, *, resume: bool, group: ProcessGroup | None = None
    ) -> ProgressFile:
        """A new one, or with ``resume`` the one that exists. Only the main process of a group writes; the others read what it wrote.

        Raises ``InputError`` where a run exists that is not to be resumed, where none exists, or where it was configured otherwise.
        """
        path, group = folder / PROGRESS, group or ProcessGroup()
        # the other processes always resume: they read the file that the main one has written just before
        with group.main_first():
            return cls._open(path, cls(folder, identity, command, group), resume=resume or not group.main)

    @staticmethod
    def _open(path: Path, progress: ProgressFile, *, resume: bool) -> ProgressFile:
        folder = progress.folder
        if resume and not path.is_file():
            raise InputError(f"--resume: {folder} holds no run", "leave --resume out")
        if not resume and path.is_file():
            raise InputError(f"--out: {folder} holds a run", "continue it with --resume, or choose another folder with --out")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out: can't write to {folder} ({error.strerror or error})", "choose another folder") from error
        if resume:
            progress.done = _read(path, progress.identity)
        progress.write()
        return progress

    def checkpoint(self, step: str) -> Path:
        """Path of the checkpoint of a step, which may not exist yet."""
        return self.folder / f"{step}.safetensors"

    def finished(self, step: str) -> bool:
        """Whether a step is done and its checkpoint still exists."""
        return step in self.done and self.checkpoint(step).is_file()  # a user may delete a checkpoint to repeat a step

    def finish(self, step: str, record: dict[str, Any]) -> None:
        """Record a step as done."""
        self.done[step] = record
        self.write()

    def write(self) -> None:
        """Write the file atomically; only the main process does."""
        if not self.group.main:
            return
        record = {"command": self.command, "config": self.identity, "done": self.done}
        write_file(self.folder / PROGRESS, dump_json(record, indent=1))


def step_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of the finished steps of a run, in order; raises ``InputError`` where the folder holds no run."""
    path = folder / PROGRESS
    if not path.is_file():
        raise InputError(f"{folder} holds no run of edgecnn compress (no {PROGRESS})", "name the folder that was its --out")
    done: dict[str, Any] = _load(path)["done"]
    return [folder / f"{step}.safetensors" for step in done]


def _read(path: Path, identity: dict[str, Any]) -> dict[str, dict[str, Any]]:
    record = _load(path)
    if "config" not in record:  # before the fields of the configuration got their present names
        raise InputError(f"--resume: the run in {path.parent} was started by an older version", "start again with another --out")
    stored: dict[str, Any] = record["config"]
    for name, value in identity.items():
        if stored.get(name) != value:
            was = dump_json(stored.get(name))[:80]
            raise InputError(
                f"--resume: the run in {path.parent} was started with {name} {was}, not {dump_json(value)[:80]}",
                "give the same options, or another --out",
            )
    done: dict[str, dict[str, Any]] = record["done"]
    return done


def _load(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        if "done" not in record:
            raise ValueError("not the progress of a run")
    except (ValueError, AttributeError, TypeError) as error:
        raise ArtifactError(f"{path} is broken ({error})", "start again in another folder") from error
    return record
