"""Which known board a machine is: by its device tree, by the name of its processor, or by its instruction sets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from edgecnn.cpus import read_text
from edgecnn.devices import boards
from edgecnn.devices.boards import Board
from edgecnn.devices.profile import DeviceProfile


def known_board(profile: DeviceProfile, root: Path = Path("/"), *, folder: Path = boards.FOLDER) -> str:
    """The name of the known board that a probed machine is, "" if it is none of them.

    The first identity that a board lists decides, since a device tree names the board before its processor. A PC that no board lists
    belongs to the family with the most instruction sets of those that it has.
    """
    known = {name: boards.board(name, folder) for name in boards.names(folder)}
    for identity in identities(profile, root):
        for name, board in known.items():
            if any(fnmatchcase(identity, pattern) for pattern in board.identified_by):
                return name
    families = {name: board for name, board in known.items() if not board.identified_by and _belongs(profile, board)}
    return max(families, key=lambda name: len(families[name].profile.features), default="")


def identities(profile: DeviceProfile, root: Path = Path("/")) -> Iterator[str]:
    """What a machine says that it is, the most special first."""
    yield from filter(None, read_text(root / "proc/device-tree/compatible").split("\0"))
    yield profile.cpu
    if hasattr(sys, "getandroidapilevel"):
        yield "android"


def _belongs(profile: DeviceProfile, board: Board) -> bool:
    """A machine with int8 instructions is none of a family without them."""
    family = board.profile
    same_int8 = family.int8_path != "none" or profile.int8_path == "none"
    return board.is_family and family.arch == profile.arch and same_int8 and set(family.features) <= set(profile.features)
