"""The options of commands that also run on a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import OptionGroup

from edgecnn.cli.options import Command, Options, add_options

if TYPE_CHECKING:
    from edgecnn.cluster.connection import ClusterOptions

NAMES = ("ray", "ray_workers", "ray_parts")
RAY: Options = (
    (
        ("--ray",),
        {
            "is_flag": False,
            "flag_value": "local",
            "metavar": "[ADDRESS]",
            "help": "Spread the work with Ray. Without a value on the processors of this machine; HOST:PORT or auto joins a cluster.",
        },
    ),
)
WORKERS: Options = (
    (
        ("--ray-workers",),
        {"type": click.IntRange(1), "metavar": "N", "help": "Workers, each with its own model.  [default: as many as fit]"},
    ),
    (
        ("--ray-parts",),
        {
            "type": click.Path(path_type=Path, file_okay=False),
            "metavar": "DIR",
            "help": "Folder that keeps finished parts, so that the same command goes on from them.  [default: ~/.cache/edgecnn/cluster]",
        },
    ),
)


def ray_options(function: Command) -> Command:
    """Add --ray, --ray-workers and --ray-parts to a command."""
    return add_options(function, (*RAY, *WORKERS), OptionGroup("On several machines").option)


def take_cluster(values: dict[str, Any]) -> ClusterOptions | None:
    """Take the options of a cluster out of ``values``; None without --ray. Raises ``InputError``."""
    from edgecnn.errors import InputError

    address, workers, parts = (values.pop(name, None) for name in NAMES)
    if address is None:
        if workers is not None or parts is not None:
            raise InputError("--ray-workers and --ray-parts do nothing without --ray", "add --ray")
        return None
    from edgecnn.cluster.connection import ClusterOptions

    return ClusterOptions(address=address, workers=workers, parts=parts)
