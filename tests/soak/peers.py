"""What a run meets in a soak test: cameras, a broker, a webhook receiver and a browser, and the faults of each."""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2

from edgecnn.scene import Scene, parse_scene
from tests.runtime.sinks.test_mqtt import Broker, Listener
from tests.runtime.sources.peers import RtspCamera

PICTURES = 250  # ten seconds, then the loop begins again
CHROMIUM = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def draw_pictures(folder: Path, size: str, seed: int) -> str:
    """JPEG files of the built-in scene, as a pattern for GStreamer."""
    folder.mkdir(parents=True)
    scene = Scene(parse_scene(f"scene:cups?seed={seed}&size={size}&cut=10"))
    for index in range(PICTURES):
        cv2.imwrite(str(folder / f"{index:03d}.jpg"), scene.render(index)[0])
    return str(folder / "%03d.jpg")


class FaultScript(threading.Thread):
    """Plays faults one after the other at random times until it is stopped; ``counts`` says how often each was played.

    The wait between two faults is uniform between ``quiet_s``; a fault is a function that takes the random generator and the event
    that ends the script, and has mended what it broke when it returns.
    """

    def __init__(
        self, name: str, seed: int, quiet_s: tuple[float, float], *faults: Callable[[random.Random, threading.Event], None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._random, self._quiet_s, self._faults = random.Random(f"{seed}-{name}"), quiet_s, faults
        self._over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.problem: BaseException | None = None

    def run(self) -> None:
        while not self._over.wait(self._random.uniform(*self._quiet_s)):
            fault = self._random.choice(self._faults)
            try:
                fault(self._random, self._over)
            except Exception as error:  # told at the end: a peer that can't be broken makes the soak worthless
                self.problem = error
                return
            self.counts[fault.__name__] += 1

    def stop(self) -> None:
        self._over.set()
        self.join(120)


class FailingCamera:
    """An RTSP camera that is unplugged, hangs, and comes back with another size."""

    def __init__(self, patterns: list[str], codec: str) -> None:
        self._patterns = patterns
        self.camera = RtspCamera("--codec", codec)
        self._start(patterns[0])

    def _start(self, pattern: str) -> None:
        self.camera.start("--pictures", pattern)

    def unplugged(self, random: random.Random, over: threading.Event) -> None:
        self.camera.kill()
        over.wait(random.uniform(1, 15))
        self._start(self._patterns[0])

    def hangs(self, random: random.Random, over: threading.Event) -> None:
        with self.camera.hanging():
            over.wait(random.uniform(2, 20))

    def another_size(self, random: random.Random, over: threading.Event) -> None:
        self.camera.kill()
        over.wait(random.uniform(0.1, 2))
        self._start(random.choice(self._patterns))

    def faults(self) -> tuple[Callable[[random.Random, threading.Event], None], ...]:
        return self.unplugged, self.hangs, self.another_size


class FailingBroker:
    """A mosquitto that hangs and restarts; a listener counts what arrives."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._broker = Broker(folder)
        self._broker.start()
        self.port = self._broker.port
        self.listener = Listener(self.port)

    def broker_hangs(self, random: random.Random, over: threading.Event) -> None:
        self._broker.freeze(signal.SIGSTOP)
        over.wait(random.uniform(5, 40))
        self._broker.freeze(signal.SIGCONT)

    def broker_restarts(self, random: random.Random, over: threading.Event) -> None:
        self._broker.stop(random.choice((signal.SIGTERM, signal.SIGKILL)))
        over.wait(random.uniform(1, 20))
        self._broker.start()

    def take_messages(self) -> int:
        """How many messages came since the last call."""
        count = len(self.listener.messages)
        del self.listener.messages[:count]
        return count

    def close(self) -> None:
        self.listener.close()
        self._broker.stop(signal.SIGKILL)


class FailingReceiver(ThreadingHTTPServer):
    """A webhook receiver that hangs, answers with errors, or is slow."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"
        self.received, self.status, self.free = 0, 204, threading.Event()
        self.free.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def receiver_hangs(self, random: random.Random, over: threading.Event) -> None:
        self.free.clear()
        over.wait(random.uniform(5, 40))
        self.free.set()

    def receiver_fails(self, random: random.Random, over: threading.Event) -> None:
        self.status = random.choice((429, 500, 503))
        over.wait(random.uniform(5, 30))
        self.status = 204

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that gave up is what this test is about."""


class _Receive(BaseHTTPRequestHandler):
    server: FailingReceiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.free.wait(60)
        self.server.received += self.server.status == 204
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Browser:
    """A headless Chromium that opens the page, stays a while, and leaves with or without a goodbye."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self.titles: Counter[str] = Counter()

    def visits(self, random: random.Random, over: threading.Event) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        profile = self._folder / f"profile-{time.monotonic_ns()}"
        for argument in (*CHROMIUM, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
        try:
            driver.get(self._url)
            over.wait(random.uniform(5, 30))
            self.titles[driver.title] += 1
        finally:
            driver.quit()
            shutil.rmtree(profile, ignore_errors=True)
