"""The web application of the live view: page, state, frames, controls, health and metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgecnn.runtime.view.auth import Access
from edgecnn.runtime.view.control_changes import apply_changes
from edgecnn.runtime.view.frame_images import FrameImages
from edgecnn.runtime.view.middleware import AccessMiddleware, Application
from edgecnn.runtime.view.protocols import PrometheusPage
from edgecnn.runtime.view.run_metrics import RunMetrics, health

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}
MAX_BODY_BYTES = 16 * 1024
BODY_TIMEOUT_S = 5.0
FRAME_TIMEOUT_S = 1.0
WRONG_TOKEN_DELAY_S = 0.5

Handler = Callable[[Request], Awaitable[Response]]


def make_app(run_metrics: RunMetrics, images: FrameImages, access: Access, metrics: PrometheusPage | None = None) -> Application:
    """Create the ASGI application; ``metrics`` returns the text of ``/metrics`` and its content type."""
    page = Handlers(run_metrics, images, access, metrics)
    routes = [
        *(Route(path, _file(name, kind)) for path, (name, kind) in FILES.items()),
        # Browsers always request it and would report a 404 as an error.
        Route("/favicon.ico", _no_content),
        Route("/health", page.health),
        Route("/metrics", page.metrics),
        Route("/api/state", page.state),
        Route("/api/frame", page.frame),
        Route("/api/controls", page.controls, methods=["POST"]),
        Route("/api/login", page.login, methods=["POST"]),
    ]
    return AccessMiddleware(Starlette(routes=routes, exception_handlers={HTTPException: _error}), access)


class Handlers:
    """Handles the requests of all paths."""

    def __init__(self, run_metrics: RunMetrics, images: FrameImages, access: Access, metrics: PrometheusPage | None) -> None:
        self._run_metrics, self._images, self._access, self._metrics = run_metrics, images, access, metrics

    async def state(self, request: Request) -> Response:
        """Return the state as JSON, with the points after ?tick= and the events after ?event=."""
        state = self._run_metrics.state(_whole_number(request, "tick"), _whole_number(request, "event"))
        return JSONResponse(state | {"problem": self._images.problem})

    async def frame(self, request: Request) -> Response:
        """Return the newest annotated JPEG of ?camera= with a number above ?after=, or 204 if there is none within a second."""
        camera, after = request.query_params.get("camera", ""), _whole_number(request, "after")
        if camera not in self._run_metrics.context.run.cameras:
            return Response(status_code=204)
        image = self._images.newest(camera, after)
        if image is None:
            await self._wait_for_frame(camera, after)
            image = self._images.newest(camera, after)
        if image is None:
            return Response(status_code=204)
        return Response(image.jpeg, media_type="image/jpeg", headers={"x-frame-number": str(image.number)})

    async def _wait_for_frame(self, camera: str, after: int) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        # Called in the thread that encodes frames; an asyncio.Event may only be set in the thread of its loop.
        def notify() -> None:
            with suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(ready.set)

        cancel = self._images.request(camera, after, notify)
        try:
            await asyncio.wait_for(ready.wait(), FRAME_TIMEOUT_S)
        except asyncio.TimeoutError:
            pass
        finally:
            cancel()

    async def controls(self, request: Request) -> Response:
        """Change the score threshold, the shown classes or the paused cameras; respond with the new settings."""
        try:
            apply_changes(await _json(request), self._run_metrics.context)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        # No event has a number this high: only the controls are needed.
        return JSONResponse(self._run_metrics.state(self._run_metrics.tick, 1 << 60)["controls"])

    async def login(self, request: Request) -> Response:
        """Exchange the access token for a session cookie."""
        body = await _json(request)
        token = body.get("token")
        if not isinstance(token, str) or not self._access.is_valid_token(token):
            # Slows down programs that try tokens.
            await asyncio.sleep(WRONG_TOKEN_DELAY_S)
            raise HTTPException(401, "this is not the access token of this run")
        answer = JSONResponse({})
        answer.set_cookie(self._access.cookie, self._access.session, httponly=True, samesite="strict")
        return answer

    async def health(self, request: Request) -> Response:
        """Respond with 503 if no camera delivers frames any more, else with 200."""
        cameras = [{"name": name, "state": camera.state} for name, camera in self._run_metrics.context.run.cameras.items()]
        state = health(cameras)
        # Names of cameras are not for everybody: a load balancer without the token gets the state alone.
        answer = {"state": state} | ({"cameras": cameras} if request.scope["allowed"] else {})
        return JSONResponse(answer, status_code=503 if state == "down" else 200)

    async def metrics(self, _: Request) -> Response:
        """Return the metrics for Prometheus, or 404 if prometheus_client is not installed."""
        if self._metrics is None:
            raise HTTPException(404, "this run offers no metrics")
        content, kind = self._metrics()
        return Response(content, headers={"content-type": kind})


def _file(name: str, kind: str) -> Handler:
    """Create a handler for one file, which is read once: no path of a request reaches the file system."""
    content = resources.files("edgecnn.runtime.view").joinpath(name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, headers={"content-type": kind})

    return answer


async def _no_content(_: Request) -> Response:
    return Response(status_code=204)


async def _error(_: Request, error: Exception) -> Response:
    status, reason = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return JSONResponse({"error": reason}, status_code=status)


def _whole_number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    # The length is limited, because int() takes quadratic time; isdigit alone accepts other scripts' digits.
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPException(400, f"{name} must be a whole number")
    return int(text)


async def _json(request: Request) -> dict[str, Any]:
    """Read the body, a JSON object of at most MAX_BODY_BYTES; other bodies raise ``HTTPException``."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the content type must be application/json")
    try:
        text = await asyncio.wait_for(_body(request), BODY_TIMEOUT_S)
        body = json.loads(text)
    except (asyncio.TimeoutError, ClientDisconnect):
        raise HTTPException(408, "the request body did not arrive in time") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return body


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body must be at most {MAX_BODY_BYTES} bytes")
    return body
