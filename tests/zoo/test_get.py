"""`edgecnn models get`, from a server that cuts, lies, refuses and redirects."""

from __future__ import annotations

import hashlib
import json
import resource
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn import download as downloads
from edgecnn.cli import main
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Classes
from edgecnn.zoo.get import _alone, get
from tests.zoo.faulty_server import FaultyServer, entry

Register = Callable[..., None]


@pytest.fixture
def register(server: FaultyServer, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Writes the register: the tiny network at an address with a fault."""
    written = [0]

    def write(fault: str = "good", **more: object) -> None:
        written[0] += 1  # a register is read once
        path = tmp_path / f"register-{written[0]}.toml"
        path.write_text(entry(server.url(fault), server.content, **more))
        monkeypatch.setenv("EDGECNN_REGISTER", str(path))

    return write


def run(*words: str, **more: Any) -> Result:
    return CliRunner().invoke(main, ["models", *words], **more)


def refused(done: Result, place: Path, message: str) -> None:
    """One line of error, and nothing under the name."""
    assert done.exit_code == 2, done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith("downloading")]
    assert len(lines) == 1
    assert message in lines[0]
    assert lines[0].startswith("error: ")
    assert not list(place.glob("tiny*"))


def test_a_model_is_used_by_its_name_with_card_goldens_and_digest(register: Register, place: Path) -> None:
    register()
    done = run("get", "tiny")
    assert (done.exit_code, list(place.glob("[!.]*"))) == (0, [place / "tiny.onnx"]), done.stderr
    assert not (place / ".downloads").exists()
    with Predictor("tiny") as predictor:
        found = predictor(np.full((40, 30, 3), (0, 0, 255), np.uint8))  # BGR
        source = predictor.card.training["source"]
    assert isinstance(found, Classes)
    assert predictor.card.labels[found.top1] == "red"
    assert source["licence"] == "MIT"
    info = CliRunner().invoke(main, ["info", "tiny"])
    assert "as exported" in info.stdout
    selftest = CliRunner().invoke(main, ["selftest", "tiny"])
    assert selftest.exit_code == 0, selftest.stdout + selftest.stderr


def test_what_is_here_is_not_fetched_again_and_can_be_removed(register: Register, server: FaultyServer, place: Path) -> None:
    register()
    assert run("get", "tiny").exit_code == 0
    again = run("get", "tiny")
    assert (again.exit_code, len(server.ranges)) == (0, 1)
    assert "tiny is here already" in again.stderr
    assert "tiny" in run().stdout.partition("got (")[2]
    assert json.loads(run("tiny", "--json").stdout)["tiny"]["kind"] == "got"
    assert str(place / "tiny.onnx") in run("tiny").stdout
    assert run("remove", "tiny").stdout == f"removed {place / 'tiny.onnx'}\n"
    assert [path.name for path in place.iterdir()] == []
    refused(run("remove", "tiny"), place, "tiny is not here")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param("missing", "404 Not Found; check the network", id="404"),
        pytest.param("wrong", "sent other content than was published", id="digest"),
        pytest.param("short", "bytes, but", id="size"),
    ],
)
def test_wrong_answers_leave_nothing(register: Register, place: Path, tmp_path: Path, fault: str, message: str) -> None:
    register(fault)
    refused(done := run("get", "tiny"), place, message)
    assert f"by hand at {place / '.downloads' / 'tiny' / 'tiny.onnx'}" in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "register-1.toml"]  # no lock, no folder


def test_a_transfer_that_broke_off_is_continued(register: Register, server: FaultyServer, place: Path) -> None:
    register("cut")
    refused(run("get", "tiny"), place, "it goes on from there")
    (part,) = place.rglob("*.part")
    kept = part.stat().st_size
    assert 0 < kept < len(server.content)
    assert [path for path in place.rglob("*") if path.is_file()] == [part]  # no lock
    assert run("get", "tiny").exit_code == 0
    assert server.ranges == ["", f"bytes={kept}-"]
    assert (place / "tiny.onnx").is_file()


@pytest.mark.parametrize(("fault", "continued"), [("cut", False), ("tagged", True)])
def test_without_a_digest_only_a_tagged_content_is_continued(
    register: Register, server: FaultyServer, fault: str, continued: bool
) -> None:
    register(fault, sha256="", size=None)
    run("get", "tiny")
    run("get", "tiny")
    assert len(server.ranges) == 2
    assert bool(server.ranges[1]) is continued


def test_a_range_that_begins_elsewhere_is_not_taken_for_the_rest(register: Register, server: FaultyServer, place: Path) -> None:
    register("other-range")
    run("get", "tiny")
    refused(run("get", "tiny"), place, "bytes, but")
    register("good")
    assert run("get", "tiny").exit_code == 0


def test_a_file_that_was_put_there_by_hand_is_checked(register: Register, server: FaultyServer, place: Path) -> None:
    register()
    folder = place / ".downloads" / "tiny"
    folder.mkdir(parents=True)
    file = folder / Path(server.url("good")).name
    file.write_bytes(server.content + b"x")
    refused(done := run("get", "tiny"), place, "is not what was published")
    assert f"by hand at {file} (make its folder)" in done.stderr
    assert not folder.exists()
    folder.mkdir(parents=True)
    file.write_bytes(server.content)
    assert run("get", "tiny").exit_code == 0
    assert server.ranges == []


def test_leftovers_of_a_longer_file_are_forgotten(register: Register, server: FaultyServer, place: Path) -> None:
    register(size=None)
    folder = place / ".downloads" / "tiny"
    folder.mkdir(parents=True)
    (folder / ".tiny.onnx.part").write_bytes(b"x" * (len(server.content) + 5))
    assert run("get", "tiny").exit_code == 0
    assert [bool(asked) for asked in server.ranges] == [True, False]


def test_a_redirect_to_another_host_needs_a_digest(register: Register, place: Path) -> None:
    register("redirect", sha256="")
    refused(run("get", "tiny"), place, "sends on to http://localhost, and there is no SHA-256")
    register("redirect")
    assert run("get", "tiny").exit_code == 0


def test_a_full_disk_is_one_line(register: Register, server: FaultyServer, place: Path) -> None:
    register()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(server.content) // 2, hard))
    try:
        done = run("get", "tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    refused(done, place, "free some space, or")
    assert run("get", "tiny").exit_code == 0


def test_an_interrupt_is_one_line_and_the_next_call_goes_on(
    register: Register, server: FaultyServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(downloads._Progress, "update", stop)
        done = run("get", "tiny")
    refused(done, place, "tiny was not got; run it again: it goes on from there")
    assert run("get", "tiny").exit_code == 0
    assert server.ranges[1].startswith("bytes=")


def test_two_at_the_same_time_download_once(register: Register, server: FaultyServer, place: Path) -> None:
    register("slow")
    told: list[str] = []
    made: list[object] = []

    def take() -> None:
        def say(line: str) -> None:
            told.append(line)
            if "waiting" in line:
                server.go_on.set()

        made.append(get("tiny", lambda _: False, say))

    threads = [threading.Thread(target=take) for _ in range(2)]
    threads[0].start()
    assert server.began.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    assert len(server.ranges) == 1
    assert any("another process is getting tiny: waiting" in line for line in told)
    assert sorted(one is None for one in made) == [False, True]
    assert list(place.iterdir()) == [place / "tiny.onnx"]  # no lock


def test_a_lock_that_another_process_removed_while_it_was_waited_for_is_taken_anew(tmp_path: Path) -> None:
    lock, inside, most = tmp_path / ".tiny.lock", [0], [0]

    def take() -> None:
        with _alone(lock, "tiny", lambda _: None):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (most[0], lock.exists()) == (1, False)


def test_an_unverified_model_is_asked_for(register: Register, place: Path) -> None:
    register(unverified="nobody vouches for it")
    refused(run("get", "tiny"), place, "tiny is unverified: nobody vouches for it; add --accept-unverified")
    assert "get it" in run("tiny").stdout
    assert run("get", "tiny", "--accept-unverified").exit_code == 0


def test_a_question_on_a_terminal_is_answered(register: Register, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(unverified="nobody vouches for it")
    monkeypatch.setattr("edgecnn.cli.models._at_terminal", lambda: True)
    assert run("get", "tiny", input="n\n").exit_code == 2
    assert run("get", "tiny", input="y\n").exit_code == 0


def test_the_file_of_an_archive_is_checked(
    register: Register, server: FaultyServer, place: Path, tmp_path: Path, network: bytes
) -> None:
    digest, size = hashlib.sha256(network).hexdigest(), len(network)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("inside.onnx", network)
        packed.writestr("names.txt", "background\nred\ngreen\nblue\n")
    server.content = (tmp_path / "a.zip").read_bytes()
    archive = {"member": "inside.onnx", "labels": None, "labels_member": "names.txt", "labels_skip": 1, "size": size}
    register(sha256="0" * 64, **archive)
    refused(run("get", "tiny"), place, "inside.onnx of http://127.0.0.1")
    register(sha256=digest, **archive)
    assert run("get", "tiny").exit_code == 0
    with Predictor("tiny") as predictor:
        assert predictor.card.labels == ("red", "green", "blue")


def test_a_file_that_no_card_fits_is_refused_and_not_kept(register: Register, place: Path) -> None:
    register(labels=["red"])
    refused(run("get", "tiny"), place, "3 classes")


def test_without_pooch_the_extra_is_named(register: Register, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    refused(run("get", "tiny"), place, 'pooch is not installed; run: pip install "edgecnn[get]"')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["get", "cups"], "cups ships with edgecnn", id="shipped"),
        pytest.param(["get", "tinny"], "did you mean tiny", id="typo"),
        pytest.param(["remove", "cups"], "can't be removed", id="remove shipped"),
        pytest.param(["get"], "get needs the NAME", id="nothing"),
        pytest.param(["a", "b"], "one model at a time", id="two"),
        pytest.param(["tiny", "--accept-unverified"], "is for edgecnn models get", id="option"),
        pytest.param(["get", "tiny", "--json"], "--json does not go with get", id="json"),
    ],
)
def test_wrong_words_are_one_line(register: Register, place: Path, words: list[str], message: str) -> None:
    register()
    refused(run(*words), place, message)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", "tiny", "--source", "scene:cups?count=1"], id="run"),
        pytest.param(["evaluate", "tiny", "--data", "scene:cups?count=1"], id="evaluate"),
        pytest.param(["info", "tiny"], id="info"),
    ],
)
def test_other_commands_say_how_to_get_what_is_not_here(register: Register, place: Path, words: list[str]) -> None:
    register(unverified="nobody vouches for it")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert done.stderr == "error: the model tiny is not here yet; get it with edgecnn models get tiny --accept-unverified\n"


def test_a_damaged_register_is_one_line(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.toml").write_text("[[models]]\nname = 'x'\n")
    monkeypatch.setenv("EDGECNN_REGISTER", str(tmp_path / "bad.toml"))
    refused(run("get", "x"), place, "models[0].what is missing")
