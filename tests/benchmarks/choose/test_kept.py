from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgecnn.benchmarks.choose import kept
from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.devices import DeviceProfile

DEVICE = DeviceProfile("Board 5", "aarch64", "Cortex-A76", 4, 4)


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, ...]:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_text(name)
    return tmp_path / "a.onnx", tmp_path / "b.onnx"


def document(config: ChooseConfig, paths: tuple[Path, ...], made: str = "2026-01-01T00:00:00+00:00") -> dict[str, Any]:
    chosen = {"path": str(paths[0]), "engine": "onnxruntime", "threads": 2}
    known = {"schema": kept.SCHEMA, "version": kept.VERSION, "made": made, "lines": ["choice: a.onnx"], "chosen": chosen}
    return {**known, "circumstances": kept.circumstances(config, paths, DEVICE)}


def test_a_choice_is_kept_for_its_files_and_device(paths: tuple[Path, ...], data_home: Path) -> None:
    config = ChooseConfig(files=paths)
    assert kept.read(DEVICE, paths) is None
    path = kept.keep(document(config, paths), DEVICE, paths)
    assert path is not None
    assert path.is_relative_to(data_home / "edgecnn" / "devices" / "board-5-4c" / "choices")
    found = kept.read(DEVICE, paths)
    assert found == document(config, paths)
    assert kept.differences(found, kept.circumstances(config, paths, DEVICE)) == []
    assert kept.read(DeviceProfile("Board 6", "aarch64", "Cortex-A76", 4, 4), paths) is None


def test_what_changed_is_named(paths: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    config = ChooseConfig(files=paths)
    before = document(config, paths)
    other = ChooseConfig(files=paths, budget=Budget(max_latency_ms=5))
    assert kept.differences(before, kept.circumstances(other, paths, DEVICE)) == ["the limits"]
    assert kept.differences(before, kept.circumstances(other, paths, DEVICE), kept.OF_THE_RUN) == []
    more_threads = ChooseConfig(files=paths, threads=1, data=DatasetSelection("digits"))
    assert kept.differences(before, kept.circumstances(more_threads, paths, DEVICE)) == ["the limits", "the data"]
    paths[1].write_text("other weights")
    monkeypatch.setattr(kept, "packages", lambda: {"onnxruntime": "9.9"})
    assert kept.differences(before, kept.circumstances(config, paths, DEVICE)) == ["a file", "the version of an engine"]
    slower = DeviceProfile("Board 5", "aarch64", "Cortex-A76", 4, 2)
    assert "the number of processors" in kept.differences(before, kept.circumstances(config, paths, slower))


def test_one_file_finds_the_newest_choice_that_it_was_a_candidate_of(paths: tuple[Path, ...], tmp_path: Path) -> None:
    third = tmp_path / "c.onnx"
    third.write_text("c")
    config = ChooseConfig(files=paths)
    old, new = (
        document(config, paths, "2026-01-01T00:00:00+00:00"),
        document(config, (*paths, third), "2026-02-01T00:00:00+00:00"),
    )
    kept.keep(new, DEVICE, (*paths, third))
    kept.keep(old, DEVICE, paths)
    assert kept.read(DEVICE, paths[:1]) == new
    assert kept.read(DEVICE, paths) == old
    assert kept.read(DEVICE, (third, tmp_path / "d.onnx")) is None


def test_damaged_and_foreign_documents_are_no_choice(paths: tuple[Path, ...]) -> None:
    path = kept.keep(document(ChooseConfig(files=paths), paths), DEVICE, paths)
    assert path is not None
    good = json.loads(path.read_text())
    for bad in ("{", "[]", "{}", json.dumps({**good, "version": 99}), json.dumps({**good, "chosen": {"path": 3}}), "\0"):
        path.write_text(bad)
        assert kept.read(DEVICE, paths) is None


def test_a_folder_that_can_not_be_written_costs_only_the_next_measurement(
    paths: tuple[Path, ...], data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_home.write_text("a file, not a folder")
    assert kept.keep(document(ChooseConfig(files=paths), paths), DEVICE, paths) is None
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert kept.keep({}, DEVICE, paths) is None
    assert kept.read(DEVICE, paths) is None


def test_limits_and_data_of_a_kept_choice_hold_for_the_next_measurement(paths: tuple[Path, ...]) -> None:
    config = ChooseConfig(files=paths, budget=Budget(max_latency_ms=5, max_drop=2), data=DatasetSelection("digits", limit=7))
    found = kept.restored(ChooseConfig(files=paths[1:]), document(config, paths), paths)
    assert (found.budget, found.data, set(found.files)) == (config.budget, config.data, set(paths))
    broken = {"circumstances": {"limits": {"unknown": 1}, "data": None}}
    assert kept.restored(config, broken, paths) == config
