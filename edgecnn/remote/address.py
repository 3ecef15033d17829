"""The address of a board: ``user@board``, ``board:2222``, ``[::1]:22`` or a name of the user's SSH configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgecnn.errors import InputError

_FORM = re.compile(r"(?:(?P<user>[^\s@:\[\]]+)@)?(?P<host>\[[0-9a-fA-F:.%\w]+\]|[^\s@:\[\]]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """A parsed address; ``port`` None leaves it to the SSH configuration."""

    host: str
    user: str = ""
    port: int | None = None

    @property
    def words(self) -> list[str]:
        """The address as arguments of ``ssh``."""
        port = [] if self.port is None else ["-p", str(self.port)]
        user = ["-l", self.user] if self.user else []
        return [*port, *user, "--", self.host]

    @property
    def file_name(self) -> str:
        """The address as a part of a file name."""
        return re.sub(r"[^\w.-]+", "-", str(self)).strip("-")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + ("" if self.port is None else f":{self.port}")


def parse_address(text: str) -> BoardAddress:
    """Parse ``[USER@]HOST[:PORT]``. Raises ``InputError``."""
    found = _FORM.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    # a leading - would be read as an option by ssh
    if not found or text.startswith("-") or found["host"].startswith("-") or (port is not None and not 0 < port < 65536):
        raise InputError(f"--host: {text!r} is not an address of a board", "write it as user@board or user@board:port")
    return BoardAddress(found["host"].strip("[]"), found["user"] or "", port)
