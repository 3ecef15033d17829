"""Lets a release run as a systemd service, and goes back to the one before where it does not become healthy.

It runs under a supervisor on the board, so a cut connection can't leave a service half switched. Where it was killed itself, or the
board lost its power, ``switching.json`` names the release before, which ``settle`` lets run again. systemctl(1), systemd.unit(5).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.remote.agent.files import read_json, write_json
from edgecnn.remote.agent.places import made
from edgecnn.remote.agent.releases import current, discard, prune, service_folder, switch, unit_text

STEADY_S = 3.0  # this long the same process has to stay healthy
STEP_S = 0.25
RESTORE_S = 120.0
PENDING = "switching.json"  # the request of a switch that is not settled, with the release before it


def check_systemd(request: dict[str, Any]) -> dict[str, Any]:
    """Raise ``InputError`` where systemd does not run, or not for this user."""
    done = _systemctl(request, "show", "--property=Version")
    if done is None or done.returncode:
        whose = "this user" if request["scope"] == "user" else "the system"
        raise InputError(
            f"systemd does not run for {whose} there",
            "use --no-service, which installs and tests the release and leaves starting it to you",
        )
    return {"scope": request["scope"]}


def activate(request: dict[str, Any]) -> dict[str, Any]:
    """Switch the service to release ``number``; its health within ``seconds``, else the release before is restored.

    Raises ``InputError`` with the reason and the last lines of its log where it was restored, and while another switch of the
    service goes on. ``scope`` "" leaves systemd out.
    """
    service = service_folder(request)
    with _alone(service):
        pending = read_json(service / PENDING)
        before = current(service) if pending is None else pending["before"]
        write_json(service / PENDING, {**request, "before": before})
        return _activate(request, service, before)


def unsettled(request: dict[str, Any]) -> dict[str, Any]:
    """The ``number`` of a release whose switch was killed, None without one."""
    pending = read_json(service_folder(request) / PENDING)
    return {"number": None if pending is None else pending["number"]}


def settle(request: dict[str, Any]) -> dict[str, Any]:
    """Let the release before a killed switch run again; ``what`` came of it, "" where there was none.

    Raises ``InputError`` while the switch still goes on.
    """
    service = service_folder(request)
    with _alone(service):
        pending = read_json(service / PENDING)
        if pending is None:
            return {"what": ""}
        pending |= {"root": request["root"]} if "root" in request else {}
        what = _restore(pending, service, pending["before"])
        _settled(service)
        if pending["new"]:
            discard(pending)
    return {"what": f"version {pending['number']} was not confirmed as healthy: {what}"}


@contextlib.contextmanager
def _alone(service: Path) -> Iterator[None]:
    """One switch of a service at a time. Raises ``InputError``."""
    made(service)
    with (service / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another deployment of {service.name} goes on", "wait for its end") from None
        yield


def _settled(service: Path) -> None:
    (service / PENDING).unlink(missing_ok=True)


def _activate(request: dict[str, Any], service: Path, before: int | None) -> dict[str, Any]:
    number = request["number"]
    switch(service, number)
    if not request["scope"]:
        _settled(service)
        prune(service)
        return {"number": number, "previous": before}
    problem = _run(request, service, number)
    if problem is None:
        _settled(service)
        prune(service)
        return {"number": number, "previous": before, "linger": _lingers(request)}
    log = _log(request)
    back = _restore(request, service, before)
    _settled(service)
    if request["new"]:
        discard(request)
    raise InputError(
        f"version {number} did not become healthy: {problem}{log}; {back}", "see the log there, mend it and deploy again"
    )


def _restore(request: dict[str, Any], service: Path, before: int | None) -> str:
    """Let release ``before`` run again; what came of it."""
    if before is not None:
        switch(service, before)
        if not request["scope"]:
            return f"version {before} is the current one again"
        known = {**request, "port": _port_of(service, before, request["port"]), "seconds": max(request["seconds"], RESTORE_S)}
        problem = _run(known, service, before)
        return f"version {before} runs again" + ("" if problem is None else f", but is not healthy either: {problem}")
    if not request["scope"]:
        switch(service, None)
        return "there is no current version"
    _systemctl(request, "disable", "--now", _unit(request))
    (_units(request) / _unit(request)).unlink(missing_ok=True)
    _systemctl(request, "daemon-reload")
    switch(service, None)
    return "the service was removed"


def _run(request: dict[str, Any], service: Path, number: int) -> str | None:
    """Start the release that ``current`` names; why it is not healthy, or None."""
    path = _units(request) / _unit(request)
    made(path.parent)
    path.write_text(unit_text(service, number), encoding="utf-8")
    if request["scope"] == "user" and shutil.which("loginctl"):
        subprocess.run(["loginctl", "enable-linger"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    for words in (("daemon-reload",), ("enable", _unit(request)), ("restart", "--no-block", _unit(request))):
        done = _systemctl(request, *words)
        if done is None or done.returncode:
            text = done.stderr.strip().splitlines() if done is not None else []
            return f"systemctl {words[0]} failed: {text[-1] if text else 'no message'}"
    return _wait(request)


def _wait(request: dict[str, Any]) -> str | None:
    until = time.monotonic() + request["seconds"]
    since: float | None = None
    process = ""
    problem: str | None = "its page did not answer"
    while time.monotonic() < until:
        time.sleep(STEP_S)
        main = _property(request, "MainPID")
        problem = _unhealthy(request["port"])
        if _property(request, "ActiveState") == "failed":
            return "the service ended"
        if problem is not None or main in ("", "0") or (since is not None and main != process):
            since = None
            continue
        since, process = since or time.monotonic(), main
        if time.monotonic() - since >= STEADY_S:
            return None
    return f"{problem or 'it started again and again'} within {request['seconds']:.0f} s"


def _unhealthy(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            state = json.loads(answer.read()).get("state")
    except urllib.error.HTTPError as error:
        return "no camera delivers frames" if error.code == 503 else f"its page answers {error.code}"
    except (OSError, ValueError):
        return "its page did not answer"
    return None if state in ("ok", "degraded") else "no camera delivers frames"


def _log(request: dict[str, Any]) -> str:
    if shutil.which("journalctl") is None:
        return ""
    words = [
        "journalctl",
        *(["--user"] if request["scope"] == "user" else []),
        "-u",
        _unit(request),
        "-n",
        "5",
        "-o",
        "cat",
        "--no-pager",
    ]
    done = subprocess.run(words, env=_environment(request), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("-- No entries")]
    return f" ({lines[-1][:300]})" if lines and not done.returncode else ""


def _lingers(request: dict[str, Any]) -> bool:
    """Whether the service goes on after this user has logged out."""
    if request["scope"] != "user" or shutil.which("loginctl") is None:
        return True
    words = ["loginctl", "show-user", str(os.geteuid()), "--property=Linger", "--value"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode != 0 or done.stdout.strip() != "no"


def _property(request: dict[str, Any], name: str) -> str:
    done = _systemctl(request, "show", _unit(request), f"--property={name}", "--value")
    return done.stdout.strip() if done is not None else ""


def _systemctl(request: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str] | None:
    user = ["--user"] if request["scope"] == "user" else []
    try:
        return subprocess.run(
            ["systemctl", *user, *words],
            env=_environment(request),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None


def _environment(request: dict[str, Any]) -> dict[str, str]:
    """The variables with the way to the user's systemd, which a session by SSH may lack."""
    if request["scope"] != "user" or "XDG_RUNTIME_DIR" in os.environ:
        return dict(os.environ)
    return {**os.environ, "XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}"}


def _units(request: dict[str, Any]) -> Path:
    if request["scope"] == "system":
        return Path("/etc/systemd/system")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _unit(request: dict[str, Any]) -> str:
    return f"{request['unit_name']}.service"


def _port_of(service: Path, number: int, default: int) -> int:
    found = read_json(service / "releases" / str(number) / "release.json") or {}
    return int(found.get("port") or default)
