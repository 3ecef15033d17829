"""Reads one request, does it, answers; an error that the user can mend is answered with exit code 3."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edgecnn.json_text import dump_json
from edgecnn.remote.agent import activate, environments, files, follow, jobs, machine, releases, supervisor
from edgecnn.system_errors import explain

REFUSED: Final = 3
VERBS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "probe": machine.probe,
    "port": machine.port,
    "received": files.received,
    "receive": files.receive,
    "drop": files.drop,
    "listing": files.listing,
    "send": files.send,
    "environment": environments.find,
    "look": environments.look,
    "room": environments.room,
    "install": environments.install,
    "unpack": environments.unpack,
    "start": jobs.start,
    "supervise": supervisor.supervise,
    "follow": follow.follow,
    "stop": jobs.stop,
    "remove": jobs.remove,
    "prepare": releases.prepare,
    "complete": releases.complete,
    "discard": releases.discard,
    "before": releases.before,
    "check_systemd": activate.check_systemd,
    "activate": activate.activate,
    "unsettled": activate.unsettled,
    "settle": activate.settle,
}


def main() -> int:
    """Run the verb ``sys.argv[1]`` with the request on standard input, or in the file ``sys.argv[2]``; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half done is removed
    verb = sys.argv[1]
    text = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else sys.stdin.buffer.readline()
    try:
        answer = VERBS[verb](json.loads(text or b"{}"))
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        _say({"problem": known.problem, "fix": known.fix})
        return REFUSED
    if answer is not None:
        _say(answer)
    return 0


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(dump_json(answer) + "\n")
    sys.stdout.flush()
