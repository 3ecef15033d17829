"""Connects to Ray: a local one that ends with the command, or a cluster by its address."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecnn.cpus import usable_cpus
from edgecnn.errors import BackendError, InputError, MissingExtraError, first_line

LOCAL, RUNNING = "local", "auto"
USAGE: Final = "RAY_USAGE_STATS_ENABLED"
REACHED_WITHIN_S: Final = 5.0
OBJECT_STORE_BYTES: Final = 256 << 20  # for a local Ray; results are small, and what is more goes to disk
_PLACE = re.compile(r"(?:ray://)?(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_.-]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Where and how work is spread.

    ``address``: "local" starts Ray on this machine, "auto" joins the one that runs here, "HOST:PORT" and "ray://HOST:PORT" a cluster.
    ``workers``: number of actors, each with its own predictor; None: as many as there are free processors for.
    ``parts``: folder that keeps finished parts until all are there; None: one in the user's cache.
    Raises ``InputError`` for another address.
    """

    address: str = LOCAL
    workers: int | None = None
    parts: Path | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--ray-workers is {self.workers}", "give 1 or more")
        _parsed(self.address)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected to ``address`` inside the ``with`` block.

    A program that is connected to Ray already keeps its connection. Raises ``MissingExtraError`` without Ray, ``InputError`` for a
    cluster that can't be reached or has another version, and ``BackendError`` where a local Ray does not start.
    """
    ray = load_ray()
    if ray.is_initialized():
        yield ray
        return
    _check_reachable(address)
    if address == LOCAL:  # as nice as a run without Ray, whose workers have niceness 15 by default
        os.environ.setdefault("RAY_worker_niceness", "0")
    on_stop = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, **_SETTINGS, **(_local_settings() if address == LOCAL else {}))
    except Exception as error:  # Ray raises a plain Exception for a node that does not start
        ray.shutdown()
        raise _refusal(address, error) from error
    # Ray ends the process by a handler of its own, with exit code 15
    if threading.current_thread() is threading.main_thread() and on_stop is not None:
        signal.signal(signal.SIGTERM, on_stop)
    try:
        yield ray
    finally:
        ray.shutdown()


def load_ray() -> Any:
    """The module ``ray``, which sends no usage statistics. Raises ``MissingExtraError``."""
    os.environ[USAGE] = "0"
    # Ray is to leave the environment of workers without a GPU as it is, and says so where that is not set.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("ray", "cluster") from error
    return ray


_SETTINGS: Final = {
    "include_dashboard": False,
    "log_to_driver": False,
    "logging_level": "ERROR",
}


def _local_settings() -> dict[str, Any]:
    return {"num_cpus": usable_cpus(), "object_store_memory": OBJECT_STORE_BYTES}


def _parsed(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None for "local" and "auto". Raises ``InputError``."""
    if address in (LOCAL, RUNNING):
        return None
    found = _PLACE.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 1 << 16:
        raise InputError(
            f"--ray: {address} is no address of a Ray cluster",
            "give HOST:PORT, ray://HOST:PORT or auto, or write --ray=local for this machine",
        )
    return found["host"] or found["v6"], int(found["port"])


def _check_reachable(address: str) -> None:
    """Raise ``InputError`` where nothing listens: Ray itself would try for a minute."""
    place = _parsed(address)
    if place is None:
        return
    try:
        socket.create_connection(place, REACHED_WITHIN_S).close()
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
        raise InputError(f"--ray: {address} can't be reached: {reason}", "check the address, and that the cluster runs") from None


def _refusal(address: str, error: Exception) -> InputError | BackendError:
    text = str(error)
    if address == LOCAL:
        return BackendError(f"Ray did not start on this machine: {first_line(error)}", "run it again when less runs here")
    if "ersion mismatch" in text:
        told = " ".join(text.split())[:200]
        return InputError(f"--ray: {address} runs another version: {told}", "install the same Python and ray on all nodes")
    if isinstance(error, ConnectionError) and address == RUNNING:
        return InputError("--ray: no Ray runs on this machine", "start one with: ray start --head, or write --ray=local")
    return InputError(f"--ray: can't join {address}: {first_line(error)}", "run it on a node of the cluster, or as a job there")
