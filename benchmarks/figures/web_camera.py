"""An MJPEG camera over HTTP on loopback that never drops a frame: ``python -m edgecnn.benchmarks.figures.web_camera FPS``.

It prints its port and the ``perf_counter`` time of frame 0 in seconds. Frame n is due n / FPS seconds later and shows its number as
eleven black or white squares, so that a client can compute the true age of a frame, including all time in buffers. A client that
reads too slowly gets the next frame, not the newest one, as from a camera with a deep buffer.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from edgecnn.types import Image

WIDTH, HEIGHT, BITS, SIDE = 768, 432, 11, 32


def numbered_frame(number: int) -> Image:
    """A gray frame with its number, modulo 2048, in squares along the top."""
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    for bit in range(BITS):
        image[:SIDE, bit * SIDE : (bit + 1) * SIDE] = 255 * (number >> bit & 1)
    return image


def number_in(image: Image) -> int:
    """The number that ``numbered_frame`` drew."""
    return sum(1 << bit for bit in range(BITS) if image[:SIDE, bit * SIDE : (bit + 1) * SIDE].mean() > 128)


def true_age(image: Image, first_at: float, fps: float) -> float:
    """Seconds since the frame was due: right for ages below 2048 frames."""
    now = time.perf_counter()
    newest = int((now - first_at) * fps)
    number = newest - (newest - number_in(image)) % (1 << BITS)
    return now - first_at - number / fps


class _CameraHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    parts: tuple[bytes, ...]
    first_at: float
    fps: float

    def do_GET(self) -> None:
        """Send frames until the client disconnects."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = int((time.perf_counter() - self.first_at) * self.fps)
        try:
            while True:
                number += 1
                time.sleep(max(self.first_at + number / self.fps - time.perf_counter(), 0))
                self.wfile.write(self.parts[number % len(self.parts)])
        except OSError:
            self.close_connection = True  # the client left

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _part(number: int) -> bytes:
    jpeg = cv2.imencode(".jpg", numbered_frame(number))[1].tobytes()
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)


def main(fps: float) -> None:
    """Serve until the process is killed."""
    _CameraHandler.parts = tuple(_part(number) for number in range(1 << BITS))
    _CameraHandler.fps, _CameraHandler.first_at = fps, time.perf_counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _CameraHandler)
    print(server.server_address[1], _CameraHandler.first_at, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(float(sys.argv[1]))
