"""What every request passes: the Host header, where it comes from, the token; and the headers that every answer carries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from edgecnn.runtime.view.auth import Access

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# What somebody without the token gets: the empty page that asks for it, and whether the run is well.
OPEN_PATHS = ("/", "/app.js", "/style.css", "/favicon.ico", "/health", "/api/login")
LONGEST_HEADERS = 16 * 1024
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
    """Wraps an ASGI application. ``scope["allowed"]`` tells it whether the token was brought, which OPEN_PATHS don't need."""

    def __init__(self, application: Application, access: Access) -> None:
        self._application, self._access = application, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say in one line why not."""
        if scope["type"] != "http":
            return
        began = False

        async def dressed(message: MutableMapping[str, Any]) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                message["headers"] = [*message.get("headers", ()), *_RAW_HEADERS]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await _refuse(dressed, *refusal)
            else:
                await self._application(scope, receive, dressed)
        except asyncio.CancelledError:
            raise
        except Exception:
            if began:
                raise
            await _refuse(dressed, 500, "something went wrong in the view; the run goes on")

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS:
            return 431, f"wanted at most {LONGEST_HEADERS} bytes of headers"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._access.is_valid_host(headers.get("host", "")):
            return 421, "this server goes by another name"
        opened_by_hand = scope["method"] == "GET" and scope["path"] == "/"
        if not self._access.is_same_origin(headers) and not opened_by_hand:
            return 403, "another site may not ask for this"
        scope["allowed"] = self._access.is_authenticated(headers, _cookies(headers.get("cookie", "")))
        if not scope["allowed"] and scope["path"] not in OPEN_PATHS:
            return 401, "wanted the token of this run"
        return None


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"error": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
