"""Who may look: the token, the Host header, and where a request comes from."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecnn.errors import InputError

ENVIRONMENT = "EDGECNN_TOKEN"
SHORTEST = 12
LONGEST = 256
_LOCAL = ("localhost", "localhost.localdomain", "ip6-localhost")


def is_loopback(host: str) -> bool:
    """Whether an address or name to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in _LOCAL


def parse_host_port(text: str, host: str = "127.0.0.1", port: int = 8501) -> tuple[str, int]:
    """(host, port) of ``HOST:PORT``, ``HOST``, ``:PORT``, ``PORT`` or nothing. Raises ``InputError``."""
    name, separator, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not separator:
        name, number = ("", text) if text.isdigit() else (name or text, "")
    if number and not (number.isascii() and number.isdigit() and int(number) < 65536):
        raise InputError("HOST:PORT to serve on", repr(text), "write it like 127.0.0.1:8501; port 0 takes a free one")
    if ":" in name and not name.startswith("["):
        raise InputError("HOST:PORT to serve on", repr(text), "write an IPv6 address in brackets, like [::1]:8501")
    return name.strip("[]") or host, int(number) if number else port


def make_access(place: str, token: str | None) -> Access:
    """Access to HOST:PORT: without a token on loopback unless one is given; ``auto`` makes one. Raises ``InputError``."""
    host, port = parse_host_port(place)
    token = token or os.environ.get(ENVIRONMENT) or None
    if token == "auto":
        return Access(host, port, secrets.token_urlsafe(18), made=True)
    if token is None:
        if is_loopback(host):
            return Access(host, port)
        raise InputError(
            f"a token, because {host} can be reached from other machines",
            "none",
            f"set {ENVIRONMENT}, or add --token auto to have one made",
        )
    if not SHORTEST <= len(token) <= LONGEST or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            f"a token of {SHORTEST} to {LONGEST} letters, digits and signs",
            f"one of {len(token)}",
            "choose a longer one, or auto",
        )
    return Access(host, port, token)


@dataclass
class Access:
    """Decides by headers alone (names in lower case).

    ``session`` is what a browser gets for the token, valid for this run; ``made``: nobody knows the token yet.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    made: bool = False

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers don't keep ports apart."""
        return f"edgecnn-{self.port}"

    def is_valid_token(self, found: str) -> bool:
        """Compared in a time that tells nothing."""
        return self.token is not None and _same(found, self.token)

    def is_authenticated(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request brings the token or the session; without a token everybody may look."""
        if self.token is None:
            return True
        scheme, _, value = headers.get("authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and self.is_valid_token(value.strip())) or _same(
            cookies.get(self.cookie, ""), self.session
        )

    def is_valid_host(self, header: str) -> bool:
        """Whether the Host header names this server. A page whose name was rebound to our address brings its own name.

        Addresses can't be rebound, so any is right on a server that listens on all.
        """
        name = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
        name = name.strip("[]").rstrip(".").lower()
        if name in (self.host.lower(), *_LOCAL):
            return True
        if is_loopback(self.host):
            return is_loopback(name)
        own = socket.gethostname().lower().partition(".")[0]  # under whatever domain the network gives it
        return name.partition(".")[0] == own or _is_address(name)

    def is_same_origin(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from our own page, or from a program that is no browser."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _same(found: str, wanted: str) -> bool:
    """Digests are of one length, so that not even the length shows."""
    return hmac.compare_digest(_digest(found), _digest(wanted))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
