"""Files appear whole or not at all, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgecnn.errors import InputError
from edgecnn.files import atomic_path, atomic_write, check_reports, check_writable, write_file

KILLED = """
import os, signal, sys
from edgecnn.files import atomic_write
with atomic_write(sys.argv[1]) as stream:
    stream.write("new" * 100_000)
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "out.json"
    path.write_text("old")
    return path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk does: writing stops at ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def only(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


def test_text_and_bytes_appear_when_the_block_ends(old: Path) -> None:
    with atomic_write(old) as stream:
        stream.write("neü")
        assert old.read_text() == "old"
    assert old.read_bytes() == "neü".encode()
    with atomic_write(old, binary=True) as binary:
        binary.write(b"\0\1")
    assert old.read_bytes() == b"\0\1"
    write_file(old, "whole")
    assert old.read_text() == "whole"
    assert only(old)


def test_a_library_gets_a_hidden_name_with_the_same_suffix_in_the_same_folder(old: Path) -> None:
    with atomic_path(old) as draft:
        assert (draft.suffix, draft.parent, draft.name[0]) == (".json", old.parent, ".")
        draft.unlink()  # a library may make the file itself
        draft.write_text("new")
    assert old.read_text() == "new"
    assert only(old)


def test_an_error_keeps_the_old_file_and_leaves_nothing_else(old: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_write(old) as stream:
        stream.write(str(1 / 0))
    with pytest.raises(FileNotFoundError), atomic_path(old):
        old.with_name("input").read_text()  # the caller's own, not of the output
    assert old.read_text() == "old"
    assert only(old)


def test_a_killed_process_leaves_the_old_file(old: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    assert sorted(path.suffix for path in old.parent.iterdir()) == [".json", ".json"]  # its draft has another, hidden name


@pytest.mark.parametrize("size", [10, 100_000])  # met at the end, when the buffer is written, and in the middle
def test_a_full_disk_is_one_line_and_keeps_the_old_file(old: Path, size: int) -> None:
    message = rf"^can't write {old}: file too large; free some space, or name another place$"
    with files_of_at_most(size), pytest.raises(InputError, match=message), atomic_write(old) as stream:
        stream.write("n" * (size + 1))
    assert old.read_text() == "old"
    assert only(old)


@pytest.mark.parametrize("check", [check_writable, lambda path: write_file(path, "new")])
def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path, check: object) -> None:
    assert callable(check)
    with pytest.raises(InputError, match=rf"^can't write {tmp_path}: it is a folder; name a file in it$"):
        check(tmp_path)
    missing = tmp_path / "missing" / "out.json"
    advice = rf"^can't write {missing}: the folder {missing.parent} does not exist; create it, or name another place$"
    with pytest.raises(InputError, match=advice):
        check(missing)
    with pytest.raises(InputError, match=r"^can't write /proc/edgecnn.json: no such file or directory; name another place$"):
        check(Path("/proc/edgecnn.json"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_or_folder_without_the_right_to_write_is_refused(old: Path) -> None:
    old.chmod(0o444)
    with pytest.raises(InputError, match=f"^can't write {old}: permission denied"):
        check_writable(old)
    old.chmod(0o644)
    old.parent.chmod(0o555)
    with pytest.raises(InputError, match=f"^can't write {old}: permission denied"):
        check_writable(old)
    check_writable(old, in_place=True)
    old.parent.chmod(0o755)


def test_a_check_changes_nothing(old: Path) -> None:
    check_writable(old.with_name("new.json"))
    check_writable(old)
    check_writable(old, in_place=True)
    assert old.read_text() == "old"
    assert only(old)


def test_the_advice_can_name_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist; create it, or give another --json$"):
        write_file(tmp_path / "missing" / "out.json", "", fix="give another --json")


def test_file_and_folder_are_synced_before_and_after_the_rename(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[Path, str]] = []

    def fsync(handle: int, real: object = os.fsync) -> None:
        assert callable(real)
        real(handle)
        synced.append((Path(f"/proc/self/fd/{handle}").readlink(), old.read_text()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_file(old, "new")
    (draft, before), (folder, after) = synced
    assert (draft.suffix, draft.name[0], draft.parent, before) == (".json", ".", old.parent, "old")
    assert (folder, after) == (old.parent, "new")


def test_permissions_follow_the_umask_and_those_of_an_old_file_stay(old: Path) -> None:
    umask = os.umask(0o027)
    try:
        write_file(old.with_name("new.json"), "")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(old.with_name("new.json").stat().st_mode) == 0o640
    old.chmod(0o604)
    write_file(old, "new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o604


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_written(old: Path, tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "elsewhere" / "target.json"
    target.parent.mkdir()
    if exists:
        target.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert only(target)


def test_a_pipe_or_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(pipe)  # without a reader, it must not wait
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    write_file(pipe, "through")
    reader.join(10)
    assert received == ["through"]
    assert pipe.is_fifo()
    assert only(pipe)


def test_standard_output_as_a_path() -> None:
    code = "from edgecnn.files import write_file; write_file('/dev/stdout', 'shown')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"shown"


def test_a_long_name_has_room_for_a_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 120 + ".json")
    write_file(path, "new")
    assert path.read_text() == "new"


def test_a_dash_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for write in (lambda: check_writable("-"), lambda: write_file("-", "x")):
        with pytest.raises(InputError, match=r"^can't write -: standard output takes the text here; name a file$"):
            write()
    assert not list(tmp_path.iterdir())


def test_a_report_is_no_file_that_is_read_and_no_other_report(tmp_path: Path) -> None:
    model, linked, new = tmp_path / "net.onnx", tmp_path / "link.json", tmp_path / "new.json"
    model.write_bytes(b"graph")
    linked.symlink_to(model)
    check_reports([new, None, tmp_path / "new.html", Path(os.devnull), Path(os.devnull)], [model, tmp_path / "missing.onnx"])
    for path in (model, linked):
        with pytest.raises(InputError, match=rf"can't write {path}: it is a file that is read"):
            check_reports([path], [model])
    with pytest.raises(InputError, match="two reports can't be written to"):
        check_reports([new, tmp_path / "." / "new.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "net.onnx"]
