"""A soak test: a run on four RTSP cameras for hours while cameras, broker, webhook receiver and browser fail by a script.

    python -m tests.soak.run --hours 8 --out build/soak       make soak HOURS=8

Everything is real: ``edgecnn run`` as a process of its own, GStreamer's RTSP server, mosquitto, an HTTP server, Chromium. Memory, open
files, sockets, threads, frame age and the ledger are read every ten seconds. At the end the run gets SIGTERM and all its outputs are
opened. Exit code 0 if every check holds, else 1. ``--seed`` gives the same faults in the same order again.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from edgecnn.benchmarks.figures.figure import record
from edgecnn.benchmarks.figures.target import TargetCheck
from edgecnn.columns import align_columns
from edgecnn.json_text import dump_json
from tests.soak.outputs import check_outputs
from tests.soak.peers import Browser, FailingBroker, FailingCamera, FailingReceiver, FaultScript, draw_pictures
from tests.soak.readings import plot, read_process

CAMERAS = {"door": "jpeg", "yard": "jpeg", "gate": "h264", "hall": "h264"}
EVERY_S = 10.0
STOP_S = 20.0  # after SIGTERM; a run promises two seconds, but a starved machine may take longer
SIZES = ("320x240", "480x272")
WARMED_UP = 0.2  # the share of the run after which growth counts: buffers and caches fill first


class Soak:
    """The run under test with its peers; ``readings`` grows while ``watch`` waits."""

    def __init__(self, folder: Path, model: str, seed: int) -> None:
        self.folder, self.out = folder, folder / "outputs"
        self.out.mkdir(parents=True)
        patterns = [draw_pictures(folder / "pictures" / size, size, seed) for size in SIZES]
        self.cameras = {name: FailingCamera(patterns, codec) for name, codec in CAMERAS.items()}
        self.broker, self.receiver = FailingBroker(folder / "broker"), FailingReceiver()
        self.port = _free_port()
        self.browser = Browser(folder, f"http://127.0.0.1:{self.port}/")
        self.readings: list[dict[str, Any]] = []
        self.messages = 0
        self._errors = (folder / "errors.log").open("wb")
        self.process = subprocess.Popen(self._command(model), stdout=subprocess.DEVNULL, stderr=self._errors)
        self._scripts = [FaultScript(name, seed, (10, 60), *camera.faults()) for name, camera in self.cameras.items()]
        self._scripts += [
            FaultScript("broker", seed, (30, 120), self.broker.broker_hangs, self.broker.broker_restarts),
            FaultScript("receiver", seed, (20, 90), self.receiver.receiver_hangs, self.receiver.receiver_fails),
            FaultScript("browser", seed, (20, 90), self.browser.visits),
        ]

    def _command(self, model: str) -> list[str]:
        sources = [word for name, one in self.cameras.items() for word in ("--source", f"{name}={one.camera.address()}")]
        out = str(self.out)
        return [
            sys.executable, "-m", "edgecnn", "run", model, *sources, "--connect-timeout", "inf", "--timeout", "3s", "--max-fps", "5",
            "--track", "--line", "middle:0.5,0,0.5,1", "--zone", "left:0,0,0.5,0,0.5,1,0,1", "--log", "json",
            "--out", f"{out}/{{camera}}.mp4", "--segment", "2m", "--segments-size", "100MB",
            "--jsonl", f"{out}/results.jsonl", "--csv", f"{out}/boxes.csv", "--events", f"{out}/events.jsonl", "--rotate", "5MB",
            "--clips", f"{out}/clips", "--max-clips", "40", "--clip-on", "line-crossed", "--clip-before", "2s", "--clip-after", "2s",
            "--mqtt", f"mqtt://127.0.0.1:{self.broker.port}/soak?send=events,results", "--webhook", self.receiver.url,
            "--serve", f"127.0.0.1:{self.port}", "--stats", f"{out}/stats.json",
        ]  # fmt: skip

    def watch(self, seconds: float) -> None:
        """Play faults and take readings for so long; ends early if the run ends."""
        for script in self._scripts:
            script.start()
        started = time.monotonic()
        with tqdm(total=round(seconds), unit="s", desc="soak", mininterval=5) as bar:
            while (now := time.monotonic() - started) < seconds and self.process.poll() is None:
                self.readings.append({"s": round(now, 1), **read_process(self.process.pid), **self._page_state()})
                with (self.folder / "readings.jsonl").open("a") as log:  # also those of a soak that is stopped
                    log.write(dump_json(self.readings[-1]) + "\n")
                self.messages += self.broker.take_messages()
                bar.update(round(now) - bar.n)
                time.sleep(EVERY_S)
        for script in self._scripts:
            script.stop()

    def _page_state(self) -> dict[str, Any]:
        """Frame age and ledger of each camera as the page has them."""
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/state?tick=999999999", timeout=5) as answer,
        ):
            cameras = json.load(answer)["cameras"]
            return {
                "age_ms": {one["name"]: one["age_ms"]["p99"] for one in cameras},
                "in_flight": {one["name"]: one["ledger"]["in_flight"] for one in cameras},
                "processed": {one["name"]: one["ledger"]["processed"] for one in cameras},
            }
        return {"page": "no answer"}

    def stop(self) -> tuple[int | None, float]:
        """Ask the run to end; its exit code, None if it had to be killed, and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(STOP_S)
        if code is None:
            self.process.kill()
            self.process.wait()
        return code, time.monotonic() - started

    def close(self) -> None:
        """End the peers."""
        if self.process.poll() is None:
            self.process.kill()
        self._errors.close()
        for camera in self.cameras.values():
            camera.camera.kill()
        self.broker.close()
        self.receiver.shutdown()

    def faults(self) -> dict[str, int]:
        """How often each fault was played."""
        return {f"{script.name}: {fault}": count for script in self._scripts for fault, count in sorted(script.counts.items())}

    def problems(self) -> list[str]:
        """Peers whose script broke: then the soak proves nothing."""
        return [f"{script.name}: {script.problem!r}" for script in self._scripts if script.problem is not None]


