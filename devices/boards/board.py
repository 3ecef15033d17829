"""What is known of a board or computer: the profile that measurements need, and facts, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgecnn.devices.profile import DeviceProfile

AcceleratorKind = Literal["gpu", "npu", "tpu"]
Topic = Literal["limit", "memory", "heat", "power", "camera", "system", "engine"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cores of one kind. ``cpus``: their numbers as the kernel lists them ("0-3"); frequencies in MHz, None if unknown."""

    cpu: str
    cores: int
    cpus: str = ""
    min_mhz: int | None = None
    max_mhz: int | None = None
    governor: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """A system of the board, with the versions that decide which wheels can be installed."""

    name: str
    arch: str = ""
    python: str = ""
    glibc: str = ""
    kernel: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU, NPU or TPU; ``device`` is what ``--device`` takes for it, "" where edgecnn can't use it."""

    kind: AcceleratorKind
    name: str
    device: str = ""
    text: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """A format and precision that pays, or does not pay, on the board, and why."""

    format: str
    precision: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class InstallLine:
    """A line that installs; ``checked``: the wheels that it was found to take, and when."""

    text: str
    line: str
    checked: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A limit or another fact of the board."""

    topic: Topic
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measured value, who measured it and with which command; ``record`` is the file that holds it."""

    text: str
    by: str
    command: str
    record: str = ""


@dataclass(frozen=True, slots=True)
class CameraMode:
    """One size of a camera in one pixel format (FourCC), with its frame rates; () where the driver does not list them."""

    format: str
    width: int
    height: int
    fps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of a machine, as V4L2 describes it; ``problem``: why it could not be asked."""

    path: str
    name: str = ""
    driver: str = ""
    bus: str = ""
    modes: tuple[CameraMode, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class EngineFound:
    """An installed engine, the formats that it opens and the devices that it finds, in the words of ``--device``."""

    name: str
    version: str
    formats: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class UsableResources:
    """What the container or the process may use of the machine; None where nothing limits it."""

    affinity_cpus: int | None = None
    cpu_quota_cpus: float | None = None
    memory_limit_mib: int | None = None
    swap_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A board, computer or probed machine.

    ``is_family``: several devices of one processor architecture, whose number of cores and memory differ. ``memory_sizes_mib``: the
    sizes that are sold. ``identified_by``: patterns (``fnmatch``) of the names in the device tree and of the processor's name;
    ``known_as``: the known board that a probed machine is. ``sources``: addresses by key; ``given_by``: the key of the source of each
    field of ``profile``. ``cameras``, ``engines`` and ``limits`` are those of a probed machine.
    """

    profile: DeviceProfile
    is_family: bool = False
    summary: str = ""
    memory_sizes_mib: tuple[int, ...] = ()
    identified_by: tuple[str, ...] = ()
    known_as: str = ""
    clusters: tuple[Cluster, ...] = ()
    systems: tuple[OperatingSystem, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    advice: tuple[Advice, ...] = ()
    install: tuple[InstallLine, ...] = ()
    notes: tuple[Note, ...] = ()
    measured: tuple[Measured, ...] = ()
    cameras: tuple[Camera, ...] = ()
    engines: tuple[EngineFound, ...] = ()
    limits: UsableResources | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    given_by: Mapping[str, str] = field(default_factory=dict)
