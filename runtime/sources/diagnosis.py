"""Why a network address gave no stream: FFmpeg only reports that opening failed, so the address is asked once more."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_PORTS = {"rtsp": 554, "http": 80, "https": 443, "rtspt": 554, "rtspu": 554, "rtsps": 322, "rtmp": 1935}
_TIMEOUT_S = 2.0
_STATUS = {
    401: ("it requires a user and password (401)", "write them into the address: SCHEME://USER:PASSWORD@HOST/..."),
    403: ("access is forbidden (403)", "check the user and password"),
    404: ("it has no such path (404)", "check the path in the camera's manual"),
}


def diagnose(address: str, timeout: float, *, silent: bool) -> tuple[str, str]:
    """(problem, fix) for ``address``; ``silent`` says that opening it used up the whole timeout (in seconds)."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    if address.startswith("udp://"):
        return f"no video within {timeout:g} s", "check that a program sends it to this port"
    if not host or not port:
        return "no answer", "write the address as SCHEME://HOST:PORT/PATH"
    try:
        with socket.create_connection((host, port), min(timeout, _TIMEOUT_S)) as connection:
            return _after_connecting(connection, address, timeout, silent)
    except OSError as error:
        return explain_connection_error(host, port, timeout, error)


def explain_connection_error(host: str, port: int, timeout: float, error: OSError) -> tuple[str, str]:
    """(problem, fix) where no connection could be made within ``timeout`` seconds."""
    if isinstance(error, socket.gaierror):
        return f"the host name {host} can't be resolved", "check the name and the network"
    if isinstance(error, ConnectionRefusedError):
        return f"{host} refuses connections on port {port}", "check the port and that the camera serves it"
    if isinstance(error, TimeoutError):
        return f"no answer from {host} within {timeout:g} s", "check the address and the network"
    return f"{host} can't be reached ({error.strerror or error})", "check the address and the network"


def explain_status(status: int | None, *, has_login: bool) -> tuple[str, str]:
    """(problem, fix) for an answer with this HTTP or RTSP status (None: none was readable) in place of a stream."""
    if status == 401 and has_login:
        return "it refuses the user and password (401)", "check them, and that special characters are percent-encoded"
    if status in _STATUS:
        return _STATUS[status]
    code = f" ({status})" if status not in (None, 200) else ""
    return f"it answers, but not with a video stream{code}", "check the path, user and password"


def _after_connecting(connection: socket.socket, address: str, timeout: float, silent: bool) -> tuple[str, str]:
    if silent:
        return f"it accepts the connection, but sends no frame within {timeout:g} s", "check the camera, or raise --timeout"
    return explain_status(_status(connection, address), has_login="@" in address)


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
        connection.settimeout(_TIMEOUT_S)
        connection.sendall(request.encode())
        return int(connection.recv(64).split()[1])
    except (OSError, ValueError, IndexError):
        return None