def figures(readings: list[dict[str, Any]], hours: float) -> list[TargetCheck]:
    """Growth from the median of the second tenth after warm-up to that of the last tenth; worst age and frames in flight."""
    settled = readings[int(len(readings) * WARMED_UP) :]
    tenth = max(len(settled) // 10, 1)

    def growth(name: str) -> float:
        return statistics.median(one[name] for one in settled[-tenth:]) - statistics.median(one[name] for one in settled[:tenth])

    ages = [age for one in settled for age in one.get("age_ms", {}).values() if age is not None]
    flying = [count for one in readings for count in one.get("in_flight", {}).values()]
    silent = sum("page" in one for one in readings)
    return [
        TargetCheck.of(f"growth of memory in {hours:g} hours, MiB", [growth("mib")], 10.0, at_most=True),
        TargetCheck.of("of it without parts of files, MiB", [growth("anonymous_mib")]),
        TargetCheck.of("growth of open files", [growth("files")], 4.0, at_most=True),
        TargetCheck.of("growth of threads", [growth("threads")], 2.0, at_most=True),
        TargetCheck.of("most frames of a camera in flight", [max(flying, default=-1)], 4.0, at_most=True),
        TargetCheck.of("median of the cameras' p99 frame age, ms", [statistics.median(ages) if ages else -1]),
        TargetCheck.of("readings without an answer of the page", [silent], 0.05 * len(readings), at_most=True),
    ]


@click.command()
@click.option("--hours", type=click.FloatRange(0.01), default=1.0, show_default=True)
@click.option("--model", default="cups", show_default=True, help="A detector: a shipped name or a file.")
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/soak"), show_default=True, help="Folder; replaced.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here as well.")
def command(hours: float, model: str, seed: int, out: Path, json_path: Path | None) -> None:
    """Run for HOURS while everything around fails, and check what is left."""
    random.seed(seed)
    shutil.rmtree(out, ignore_errors=True)
    soak = Soak(out.absolute(), model, seed)
    try:
        soak.watch(hours * 3600)
        alive = soak.process.poll() is None
        code, stop_s = soak.stop()
    finally:
        soak.close()
    checks = {
        "the run lived to the end": alive,
        f"it ended with 143 within {STOP_S:g} s after SIGTERM": code == 143,
        **check_outputs(soak.out, list(CAMERAS)),
    }
    rows = figures(soak.readings, hours)
    click.echo("\n" + align_columns([["figure", "value", "target", ""], *(row.cells() for row in rows)], left=1))
    for name, count in soak.faults().items():
        click.echo(f"{count:6d}  {name}")
    click.echo(
        f"{soak.messages:6d}  MQTT messages, {soak.receiver.received} webhook calls, {sum(soak.browser.titles.values())} visits"
    )
    failed = [name for name, holds in checks.items() if not holds] + soak.problems()
    failed += [row.name for row in rows if row.is_reached is False]
    plot(soak.readings, out / "soak.png")
    content = {
        "hours": hours, "seed": seed, "model": Path(model).name, "figures": [row.to_json() for row in rows], "checks": checks,
        "faults": soak.faults(), "mqtt_messages": soak.messages, "webhook_calls": soak.receiver.received, "stop_s": round(stop_s, 2),
        "readings": soak.readings,
    }  # fmt: skip
    record(json_path or out / "soak.json", "soak", content, module="tests.soak.run")
    for name in failed:
        click.echo(f"FAILED: {name}")
    sys.exit(1 if failed else 0)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    command()
