"""What a board can install: its Python, processor and C library.

Wheel tags follow PEP 425, 600 (manylinux) and 656 (musllinux), the environment of markers PEP 508.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from packaging.tags import Tag, compatible_tags, cpython_tags

from edgecnn.errors import InputError

OLDEST_GLIBC = {"x86_64": 5, "i686": 5}  # manylinux1; other processors begin with manylinux2014, glibc 2.17
# manylinux1, 2010 and 2014 are older names (PEP 513, 571, 599)
ALIASES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True)
class BoardPlatform:
    """``python`` is (3, 11), ``libc`` "glibc" or "musl" with its version, such as (2, 36)."""

    machine: str
    python: tuple[int, int]
    libc: str = "glibc"
    libc_version: tuple[int, int] = (2, 28)

    @cached_property
    def platforms(self) -> list[str]:
        """Platform tags, the best one first."""
        major, minor = self.libc_version
        if self.libc == "musl":
            return [*(f"musllinux_{major}_{each}_{self.machine}" for each in range(minor, -1, -1)), f"linux_{self.machine}"]
        names = []
        for each in range(minor, OLDEST_GLIBC.get(self.machine, 17) - 1, -1):
            names.append(f"manylinux_{major}_{each}_{self.machine}")
            names += [f"{ALIASES[each]}_{self.machine}"] if each in ALIASES else []
        return [*names, f"linux_{self.machine}"]

    @cached_property
    def tags(self) -> dict[Tag, int]:
        """All tags that fit, with their rank: 0 is best."""
        own = [*cpython_tags(self.python, platforms=self.platforms)]
        own += compatible_tags(self.python, interpreter=f"cp{self.python[0]}{self.python[1]}", platforms=self.platforms)
        return {tag: rank for rank, tag in reversed([*enumerate(own)])}

    @property
    def markers(self) -> dict[str, str]:
        """The environment in which markers of requirements are evaluated."""
        version = f"{self.python[0]}.{self.python[1]}"
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{version}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{version}.0",
            "python_version": version,
            "sys_platform": "linux",
        }

    @property
    def slug(self) -> str:
        """A name for folders: ``aarch64-cp311-glibc236``."""
        major, minor = self.libc_version
        return f"{self.machine}-cp{self.python[0]}{self.python[1]}-{self.libc}{major}{minor}"

    def __str__(self) -> str:
        major, minor = self.libc_version
        return f"{self.machine}, Python {self.python[0]}.{self.python[1]}, {self.libc} {major}.{minor}"


def parse_platform(text: str) -> BoardPlatform:
    """Parse ``MACHINE-PYTHON[-LIBC]`` such as ``aarch64-3.11-glibc2.36``. Raises ``InputError``."""
    machine, _, rest = text.partition("-")
    python, _, libc = rest.partition("-")
    name = libc.rstrip("0123456789.") or "glibc"
    try:
        major, minor = map(int, python.split("."))
        first, second = map(int, (libc[len(name) :] if libc else "2.28").split("."))
        if not machine or name not in ("glibc", "musl"):
            raise ValueError(text)
    except ValueError:
        raise InputError(f"--platform: {text!r} is not a platform", "write it like aarch64-3.11-glibc2.36") from None
    return BoardPlatform(machine, (major, minor), name, (first, second))
