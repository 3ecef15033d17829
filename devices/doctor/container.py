"""Checks of what a container, an affinity or a hypervisor leaves of the machine."""

from __future__ import annotations

from collections.abc import Iterator

from edgecnn.cpus import cpu_quota
from edgecnn.devices import limits
from edgecnn.devices.doctor.finding import DeviceFinding, Machine
from edgecnn.devices.doctor.system import FREE_MIB


def check(machine: Machine) -> Iterator[DeviceFinding]:
    """Findings about limits from outside."""
    cores, usable = machine.profile.cores, machine.profile.usable_cpus
    quota = cpu_quota(machine.root)
    if quota is not None and quota < cores:
        text = f"the container may use {quota:g} of {cores} processors; beyond that the kernel stops it in each period of 0.1 s"
        fix = f"docker run --cpus {cores} ..., or CPUQuota={cores * 100}% in the unit; edgecnn starts {usable} threads by itself"
        yield DeviceFinding("slow", "quota", text, fix)
    elif usable < cores:
        text = f"this process may run on {usable} of {cores} processors (affinity)"
        yield DeviceFinding("note", "affinity", text, "start it without taskset, or with more processors in cpuset")
    limit = limits.memory_limit(machine.root)
    if limit is not None and limit < FREE_MIB * limits.MIB:
        text = f"the container may use {limit // limits.MIB} MiB of memory: an engine may be killed while it loads a model"
        yield DeviceFinding("problem", "memory limit", text, "docker run --memory 512m ..., or MemoryMax=512M in the unit")
    if machine.profile.virtual:
        yield DeviceFinding(
            "note", "virtual machine", "other guests of the host disturb measurements: compare medians of interleaved rounds"
        )
