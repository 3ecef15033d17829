"""The runtime of edgecnn on a board: found by its digests, else installed there from a wheelhouse, offline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import edgecnn
from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.remote.board import RemoteBoard
from edgecnn.remote.job import JobSpec, RemoteJob
from edgecnn.remote.packing import own_wheel
from edgecnn.remote.wheelhouse import board_requirements, cached_wheelhouse
from edgecnn.remote.wheels import MissingWheelError, Wheel, choose, digest, read_wheelhouse
from edgecnn.runtime.backends.engines import extras_of_options

Told = Callable[[str], None]
# One of these modules is there where the extra is installed.
MODULES_OF_EXTRA: Mapping[str, tuple[str, ...]] = {
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "openvino": ("openvino",),
    "executorch": ("executorch",),
    "live": ("uvicorn",),
}
EXTRA_OF_SUFFIX = {".tflite": "tflite", ".xml": "openvino", ".pte": "executorch"}

# Ends of an installation that its own last line does not explain.
ENDS = {"lost": "the board was restarted, or ran out of memory", "left alone": "this side was not heard for too long"}


@dataclass(frozen=True)
class BoardRuntime:
    """How edgecnn is called on a board: Python, the variables it needs, the digests of environment and code ("" if not ours)."""

    python: str
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    code: str = ""

    @property
    def words(self) -> list[str]:
        """The command ``edgecnn``."""
        return [self.python, "-m", "edgecnn"]


def engine_extras(files: Iterable[Path], words: Sequence[str | Path] = ()) -> set[str]:
    """The extras whose engines run these model files, as the options among ``words`` say.

    Raises ``InputError`` for a checkpoint, because boards have no PyTorch.
    """
    files = list(files)
    for path in files:
        if path.suffix == ".safetensors":
            raise InputError(f"{path.name} is a checkpoint, and boards run exported files only", "export it with edgecnn export")
    return {EXTRA_OF_SUFFIX[path.suffix] for path in files if path.suffix in EXTRA_OF_SUFFIX} | extras_of_options(words)


def existing_runtime(board: RemoteBoard, python: str, extras: Iterable[str] = ()) -> BoardRuntime:
    """The edgecnn that is installed for ``python`` on the board.

    Raises ``InputError`` where it is absent, of another version or without the packages of ``extras``.
    """
    modules = {extra: MODULES_OF_EXTRA[extra] for extra in sorted(extras) if extra in MODULES_OF_EXTRA}
    answer = board.ask("look", python=python, modules=modules)
    version = str(answer["version"])
    if version != edgecnn.__version__:
        found = f"edgecnn {version}" if version else "no edgecnn"
        raise InputError(
            f"--remote-python: {python} of {board.address} has {found}, this is {edgecnn.__version__}",
            "install this version there, or leave --remote-python out",
        )
    if answer["missing"]:
        names = ",".join(answer["missing"])
        packages = ", ".join(modules[extra][0] for extra in answer["missing"])
        raise InputError(
            f"--remote-python: {python} of {board.address} has no {packages}, which this command needs",
            f"install edgecnn[{names}] there, or leave --remote-python out",
        )
    return BoardRuntime(python)


def installed_runtime(board: RemoteBoard, extras: Iterable[str], wheelhouse: Path | None, told: Told) -> BoardRuntime:
    """Find the runtime with ``extras`` on the board, or install it from ``wheelhouse`` (default: the one built for its platform).

    Raises ``InputError`` where the wheelhouse lacks what this board needs; nothing is downloaded.
    """
    platform = board.platform
    folder = wheelhouse or cached_wheelhouse(platform)
    if not folder.is_dir():
        if wheelhouse is not None:
            raise InputError(f"--wheelhouse: {folder} is not a folder", "make one with edgecnn wheelhouse")
        problem = f"there are no wheels to install on {board.address} ({platform})"
        raise InputError(problem, f"download them with: {_collecting(board, extras, wheelhouse)}")
    try:
        wheels = choose(board_requirements(extras), read_wheelhouse(folder), platform, f"the wheelhouse {folder}")
    except MissingWheelError as missing:
        raise InputError(missing.problem, f"download it with: {_collecting(board, extras, wheelhouse)}") from missing
    environment = digest(wheels, platform, str(board.facts["executable"]))
    name, data = own_wheel()
    code = hashlib.sha256(data).hexdigest()[:24]
    found = board.ask("environment", environment=environment, code=code)
    if not found["environment"]:
        _install(board, environment, wheels, told)
    if not found["code"]:
        told(f"{board.address}: copying edgecnn {edgecnn.__version__}")
        board.upload(data, f"wheels/{code}/{name}")
        board.ask("unpack", code=code, wheel=f"wheels/{code}/{name}")
    return BoardRuntime(str(found["python"]), {"PYTHONPATH": str(found["code_folder"])}, environment, code)


def _collecting(board: RemoteBoard, extras: Iterable[str], folder: Path | None) -> str:
    """The command that collects what this board needs."""
    names = "".join(f" --extra {extra}" for extra in sorted(set(extras)))
    return f"edgecnn wheelhouse --host {board.address}{names}" + ("" if folder is None else f" --out {folder}")


def _install(board: RemoteBoard, environment: str, wheels: list[Wheel], told: Told) -> None:
    size = sum(wheel.path.stat().st_size for wheel in wheels) / 1e6
    board.ask("room", bytes=sum(wheel.path.stat().st_size + wheel.unpacked_bytes for wheel in wheels))
    told(f"{board.address}: copying {len(wheels)} packages, {size:.0f} MB")
    paths = [f"wheels/{environment}/{wheel.path.name}" for wheel in wheels]
    try:
        for wheel, path in zip(wheels, paths, strict=True):
            board.upload(wheel.path, path)
    except EdgeCnnError:
        if board.link.is_up:  # else the same command goes on with them
            board.ask("drop", folder=f"wheels/{environment}")
        raise
    told(f"{board.address}: installing them")
    said: list[bytes] = []
    # a job, because pip takes minutes on a slow board and the connection may break meanwhile
    with RemoteJob(board, f"install-{environment}") as job:
        job.start(JobSpec(verb="install", request={"environment": environment, "wheels": paths}))
        end = job.follow(lambda _, block: said.append(block))
    if end.exit_code:
        answer = refusal_in(b"".join(said))
        if answer is not None:
            raise board.refusal(answer)
        lines = b"".join(said).decode(errors="replace").strip().splitlines()
        reason = ENDS.get(end.why) or (lines[-1] if lines else end.why)
        raise BackendError(f"{board.address}: the installation failed: {reason}", "try it again")


def refusal_in(said: bytes) -> dict[str, str] | None:
    """The problem with which a verb of the agent ended, by what it printed."""
    for line in reversed(said.decode(errors="replace").splitlines()):
        if line.startswith('{"problem"'):
            found: dict[str, str] = json.loads(line)
            return found
    return None
