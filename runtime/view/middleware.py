"""Checks every request (Host header, origin, access token) and adds security headers to every response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from edgecnn.json_text import dump_json
from edgecnn.runtime.view.auth import Access

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Paths that need no token: the login page and its files, and the health of the run.
OPEN_PATHS = ("/", "/app.js", "/style.css", "/favicon.ico", "/health", "/api/login")
MAX_HEADER_BYTES = 16 * 1024
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class AccessMiddleware:
    """Restricts access to an ASGI application; ``scope["allowed"]`` is true for authenticated requests.

    Requests of OPEN_PATHS need no authentication.
    """

    def __init__(self, application: Application, access: Access) -> None:
        self._application, self._access = application, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request to the application, or refuse it with a reason as JSON."""
        if scope["type"] != "http":
            return
        started = False

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *_RAW_HEADERS]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await _refuse(send_with_headers, *refusal)
            else:
                await self._application(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            raise
        except Exception:
            # The status line is sent already, so the error can only end the connection.
            if started:
                raise
            await _refuse(send_with_headers, 500, "internal error of the live view; the run continues")

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return 431, f"the headers must be at most {MAX_HEADER_BYTES} bytes"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._access.is_valid_host(headers.get("host", "")):
            return 421, "the Host header does not name this server"
        # A link on another site may open the page itself, which holds no data and changes nothing.
        is_navigation = scope["method"] == "GET" and scope["path"] == "/"
        if not self._access.is_same_origin(headers) and not is_navigation:
            return 403, "requests from other sites are refused"
        scope["allowed"] = self._access.is_authenticated(headers, _cookies(headers.get("cookie", "")))
        if not scope["allowed"] and scope["path"] not in OPEN_PATHS:
            return 401, "the access token of this run is required"
        return None


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = dump_json({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
