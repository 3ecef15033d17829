"""One HTTP request to a camera: login by Basic or Digest, redirects, and a connection that another thread can end."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

_MOST_HOPS = 6
_MOVED = (301, 302, 303, 307, 308)
_HASHES = {"": hashlib.md5, "MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class StatusError(Exception):
    """The camera answered with ``status`` instead of a stream."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class WebRequest:
    """A GET of ``address``; user and password come from it and go only to the place that it names.

    ``checked`` says whether the certificate of https must be good.
    """

    def __init__(self, address: str, timeout: float, *, checked: bool = True) -> None:
        self._address, self._timeout, self._checked = address, timeout, checked
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None
        self.connected = False

    def open(self) -> http.client.HTTPResponse:
        """The answer, ready to be read. Raises ``StatusError``, and ``OSError``, ``ValueError`` or ``HTTPException`` where none came."""
        parts = urlsplit(self._address)
        login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        header = ""
        for _ in range(_MOST_HOPS):
            response = self._get(parts, header)
            challenges = response.headers.get_all("WWW-Authenticate", [])
            moved = response.headers.get("Location") if response.status in _MOVED else None
            if response.status == 401 and login is not None and not header:
                header = authorization(challenges, login, _target(parts))
                if not header:
                    raise StatusError(401)
            elif moved is not None:
                there = urlsplit(urljoin(parts.geturl(), moved))
                login = login if there.hostname == parts.hostname and there.port == parts.port else None
                parts, header = there, ""
            elif response.status != 200:
                raise StatusError(response.status)
            else:
                return response
            self.close()
        raise StatusError(response.status)

    def wake(self) -> None:
        """Cut the line, from any thread: a read that waits ends at once."""
        connected = self._socket
        if connected is not None:
            with suppress(OSError, ValueError):
                connected.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, in the thread that reads."""
        self._socket = None
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()

    def _get(self, parts: SplitResult, header: str) -> http.client.HTTPResponse:
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http address")
        connection = self._connection = self._connect(parts.scheme, parts.hostname, parts.port)
        connection.connect()
        self._socket, self.connected = connection.sock, True
        headers = {"Accept": "*/*", "User-Agent": "edgecnn"} | ({"Authorization": header} if header else {})
        connection.request("GET", _target(parts), headers=headers)
        self._response = connection.getresponse()
        return self._response

    def _connect(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        context = ssl.create_default_context()
        if not self._checked:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)


def authorization(challenges: Sequence[str], login: tuple[str, str], target: str) -> str:
    """The answer to the strongest challenge that we know, "" where there is none."""
    offered = {
        challenge.split(None, 1)[0].lower(): challenge for challenge in sorted(challenges, key=_strength) if challenge.strip()
    }
    if "digest" in offered:
        return _digest(_fields(offered["digest"]), login, target)
    if "basic" in offered:
        return "Basic " + base64.b64encode(f"{login[0]}:{login[1]}".encode()).decode()
    return ""


def _strength(challenge: str) -> int:
    fields = _fields(challenge)
    return ["MD5", "", "SHA-256"].index(fields.get("algorithm", "").upper()) if _known(fields) else -1


def _known(fields: dict[str, str]) -> bool:
    return fields.get("algorithm", "").upper() in _HASHES


def _fields(challenge: str) -> dict[str, str]:
    found = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', challenge)
    return {name.lower(): quoted or bare for name, quoted, bare in found}


def _digest(fields: dict[str, str], login: tuple[str, str], target: str) -> str:
    """RFC 7616, quality of protection "auth" or none."""
    if not _known(fields):
        return ""
    algorithm = fields.get("algorithm", "")

    def hashed(*parts: str) -> str:
        return _HASHES[algorithm.upper()](":".join(parts).encode()).hexdigest()

    realm, nonce, name = fields.get("realm", ""), fields.get("nonce", ""), login[0]
    secret, asked = hashed(name, realm, login[1]), hashed("GET", target)
    values = {"username": name, "realm": realm, "nonce": nonce, "uri": target}
    plain = {}
    if "auth" in re.split(r"[\s,]+", fields.get("qop", "")):
        cnonce = secrets.token_hex(8)
        plain = {"qop": "auth", "nc": "00000001"}
        values |= {"cnonce": cnonce, "response": hashed(secret, nonce, "00000001", cnonce, "auth", asked)}
    else:
        values["response"] = hashed(secret, nonce, asked)
    values |= {"opaque": fields["opaque"]} if "opaque" in fields else {}
    plain |= {"algorithm": algorithm} if algorithm else {}
    return "Digest " + ", ".join(
        [*(f'{key}="{value}"' for key, value in values.items()), *(f"{k}={v}" for k, v in plain.items())]
    )


def _target(parts: SplitResult) -> str:
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
