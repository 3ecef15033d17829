"""Access control of the live view: the access token, the Host header and the origin of a request."""

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
MIN_TOKEN_LENGTH = 12
MAX_TOKEN_LENGTH = 256
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")


def is_loopback(host: str) -> bool:
    """Return whether an address or name to listen on can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES


def parse_host_port(text: str, host: str = "127.0.0.1", port: int = 8501) -> tuple[str, int]:
    """Parse ``HOST:PORT``, ``HOST``, ``:PORT``, ``PORT`` or "" as (host, port). Raises ``InputError``."""
    # The colons of an IPv6 address in brackets are no separators.
    name, separator, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not separator:
        name, number = ("", text) if text.isdigit() else (name or text, "")
    if number and not (number.isascii() and number.isdigit() and int(number) < 65536):
        raise InputError(f"--serve: {text!r} is not HOST:PORT", "write it like 127.0.0.1:8501; port 0 takes a free one")
    if ":" in name and not name.startswith("["):
        raise InputError(f"--serve: {text!r} is not HOST:PORT", "write an IPv6 address in brackets, like [::1]:8501")
    return name.strip("[]") or host, int(number) if number else port


def make_access(place: str, token: str | None) -> Access:
    """Create the access control for HOST:PORT ``place``; ``auto`` generates a token.

    An address that other machines can reach needs a token. Raises ``InputError``.
    """
    host, port = parse_host_port(place)
    token = token or os.environ.get(ENVIRONMENT) or None
    if token == "auto":
        return Access(host, port, secrets.token_urlsafe(18), generated=True)
    if token is None:
        if is_loopback(host):
            return Access(host, port)
        problem = f"--serve: {host} can be reached from other machines and needs an access token"
        raise InputError(problem, f"set {ENVIRONMENT}, or add --token auto to generate one")
    if not MIN_TOKEN_LENGTH <= len(token) <= MAX_TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
        problem = f"--token: {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} printable ASCII characters without spaces are needed"
        raise InputError(f"{problem}, the one given has {len(token)} characters", "choose another one, or auto")
    return Access(host, port, token)


@dataclass
class Access:
    """Checks requests by their headers (names in lower case).

    ``session`` is the value of the cookie that a browser gets for the token, valid for this run. ``generated``: the token is to
    be shown to the user once.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    generated: bool = False

    @property
    def cookie(self) -> str:
        """The name of the session cookie, with the port, since browsers share cookies between the ports of a host."""
        return f"edgecnn-{self.port}"

    def is_valid_token(self, token: str) -> bool:
        """Return whether the token is correct; compares in constant time."""
        return self.token is not None and _equal(token, self.token)

    def is_authenticated(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Return whether a request has the token (Bearer) or the session cookie; true for all requests if no token is set."""
        if self.token is None:
            return True
        scheme, _, value = headers.get("authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and self.is_valid_token(value.strip())) or _equal(
            cookies.get(self.cookie, ""), self.session
        )

    def is_valid_host(self, header: str) -> bool:
        """Return whether the Host header names this server, to prevent DNS rebinding.

        In an attack the header names the site of the attacker. Addresses need no DNS, so any address is valid for a server that
        listens on all of them.
        """
        name = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
        name = name.strip("[]").rstrip(".").lower()
        if name in (self.host.lower(), *_LOCAL_NAMES):
            return True
        if is_loopback(self.host):
            return is_loopback(name)
        own = socket.gethostname().lower().partition(".")[0]  # with any domain, since the network assigns it
        return name.partition(".")[0] == own or _is_address(name)

    def is_same_origin(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request comes from our own page, or from a program that is not a browser."""
        # Browsers send Sec-Fetch-Site, older ones only Origin; other programs send neither.
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _equal(given: str, expected: str) -> bool:
    """Compare digests in constant time; compare_digest alone reveals the length of its arguments."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    # JSON may contain lone surrogates ("\ud800"), which plain UTF-8 can't encode.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
