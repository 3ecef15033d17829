"""What a device is: the facts that decide how fast a network runs on it and which files it can open."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """One board or computer.

    ``cores`` is what the machine has, ``threads`` what this process may use (affinity and container quota).
    ``features`` are the instruction sets that matter for inference, named as users know them (avx2, vnni, amx-int8, dotprod, i8mm).
    ``formats`` are the file formats whose engine is installed. ``memory_mib`` is what this process may use.
    Raises ``ValueError`` where cores or threads are below one.
    """

    name: str
    arch: str
    cpu: str
    cores: int
    threads: int
    features: tuple[str, ...] = ()
    memory_mib: int = 0
    formats: tuple[str, ...] = ()
    virtual: bool = False

    def __post_init__(self) -> None:
        if self.cores < 1 or self.threads < 1:
            raise ValueError(
                f"wanted at least one core and one thread, found {self.cores} and {self.threads}: correct the profile"
            )

    @property
    def slug(self) -> str:
        """A name fit for a folder, such as ``raspberry-pi-5-model-b-rev-1-0-4c``; ``c`` counts the threads this process may use."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") + f"-{self.threads}c"

    @property
    def int8_path(self) -> str:
        """The instruction set that int8 convolutions run on, or "none" where they have no dot product of their own."""
        preferred = ("amx-int8", "avx512-vnni", "avx-vnni", "i8mm", "dotprod")
        return next((feature for feature in preferred if feature in self.features), "none")
