"""The folders of the user, with and without the variables that name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.errors import InputError
from edgecnn.user_folders import cache_folder, data_folder, needed_cache_folder


def test_the_variables_name_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    assert (cache_folder(), data_folder()) == (tmp_path / "c/edgecnn", tmp_path / "d/edgecnn")


def test_the_usual_folders_are_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert (cache_folder(), data_folder()) == (tmp_path / ".cache/edgecnn", tmp_path / ".local/share/edgecnn")


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() is None
    with pytest.raises(InputError, match="no home folder to keep files in; set HOME, or use --out"):
        needed_cache_folder("use --out")
