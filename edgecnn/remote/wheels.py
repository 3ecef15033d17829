"""The wheels of a wheelhouse that a board needs: the newest that fit its Python and processor, with all that they need in turn."""

from __future__ import annotations

import email.parser
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from edgecnn.errors import InputError
from edgecnn.remote.agent.environments import unpacked_bytes
from edgecnn.remote.board_platform import BoardPlatform


class MissingWheelError(InputError):
    """A wheelhouse lacks ``requirement``."""

    def __init__(self, problem: str, fix: str, requirement: Requirement) -> None:
        super().__init__(problem, fix)
        self.requirement = requirement


@dataclass(frozen=True)
class Wheel:
    """A wheel file with what its name says."""

    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]

    @cached_property
    def requirements(self) -> list[Requirement]:
        """What it needs, with markers."""
        with zipfile.ZipFile(self.path) as packed:
            metadata = next(name for name in packed.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
            text = packed.read(metadata).decode("utf-8", "replace")
        return [Requirement(line) for line in email.parser.HeaderParser().parsestr(text).get_all("Requires-Dist") or []]

    @cached_property
    def unpacked_bytes(self) -> int:
        """What it takes on the disk where it is installed."""
        with zipfile.ZipFile(self.path) as packed:
            return unpacked_bytes(packed)

    @cached_property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def read_wheelhouse(folder: Path) -> list[Wheel]:
    """All wheels of a folder. Raises ``InputError`` where it is no folder or has none."""
    if not folder.is_dir():
        raise InputError(f"--wheelhouse: {folder} is not a folder", "make one with edgecnn wheelhouse")
    found = []
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename as error:
            raise InputError(f"--wheelhouse: {path.name} is not the name of a wheel", "remove it from the folder") from error
        found.append(Wheel(path, name, version, tags))
    if not found:
        raise InputError(f"--wheelhouse: {folder} has no wheels", "make one with edgecnn wheelhouse")
    return found


def choose(requirements: Iterable[Requirement], wheels: Sequence[Wheel], platform: BoardPlatform, where: str) -> list[Wheel]:
    """The wheels for ``requirements`` on ``platform``, with all that they need.

    Raises ``MissingWheelError`` for what is absent or there for another platform only; ``where`` names the wheelhouse.
    """
    chosen: dict[str, Wheel] = {}
    done: set[tuple[str, str]] = set()
    todo = [(each, "edgecnn") for each in requirements if _holds(each, platform, "")]
    while todo:
        requirement, needer = todo.pop(0)
        name = canonicalize_name(requirement.name)
        wheel = chosen.get(name) or _best(requirement, wheels, platform, where, needer)
        if not requirement.specifier.contains(wheel.version, prereleases=True):
            problem = f"{where} has {wheel.name} {wheel.version}, but {needer} needs {requirement.specifier}"
            raise MissingWheelError(problem, "build it again with edgecnn wheelhouse", requirement)
        chosen[name] = wheel
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) not in done:
                done.add((name, extra))
                todo += [(each, wheel.name) for each in wheel.requirements if _holds(each, platform, extra)]
    return [chosen[name] for name in sorted(chosen)]


def digest(wheels: Iterable[Wheel], platform: BoardPlatform, executable: str) -> str:
    """The digest by which an environment of these wheels is found again on a board."""
    text = "\n".join([platform.slug, executable, *sorted(wheel.sha256 for wheel in wheels)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _holds(requirement: Requirement, platform: BoardPlatform, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**platform.markers, "extra": extra})


def _best(requirement: Requirement, wheels: Sequence[Wheel], platform: BoardPlatform, where: str, needer: str) -> Wheel:
    named = [wheel for wheel in wheels if wheel.name == canonicalize_name(requirement.name)]
    right = [wheel for wheel in named if requirement.specifier.contains(wheel.version, prereleases=True)]
    fitting = [wheel for wheel in right if wheel.tags & platform.tags.keys()]
    if fitting:
        return max(fitting, key=lambda wheel: (wheel.version, -min(platform.tags.get(tag, 1 << 30) for tag in wheel.tags)))
    fix = "build it for this board with edgecnn wheelhouse"
    if right:
        made_for = ", ".join(sorted({f"{tag.interpreter} on {tag.platform}" for wheel in right for tag in wheel.tags})[:3])
        raise MissingWheelError(f"{where} has {requirement.name} for {made_for} only, the board is {platform}", fix, requirement)
    had = f" ({', '.join(str(wheel.version) for wheel in named)} is there)" if named else ""
    raise MissingWheelError(f"{where} lacks {requirement}{had}, which {needer} needs", fix, requirement)
