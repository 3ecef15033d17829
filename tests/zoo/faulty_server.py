"""A server on loopback with faults, and entries of a register that name it."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class FaultyServer:
    """Serves ``content`` at /FAULT/tiny.onnx, and notes the ``ranges`` that it was asked for ("" for the whole file)."""

    content: bytes
    port: int = 0
    ranges: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def url(self, fault: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{fault}/tiny.onnx"


def handler(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class FaultHandler(BaseHTTPRequestHandler):
        """Answers by the first part of the path."""

        def do_GET(self) -> None:
            fault, asked, whole = self.path.split("/")[1], self.headers.get("Range", ""), server.content
            server.ranges.append(asked)
            if fault == "missing":
                self.send_error(404)
            elif fault == "redirect":
                self.send_response(302)
                self.send_header("Location", server.url("good", "localhost"))
                self.end_headers()
            elif fault == "other-range":  # answers with content that begins elsewhere
                self.part(whole, 0 if not asked else 5, whole)
            else:
                start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
                if start >= len(whole):
                    self.send_error(416)
                    return
                self.part(whole, start, {"wrong": whole[::-1], "short": whole[:-9]}.get(fault, whole))

        def part(self, whole: bytes, start: int, body: bytes) -> None:
            fault = self.path.split("/")[1]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            if fault == "tagged":
                self.send_header("ETag", '"first"')
            self.end_headers()
            half = len(body) // 2
            self.wfile.write(body[start : max(start, half)])
            if fault in ("cut", "tagged", "other-range") and not start:
                return
            if fault == "slow":
                server.began.set()
                server.go_on.wait(20)
            self.wfile.write(body[max(start, half) :])

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    return FaultHandler


def entry(url: str, content: bytes, **more: object) -> str:
    fields: dict[str, object] = {
        "name": "tiny",
        "what": "three scores",
        "task": "classify",
        "home": "http://home.example",
        "licence": "MIT",
        "url": url,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "unverified": "",
        "labels": ["red", "green", "blue"],
        **more,
    }
    lines = [
        f"{key} = {value!r}" if not isinstance(value, str) else f'{key} = "{value}"'
        for key, value in fields.items()
        if value is not None
    ]
    return "\n".join(["[[models]]", *lines, 'card = { task = "classify", color = "rgb", std = [255.0], mean = [0.0] }', ""])
