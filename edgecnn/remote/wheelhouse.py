"""Builds a wheelhouse: all wheels that a board needs to install edgecnn's runtime without a network, and pip's own wheel."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from packaging.requirements import Requirement

from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.remote.board_platform import BoardPlatform
from edgecnn.remote.packing import installed_wheel, own_requirements
from edgecnn.remote.wheels import MissingWheelError, Wheel, choose, read_wheelhouse
from edgecnn.user_folders import needed_cache_folder

THIRTY_TWO_BIT = ("armv6l", "armv7l", "i686", "i386")
# pip evaluates markers for the machine it runs on, so what only the board needs is found afterwards, a package at a time.
MOST_LATER = 40
PIP = Requirement("pip>=22")
Fetch = Callable[[Requirement, Path], None]


def cached_wheelhouse(platform: BoardPlatform) -> Path:
    """The usual folder of the wheelhouse of a platform on this machine. Raises ``InputError`` without a home."""
    return needed_cache_folder("name a folder with --out or --wheelhouse") / "wheelhouse" / platform.slug


def board_requirements(extras: Iterable[str]) -> list[Requirement]:
    """What a board needs for edgecnn with ``extras``, pip included."""
    return [*own_requirements(tuple(sorted(set(extras)))), PIP]


def download(
    platform: BoardPlatform,
    extras: Iterable[str],
    folder: Path,
    constraints: Path | None = None,
    told: Callable[[str], None] = print,
) -> list[Wheel]:
    """Download the wheels for ``platform`` with pip, by its own configuration (index, proxies), into ``folder``.

    ``constraints`` is a file of versions. Raises ``InputError`` where pip is absent, or a wheel for this platform does not exist.
    """
    # find_spec("pip") would make setuptools replace distutils in this process
    if not any(importlib.metadata.distributions(name="pip")):
        raise InputError("pip is not installed here, and it downloads the wheels", "run: python -m ensurepip")
    limits = ["-c", str(constraints)] if constraints is not None else []
    target = [word for name in platform.platforms for word in ("--platform", name)]
    target += ["--python-version", ".".join(map(str, platform.python)), "--implementation", "cp", "--only-binary=:all:"]

    def fetch(requirements: list[Requirement], into: Path, *options: str) -> None:
        words = [sys.executable, "-m", "pip", "download", "-q", "--dest", str(into), *target, *limits, *options]
        done = subprocess.run(
            [*words, *(f"{each.name}{_extras(each)}{each.specifier}" for each in requirements)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InputError(f"no wheels for {platform}: {_reason(done.stderr)}", way_out(platform))

    def fetch_one(requirement: Requirement, into: Path) -> None:
        told(f"downloading {requirement.name}")
        fetch([requirement], into, "--no-deps")

    asked = board_requirements(extras)
    holding = [each for each in asked if each.marker is None or each.marker.evaluate({**platform.markers, "extra": ""})]
    told(f"downloading {len(holding)} packages and what they need, for {platform}")
    return _built(asked, platform, folder, lambda draft: fetch(holding, draft), fetch_one)


def pack_installed(
    platform: BoardPlatform, extras: Iterable[str], folder: Path, told: Callable[[str], None] = print
) -> list[Wheel]:
    """Make the wheels of the packages installed here, for a board with the same processor and Python; nothing is downloaded.

    Raises ``InputError`` where one is not installed here or does not fit the board.
    """

    def fetch_one(requirement: Requirement, into: Path) -> None:
        told(f"packing {requirement.name}")
        name, data = installed_wheel(requirement.name)
        if (into / name).exists():
            raise InputError(
                f"{name}, as it is installed here, does not fit {platform}", "leave --from-installed out to download"
            )
        write_file(into / name, data)

    return _built(board_requirements(extras), platform, folder, lambda _: None, fetch_one)


def _built(
    asked: list[Requirement], platform: BoardPlatform, folder: Path, fetch_all: Callable[[Path], None], fetch_one: Fetch
) -> list[Wheel]:
    """Collect the wheels in a draft folder, then move what is needed to ``folder``, whose other wheels of these packages go."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't write into {folder}: {(error.strerror or str(error)).lower()}", "name another --out") from error
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
        draft = Path(name)
        fetch_all(draft)
        wheels = _completed(asked, platform, draft, fetch_one)
        names = {wheel.name for wheel in wheels}
        old = read_wheelhouse(folder) if any(folder.glob("*.whl")) else []
        for wheel in old:
            # another version would be chosen, perhaps; the same file stays
            if wheel.name in names:
                wheel.path.unlink()
        for wheel in wheels:
            shutil.move(wheel.path, folder / wheel.path.name)
    return choose(asked, read_wheelhouse(folder), platform, str(folder))


def _completed(asked: list[Requirement], platform: BoardPlatform, draft: Path, fetch_one: Fetch) -> list[Wheel]:
    tried: set[str] = set()
    for _ in range(MOST_LATER):
        there = read_wheelhouse(draft) if any(draft.glob("*.whl")) else []
        try:
            return choose(asked, there, platform, "the wheelhouse")
        except MissingWheelError as missing:
            if str(missing.requirement) in tried:
                raise
            tried.add(str(missing.requirement))
            fetch_one(missing.requirement, draft)
    raise InputError("the wheels need more and more packages", "try other versions with --constraint")


def way_out(platform: BoardPlatform) -> str:
    """What helps where a package has no wheel for a platform: for some systems the engines publish none at all."""
    if platform.libc == "musl":
        return "inference engines publish wheels for glibc only: use Debian, Ubuntu or a container of them instead of Alpine"
    if platform.machine in THIRTY_TWO_BIT:
        return "inference engines publish 64-bit wheels only: install a 64-bit system on the board"
    return "try other versions with --constraint, or another Python"


def _extras(requirement: Requirement) -> str:
    return f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""


def _reason(text: str) -> str:
    """The line of pip that says what it did not find."""
    lines = [line.strip().removeprefix("ERROR: ") for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _names_a_package(line)]
    return (errors or lines or ["no message"])[-1][:300].rstrip(".")


def _names_a_package(line: str) -> bool:
    """Whether a line of pip names what is missing."""
    return line.startswith(("No matching distribution", "Could not find", "Cannot install", "ResolutionImpossible"))
