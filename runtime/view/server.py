"""Serves the live view by HTTP in a thread."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from typing import Any

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.view.auth import Access
from edgecnn.runtime.view.frame_images import FrameImages
from edgecnn.runtime.view.protocols import PrometheusPage
from edgecnn.runtime.view.run_metrics import RunMetrics

# More than timeout_graceful_shutdown of uvicorn, 1 s.
STOP_TIMEOUT_S = 1.8
_KEEP_ALIVE_S = 15


class Server:
    """The HTTP server of the live view at ``url``; listens from its creation, serves as a context manager, stops within 2 s.

    Raises ``InputError`` if the address can't be used, ``MissingExtraError`` without starlette or uvicorn.
    """

    def __init__(
        self, run_metrics: RunMetrics, images: FrameImages, access: Access, metrics: PrometheusPage | None = None
    ) -> None:
        self._images = images
        # Listen here and not in the thread: an address that can't be used then fails before the run starts.
        self._socket = listen(access.host, access.port)
        # The system replaced port 0 by a free one.
        access.port = self._socket.getsockname()[1]
        self.access = access
        try:
            self._server = _uvicorn_server(run_metrics, images, access, metrics)
        except BaseException:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._work, name="edgecnn-serve", daemon=True)
        self.error: BaseException | None = None

    @property
    def url(self) -> str:
        """The address of the page; a loopback address if the server listens on all addresses."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.access.host, self.access.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.access.port}/"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server."""
        # The loop of uvicorn reads this flag; requests that wait for a frame are released by the images.
        self._server.should_exit = True
        self._images.close()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)
        self._socket.close()

    def _work(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except BaseException as error:
            self.error = error


def listen(host: str, port: int) -> socket.socket:
    """Create a listening TCP socket; port 0 selects a free port. Raises ``InputError``."""
    place = f"{host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        problem = f"--serve: can't serve on {place}, {(error.strerror or str(error)).lower()}"
        raise InputError(problem, "name an address of this machine") from None
    try:
        bound.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # or the port stays taken for a minute after a run (TIME_WAIT)
        bound.bind(address)
        bound.listen(128)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        reason, fix = _explain(error)
        raise InputError(f"--serve: can't serve on {place}, {reason}", fix) from None
    return bound


def _explain(error: OSError) -> tuple[str, str]:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use by another program", "stop it, or name another port; port 0 takes a free one"
    if error.errno == errno.EACCES:
        return "permission denied", "name a port above 1023"
    return (error.strerror or str(error)).lower(), "name an address of this machine"


def _uvicorn_server(run_metrics: RunMetrics, images: FrameImages, access: Access, metrics: PrometheusPage | None) -> Any:
    try:
        import uvicorn

        from edgecnn.runtime.view.app import make_app
        from edgecnn.runtime.view.connection_limits import LimitedHttpProtocol
        from edgecnn.runtime.view.middleware import MAX_HEADER_BYTES
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "live") from None
    config = uvicorn.Config(
        make_app(run_metrics, images, access, metrics),
        loop="asyncio",
        http=LimitedHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=100,  # no log: it would fill the terminal, and addresses may hold a secret
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
    return uvicorn.Server(config)
