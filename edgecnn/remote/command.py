"""Runs an edgecnn command on a board: copies what it reads, follows it, brings back what it wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from edgecnn.benchmarks.measure.progress import PROGRESS_MARK, PROGRESS_VARIABLE
from edgecnn.benchmarks.measure.record import model_files
from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.files import check_writable
from edgecnn.json_text import dump_json
from edgecnn.remote.board import RemoteBoard, Told
from edgecnn.remote.job import LEASE_S, JobEnd, JobSpec, RemoteJob
from edgecnn.remote.runtime import BoardRuntime

Print = Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class BoardCommand:
    """``words`` is the command after ``edgecnn``; a ``Path`` in it is a file of this machine, which is copied.

    ``variables`` are for its environment, such as secrets.
    """

    words: Sequence[str | Path]
    variables: Mapping[str, str] = field(default_factory=dict)


def upload_file(board: RemoteBoard, path: Path, folder: str, progress: Told = lambda _: None) -> str:
    """Copy a model file with the files that belong to it into ``folder`` below the root; its path there."""
    parts = model_files(path) if path.is_file() else []
    if not parts:
        raise InputError(f"{path} does not exist", "check the path")
    metadata = path.with_name("metadata.yaml")  # Ultralytics' name for the description beside a model
    for part in [*parts, *([metadata] if metadata.is_file() else [])]:
        board.upload(part, f"{folder}/{part.name}", progress)
    return f"{board.root}/{folder}/{path.name}"


def file_folder(path: Path) -> str:
    """The folder of a file on the board, below the root; it depends on the content, so an equal file is there already."""
    found = hashlib.sha256()
    for part in model_files(path):
        found.update(part.read_bytes() if part.is_file() else b"")
    return f"files/{found.hexdigest()[:24]}"


class RunningCommand:
    """A command on a board, from its start to the removal of all that it left; enter it to copy its files and start it.

    ``told`` gets lines for the user, ``progress`` short lines that replace each other.
    """

    def __init__(
        self,
        board: RemoteBoard,
        runtime: BoardRuntime,
        command: BoardCommand,
        told: Told,
        progress: Told,
        lease_s: float = LEASE_S,
    ) -> None:
        self._board, self._told, self._progress = board, told, progress
        self._errors: list[str] = []
        self._line = b""
        words = [
            upload_file(board, each, file_folder(each), progress) if isinstance(each, Path) else each for each in command.words
        ]
        variables = {**runtime.variables, **command.variables, PROGRESS_VARIABLE: "lines", "PYTHONUNBUFFERED": "1"}
        self._spec = JobSpec(words=[*runtime.words, *words], environment=variables, lease_s=lease_s, resumes=True)
        # the same command of this user finds its run again, if this side was ended while it went on
        name = hashlib.sha256(dump_json([self._spec.words, sorted(variables.items())]).encode()).hexdigest()[:16]
        self.job = RemoteJob(board, f"{command.words[0]}-{name}")

    def __enter__(self) -> RunningCommand:
        if not self.job.start(self._spec):
            self._told(f"{self._board.address}: this run is there already and is taken up again")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.job.__exit__(kind, error, trace)

    def follow(self, out: Print, on_connected: Callable[[], None] = lambda: None) -> JobEnd:
        """Print what it prints until it ends. Raises the error that ended it."""

        def sink(name: str, block: bytes) -> None:
            if name == "stdout":
                out(block)
            else:
                self._take_errors(block)

        end = self.job.follow(sink, on_connected)
        self._take_errors(b"\n" if self._line else b"")
        if end.why == "left alone":
            text = f"{self._board.address} ended the run, because this side was not heard for too long"
            raise BackendError(text, "run it again")
        if end.why == "lost":
            raise BackendError(f"{self._board.address} lost the run: it was restarted, or ran out of memory", "run it again")
        if end.exit_code and end.why != "stopped":
            raise self._error(end)
        return end

    def end(self, out: Print) -> None:
        """Ask it to end by SIGTERM, and print what it prints until then."""
        self.job.stop("TERM")
        self.job.follow(lambda name, block: out(block) if name == "stdout" else None)

    def fetch(self, folder: Path) -> list[Path]:
        """Write the files that it made to ``folder``; their paths."""
        found = []
        for name, data in self.job.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            check_writable(path)
            path.write_bytes(data)
            found.append(path)
        return found

    def _take_errors(self, block: bytes) -> None:
        *lines, self._line = (self._line + block).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace").rstrip()
            if line.startswith(PROGRESS_MARK):
                self._progress(line.removeprefix(PROGRESS_MARK))
            elif line.startswith("error: "):
                self._errors.append(line.removeprefix("error: "))
            elif line:
                self._told(line)

    def _error(self, end: JobEnd) -> EdgeCnnError:
        text = self._errors[-1] if self._errors else f"the command ended with exit code {end.exit_code}; run it there by hand"
        problem, _, fix = text.rpartition("; ")
        error = BackendError(f"{self._board.address}: {problem or text}", fix if problem else "run it there by hand")
        error.exit_code = end.exit_code if 0 < end.exit_code < 3 else 2
        return error


def local_paths(words: Iterable[str | Path]) -> list[Path]:
    """The files of this machine among the words of a command."""
    return [word for word in words if isinstance(word, Path)]
