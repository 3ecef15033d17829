"""Jobs on a board: nothing is lost by cuts, and nothing is left running, however a job ends."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.errors import BackendError
from edgecnn.json_text import dump_json
from edgecnn.remote.board import RemoteBoard
from edgecnn.remote.job import JobEnd, JobSpec, RemoteJob
from tests.remote.ssh_board import SshBoard

# prints lines, each after the last one was seen by the test, which makes the file NUMBER
COUNTING = """
import sys, time, pathlib
for number in range(int(sys.argv[1])):
    print("line", number, flush=True)
    print("error", number, file=sys.stderr, flush=True)
    while not pathlib.Path(sys.argv[2], str(number)).exists():
        time.sleep(0.01)
pathlib.Path("result.bin").write_bytes(bytes(range(256)) * 1000)
"""
# a helper in a session of its own, and one that ignores SIGTERM
FAMILY = """
import subprocess, sys, time, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("started", flush=True)
time.sleep(600)
"""


def python(code: str, *words: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, words)]


class Seen:
    """Collects what a job prints; ``then`` is called with the number of each whole line of standard output."""

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.printed = {"stdout": b"", "stderr": b""}
        self._then = then

    def __call__(self, name: str, block: bytes) -> None:
        before = self.printed[name].count(b"\n")
        self.printed[name] += block
        if name == "stdout":
            for number in range(before, self.printed[name].count(b"\n")):
                self._then(number)


def test_ten_cuts_lose_nothing(connect: Callable[..., RemoteBoard], ssh_board: SshBoard, tmp_path: Path) -> None:
    board = connect()
    job = RemoteJob(board, "counting")

    def then(number: int) -> None:
        if number % 2:
            assert ssh_board.cut() > 0
        (tmp_path / str(number)).touch()

    seen = Seen(then)
    assert job.start(JobSpec(words=python(COUNTING, 20, tmp_path)))
    assert job.follow(seen) == JobEnd(0, "ended")
    assert seen.printed["stdout"].decode().splitlines() == [f"line {number}" for number in range(20)]
    assert seen.printed["stderr"].decode().splitlines() == [f"error {number}" for number in range(20)]
    assert board.cuts >= 10
    assert job.files() == {"result.bin": bytes(range(256)) * 1000}
    job.remove()
    assert not list((Path(board.root) / "jobs").iterdir())
    board.link.close()
    assert ssh_board.wait_until_idle() == []


def test_a_job_is_taken_up_again_by_its_name(connect: Callable[..., RemoteBoard], ssh_board: SshBoard, tmp_path: Path) -> None:
    spec = JobSpec(words=python(COUNTING, 2, tmp_path))
    first = connect()
    assert RemoteJob(first, "again").start(spec)
    first.link.close()  # as when this side is killed
    job = RemoteJob(connect(), "again")
    assert not job.start(spec)
    for number in range(2):
        (tmp_path / str(number)).touch()
    seen = Seen()
    assert job.follow(seen).exit_code == 0
    assert seen.printed["stdout"] == b"line 0\nline 1\n"
    job.remove()


def test_an_old_result_is_taken_up_only_where_it_is_meant_to_be(connect: Callable[..., RemoteBoard], tmp_path: Path) -> None:
    """A job that ended after its client was gone: within its lease for one that resumes; else, and for other jobs, it is started anew."""
    spec = JobSpec(words=python("import time; print(time.time_ns())"), resumes=True)
    first = connect()
    job = RemoteJob(first, "old")
    assert job.start(spec)
    assert job.follow(Seen()).exit_code == 0
    assert not job.start(spec)  # asked again after a cut
    folder = Path(first.root, "jobs", job.name)
    first.link.close()

    def starts(spec: JobSpec) -> bool:
        later = RemoteJob(connect(), "old")
        new = later.start(spec)
        assert later.follow(Seen()) == JobEnd(0, "ended")
        return new

    assert not starts(spec)
    past = time.time() - spec.lease_s - 60
    os.utime(folder / "state.json", (past, past))
    assert starts(spec)
    assert starts(dataclasses.replace(spec, resumes=False))
    (folder / "state.json").write_text(dump_json({"exit": 143, "why": "left alone"}))
    assert starts(spec)
    RemoteJob(connect(), "old").remove()


@pytest.mark.parametrize("how", ["remove", "TERM", "lease"])
def test_no_process_is_left(how: str, connect: Callable[..., RemoteBoard], ssh_board: SshBoard) -> None:
    board = connect()
    job = RemoteJob(board, "family")
    job.start(JobSpec(words=python(FAMILY), lease_s=1.0 if how == "lease" else 60.0, grace_s=0.5))
    if how == "lease":
        board.link.close()  # nobody comes back
    elif how == "remove":
        job.remove()
    else:
        ends: list[JobEnd] = []
        ends.append(job.follow(Seen(lambda _: job.stop("TERM"))))
        assert ends == [JobEnd(-9, "stopped")]
        job.remove()
    board.link.close()
    assert ssh_board.wait_until_idle() == []


def test_a_job_that_was_killed_is_told(board: RemoteBoard, ssh_board: SshBoard) -> None:
    job = RemoteJob(board, "killed")
    job.start(JobSpec(words=python(FAMILY)))
    ssh_board.kill("supervise")
    assert job.follow(Seen()).why == "lost"
    job.remove()
    ssh_board.kill("sleep(600)")


def test_a_command_that_does_not_exist(board: RemoteBoard) -> None:
    job = RemoteJob(board, "absent")
    job.start(JobSpec(words=["/no/such/command"]))
    assert job.follow(Seen()) == JobEnd(2, "the command can't be started: no such file or directory")
    job.remove()


def test_environment_and_folder_of_a_job(board: RemoteBoard) -> None:
    job = RemoteJob(board, "environment")
    job.start(JobSpec(words=["sh", "-c", 'echo "$SECRET" $(basename $PWD)'], environment={"SECRET": "a b"}))
    seen = Seen()
    assert job.follow(seen).exit_code == 0
    assert seen.printed["stdout"] == b"a b out\n"
    job.remove()


def test_a_board_whose_agent_breaks(board: RemoteBoard) -> None:
    with pytest.raises(BackendError, match="no-such-verb failed there with exit code 1: KeyError"):
        board.ask("no-such-verb")


def test_the_lease_of_a_quiet_job_is_renewed(board: RemoteBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.remote.job.HEARTBEAT_S", 0.05)
    job = RemoteJob(board, "quiet")
    job.start(
        JobSpec(
            words=python(
                "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)", tmp_path / "end"
            )
        )
    )
    lease = Path(board.root, "jobs", job.name, "lease")

    def end_after_two_renewals() -> None:
        times = {lease.stat().st_mtime_ns}
        while len(times) < 3:
            times.add(lease.stat().st_mtime_ns)
            time.sleep(0.01)
        (tmp_path / "end").touch()

    watching = threading.Thread(target=end_after_two_renewals)
    watching.start()
    assert job.follow(Seen()) == JobEnd(0, "ended")
    watching.join()
    job.remove()
