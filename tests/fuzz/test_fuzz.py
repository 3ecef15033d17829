"""The suite of damaged inputs: it can fail, a seed repeats an input, and a few inputs of every kind are read or refused in one line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.errors import InputError
from tests.fuzz import entry_points, worker
from tests.fuzz.entry_points import WrongExitError, check_line
from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.run import Fuzzer, rounds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
NOT_READ = ("address",)  # each address is for a dataset or for a source, and the other one refuses it


def refuse() -> None:
    raise InputError("the file is damaged", "copy it again")


def two_lines() -> None:
    error = InputError("a", "b")
    error.args = ("a\nb; c",)
    raise error


def grow() -> object:
    return bytearray(os.urandom(1 << 10)) * (64 << 10)


@pytest.mark.parametrize(
    ("step", "result", "detail"),
    [
        pytest.param(lambda: 1, "read", "", id="read"),
        pytest.param(refuse, "refused", "the file is damaged; copy it again", id="one-line"),
        pytest.param(two_lines, "failed", "WrongExitError: InputError is not one line", id="two-lines"),
        pytest.param(lambda: 1 // 0, "failed", "ZeroDivisionError", id="other-exception"),
        pytest.param(sys.exit, "failed", "SystemExit", id="exit"),
        pytest.param(grow, "failed", "memory grew by", id="memory"),
        pytest.param(lambda: sum(range(10**7)), "failed", "took", id="time"),
    ],
)
def test_what_counts_as_a_failure(
    step: Callable[[], object], result: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_MIB", 50)
    if detail == "took":  # the others may be slow here
        monkeypatch.setattr(worker, "MOST_CPU_S", 0.05)
    monkeypatch.setitem(KINDS, "card", Kind(lambda: [], lambda _, files: files, lambda _: (step,)))
    found = worker.read_input("card", tmp_path)
    assert found["result"] == result
    assert found["detail"].startswith(detail)


def test_an_exit_code_that_no_command_has_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_points.command("models")
    with pytest.raises(InputError, match=r"^the model file no-such-file\.onnx does not exist; check the path"):
        entry_points.command("info", "no-such-file.onnx")
    monkeypatch.setattr("edgecnn.errors.EdgeCnnError.exit_code", 3)
    with pytest.raises(WrongExitError, match="exit code 3"):
        entry_points.command("info", "no-such-file.onnx")


def test_a_line_has_two_parts() -> None:
    check_line(InputError("a", "b"))
    with pytest.raises(WrongExitError):
        check_line(ValueError("a"))


@pytest.mark.parametrize("kind", ["card", "goldens", "yolo", "openvino"])
def test_a_seed_gives_the_same_input_again(kind: str, tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        worker.write_input(kind, seed, tmp_path / name, tmp_path / "corpus")
        found.append({path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()})
    assert found[0] == found[1] != found[2]


def test_undamaged_inputs_are_read(tmp_path: Path) -> None:
    """Else every damaged one would be refused before the damage is met."""
    with Fuzzer(tmp_path / "scratch", tmp_path / "kept") as fuzzer:
        for kind in KINDS:
            folder = tmp_path / kind
            for name, content in worker.base_files(kind, tmp_path / "corpus")[0].items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            assert fuzzer.try_folder(kind, folder), fuzzer.counts[kind].failures
            assert kind in NOT_READ or fuzzer.counts[kind].read == 1, kind


def test_damaged_inputs_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """A few of each kind; `make fuzz` tries more."""
    with Fuzzer(tmp_path, Path("build/fuzz")) as fuzzer:
        for kind, seed in rounds(list(KINDS), seed=1, count=4, until=time.monotonic() + 60):
            fuzzer.try_seed(kind, seed)
    failures = [failure for count in fuzzer.counts.values() for failure in count.failures]
    assert not failures, "\n".join(failures)
    assert sum(count.tried for count in fuzzer.counts.values()) > len(KINDS)
