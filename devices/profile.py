"""The profile of a device: the properties that determine the latency of a network and the file formats it can load."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """One board or computer.

    ``cores``: processors of the machine; ``usable_cpus``: those that this process may use (affinity, container quota).
    ``features``: instruction sets that matter for inference, by their common names (avx2, vnni, amx-int8, dotprod, i8mm).
    ``formats``: file formats whose engine is installed. ``memory_mib``: memory that this process may use, 0 if unknown.
    ``virtual``: a virtual machine. Raises ``ValueError`` where cores or usable_cpus are below one.
    """

    name: str
    arch: str
    cpu: str
    cores: int
    usable_cpus: int
    features: tuple[str, ...] = ()
    memory_mib: int = 0
    formats: tuple[str, ...] = ()
    virtual: bool = False

    def __post_init__(self) -> None:
        if self.cores < 1 or self.usable_cpus < 1:
            raise ValueError(
                f"a device has at least one core and one usable processor, not {self.cores} and {self.usable_cpus}; correct the profile"
            )

    @property
    def slug(self) -> str:
        """A folder name, such as ``raspberry-pi-5-model-b-rev-1-0-4c``; the number before ``c`` is ``usable_cpus``."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") + f"-{self.usable_cpus}c"

    @property
    def int8_path(self) -> str:
        """The instruction set that int8 convolutions use, "none" without an int8 dot product instruction."""
        preferred = ("amx-int8", "avx512-vnni", "avx-vnni", "i8mm", "dotprod")
        return next((feature for feature in preferred if feature in self.features), "none")
