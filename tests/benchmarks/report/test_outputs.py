from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.benchmarks.report.outputs import check_writable, write_whole
from edgecnn.errors import InputError


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    check_writable(path)
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    check_writable(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_or_is_the_path_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        check_writable(tmp_path / "missing" / "out.json")
    with pytest.raises(InputError, match="found a folder"):
        check_writable(tmp_path)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_loses_nothing() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(InputError, match="a file to write"):
        write_whole(Path("/proc/edgecnn.json"), "text")
