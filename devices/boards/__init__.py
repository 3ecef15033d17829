"""Profiles of known boards, one TOML file per board in this folder; ``board.py`` describes their fields.

``arch`` is what ``uname -m`` prints, ``features`` are instruction sets by the names of ``edgecnn.devices.probe``, ``formats`` the file
formats whose engine runs on the board, ``memory_mib`` the largest memory that is sold. Each fact names the key of its source, an address
in ``[sources]``; a fact without a source is left out. Measured values say who measured them, and with which command.
"""

from __future__ import annotations

from pathlib import Path

from edgecnn.devices.boards.board import Board
from edgecnn.devices.boards.board_file import board_toml, read_board
from edgecnn.devices.profile import DeviceProfile
from edgecnn.errors import InputError

__all__ = ["FOLDER", "Board", "board", "board_toml", "load", "names", "read_board"]

FOLDER = Path(__file__).parent


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of all boards: file names without .toml, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def board(name: str, folder: Path = FOLDER) -> Board:
    """A known board by its name, or the board of a TOML file by its path.

    Raises ``InputError`` for an unknown name, and for a file that does not fit the schema.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    if name not in names(folder):
        known = ", ".join(names(folder)) or "none"
        raise InputError(f"there is no board {name!r}", f"known boards: {known}; or give the path of a .toml file")
    return read_board(folder / f"{name}.toml")


def load(name: str, folder: Path = FOLDER) -> DeviceProfile:
    """The profile of a board, see ``board``."""
    return board(name, folder).profile
