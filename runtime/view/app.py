"""The web application of the live view: three files, the state, pictures, controls, health and metrics."""

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
LARGEST_BODY = 16 * 1024
BODY_WITHIN_S = 5.0
PICTURE_WITHIN_S = 1.0
WRONG_TOKEN_COSTS_S = 0.5

Handler = Callable[[Request], Awaitable[Response]]


def make_app(
    run_metrics: RunMetrics, pictures: FrameImages, access: Access, metrics: PrometheusPage | None = None
) -> Application:
    """The application. ``metrics`` gives the text of ``/metrics`` and its content type."""
    page = Page(run_metrics, pictures, access, metrics)
    routes = [
        *(Route(path, _file(name, kind)) for path, (name, kind) in FILES.items()),
        Route("/favicon.ico", _nothing),
        Route("/health", page.health),
        Route("/metrics", page.metrics),
        Route("/api/state", page.state),
        Route("/api/picture", page.picture),
        Route("/api/controls", page.controls, methods=["POST"]),
        Route("/api/login", page.login, methods=["POST"]),
    ]
    return AccessMiddleware(Starlette(routes=routes, exception_handlers={HTTPException: _problem}), access)


class Page:
    """What the paths do."""

    def __init__(self, run_metrics: RunMetrics, pictures: FrameImages, access: Access, metrics: PrometheusPage | None) -> None:
        self._run_metrics, self._pictures, self._access, self._metrics = run_metrics, pictures, access, metrics

    async def state(self, request: Request) -> Response:
        """Everything, with the points after ?tick= and the events after ?event=."""
        state = self._run_metrics.state(_whole(request, "tick"), _whole(request, "event"))
        return JSONResponse(state | {"problem": self._pictures.problem})

    async def picture(self, request: Request) -> Response:
        """The newest JPEG of ?camera= above number ?after=; 204 where none comes within a second, or the camera is gone."""
        camera, after = request.query_params.get("camera", ""), _whole(request, "after")
        if camera not in self._run_metrics.context.run.cameras:
            return Response(status_code=204)
        found = self._pictures.newest(camera, after)
        if found is None:
            await self._wait_for_picture(camera, after)
            found = self._pictures.newest(camera, after)
        if found is None:
            return Response(status_code=204)
        return Response(found.jpeg, media_type="image/jpeg", headers={"x-picture": str(found.number)})

    async def _wait_for_picture(self, camera: str, after: int) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the server ended meanwhile
                loop.call_soon_threadsafe(ready.set)

        take_back = self._pictures.ask(camera, after, tell)
        try:
            await asyncio.wait_for(ready.wait(), PICTURE_WITHIN_S)
        except asyncio.TimeoutError:
            pass
        finally:
            take_back()

    async def controls(self, request: Request) -> Response:
        """Change the score threshold, the classes or which cameras are paused; the answer is what holds now."""
        try:
            apply_changes(await _json(request), self._run_metrics.context)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return JSONResponse(self._run_metrics.state(self._run_metrics.tick, 1 << 60)["controls"])

    async def login(self, request: Request) -> Response:
        """The session for the token."""
        body = await _json(request)
        token = body.get("token")
        if not isinstance(token, str) or not self._access.is_valid_token(token):
            await asyncio.sleep(WRONG_TOKEN_COSTS_S)
            raise HTTPException(401, "this is not the token of this run")
        answer = JSONResponse({})
        answer.set_cookie(self._access.cookie, self._access.session, httponly=True, samesite="strict")
        return answer

    async def health(self, request: Request) -> Response:
        """200 while a camera gives frames or waits for good reason, else 503."""
        cameras = [{"name": name, "state": camera.state} for name, camera in self._run_metrics.context.run.cameras.items()]
        state = health(cameras)
        told = {"state": state} | ({"cameras": cameras} if request.scope["allowed"] else {})
        return JSONResponse(told, status_code=503 if state == "down" else 200)

    async def metrics(self, _: Request) -> Response:
        """What Prometheus reads, where the run offers it."""
        if self._metrics is None:
            raise HTTPException(404, "this run offers no metrics")
        content, kind = self._metrics()
        return Response(content, headers={"content-type": kind})


def _file(name: str, kind: str) -> Handler:
    """One of the three files, read once: no path of a request ever reaches the file system."""
    content = resources.files("edgecnn.runtime.view").joinpath(name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, headers={"content-type": kind})

    return answer


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


async def _problem(_: Request, error: Exception) -> Response:
    status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return JSONResponse({"error": why}, status_code=status)


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPException(400, f"wanted a whole number as {name}")
    return int(text)


async def _json(request: Request) -> dict[str, Any]:
    """The body, a small JSON object."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "wanted the content type application/json")
    try:
        text = await asyncio.wait_for(_body(request), BODY_WITHIN_S)
        body = json.loads(text)
    except (asyncio.TimeoutError, ClientDisconnect):
        raise HTTPException(408, "the request did not come in time") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "wanted JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "wanted a JSON object")
    return body


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"wanted at most {LARGEST_BODY} bytes")
    return body
