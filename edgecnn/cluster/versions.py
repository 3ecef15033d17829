"""What has to be the same on all nodes, so that results are those of one machine."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

import edgecnn
from edgecnn.errors import InputError

ALWAYS = ("edgecnn", "python", "numpy", "opencv", "av")
ENGINES = ("onnxruntime", "openvino", "ai-edge-litert", "executorch", "torch")
_OPENCV = ("opencv-python-headless", "opencv-python")


@dataclass(frozen=True, slots=True)
class Node:
    """The machine and process of a worker: host name, processor, and versions by package ("" where it is not installed)."""

    host: str
    pid: int
    ray_id: str  # "" outside of Ray
    processor: str
    versions: Mapping[str, str] = field(default_factory=dict)


def this_node() -> Node:
    """The machine that this process runs on."""
    versions = {"edgecnn": edgecnn.__version__, "python": ".".join(platform.python_version_tuple()[:2])}
    versions |= {name: _version(name) for name in ("numpy", "av", *ENGINES)}
    versions["opencv"] = next(filter(None, map(_version, _OPENCV)), "")
    return Node(socket.gethostname(), os.getpid(), _ray_id(), processor(), versions)


def check_same(here: Node, there: Node) -> None:
    """Raise ``InputError`` for the first package of ``there`` that differs; an engine may be missing, since few models need it."""
    for name in (*ALWAYS, *ENGINES):
        own, other = here.versions.get(name, ""), there.versions.get(name, "")
        if own != other and (name in ALWAYS or (own and other)):
            raise InputError(
                f"node {there.host} has {name} {other or 'not installed'}, this machine {own or 'has none'}",
                "install the same versions on all nodes",
            )


def processor() -> str:
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _ray_id() -> str:
    ray = sys.modules.get("ray")
    return str(ray.get_runtime_context().get_node_id()) if ray is not None and ray.is_initialized() else ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
