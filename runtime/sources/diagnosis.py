"""Why a network address gave no stream: OpenCV only says that it failed, so the address is asked once more."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_PORTS = {"rtsp": 554, "http": 80, "https": 443, "rtspt": 554, "rtspu": 554, "rtsps": 322, "rtmp": 1935}
_PATIENCE = 2.0
_STATUS = {
    401: ("it asks for a user and password (401)", "give them as SCHEME://USER:PASSWORD@HOST/..."),
    403: ("it forbids this (403)", "check user and password"),
    404: ("it has no such path (404)", "check the path in the camera's manual"),
}


def diagnose(address: str, timeout: float, *, silent: bool) -> tuple[str, str]:
    """What was found at ``address``, and what to do; ``silent`` says that opening it used up the whole timeout."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    if address.startswith("udp://"):
        return f"no video within {timeout:g} s", "check that somebody sends it to this port"
    if not host or not port:
        return "no answer", "write the address as SCHEME://HOST:PORT/PATH"
    try:
        with socket.create_connection((host, port), min(timeout, _PATIENCE)) as connection:
            return _after_connecting(connection, address, timeout, silent)
    except OSError as error:
        return unreachable(host, port, timeout, error)


def unreachable(host: str, port: int, timeout: float, error: OSError) -> tuple[str, str]:
    """What was found where no connection could be made, and what to do."""
    if isinstance(error, socket.gaierror):
        return f"no machine of the name {host}", "check the name and the network"
    if isinstance(error, ConnectionRefusedError):
        return f"{host} refuses connections on port {port}", "check the port and that the camera serves it"
    if isinstance(error, TimeoutError):
        return f"no answer from {host} within {timeout:g} s", "check the address and the network"
    return f"{host} can't be reached ({error.strerror or error})", "check the address and the network"


def _after_connecting(connection: socket.socket, address: str, timeout: float, silent: bool) -> tuple[str, str]:
    if silent:
        return f"it answers, but sends no frame within {timeout:g} s", "check the camera, or give it longer with --timeout"
    return by_status(_status(connection, address), address)


def by_status(status: int | None, address: str) -> tuple[str, str]:
    """What the status of an answer without a stream means, and what to do."""
    if status == 401 and "@" in address:
        return "it refuses the user and password (401)", "check them, and that special characters are percent-encoded"
    if status in _STATUS:
        return _STATUS[status]
    said = f" ({status})" if status not in (None, 200) else ""
    return f"it answers, but not with a video stream{said}", "check the path, user and password"


def _status(connection: socket.socket, address: str) -> int | None:
    """The status code that an RTSP or HTTP server gives for the address when asked without a password; None where it gives none."""
    parts = urlsplit(address)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    if parts.scheme in ("rtsp", "rtspt", "rtspu"):
        request = f"DESCRIBE rtsp://{place}{target} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    elif parts.scheme == "http":
        request = f"GET {target} HTTP/1.0\r\nHost: {place}\r\n\r\n"
    else:
        return None
    try:
        connection.settimeout(_PATIENCE)
        connection.sendall(request.encode())
        return int(connection.recv(64).split()[1])
    except (OSError, ValueError, IndexError):
        return None
