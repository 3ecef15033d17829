"""The policy file: what is read, and what is refused by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgecnn.errors import InputError
from edgecnn.shipped import checkpoint
from edgecnn.trust.gate.policy import TABLES, ChangeBudget, Policy, SizeBudget
from edgecnn.trust.gate.policy_file import example, read_policy

DATA = 'data = "scene:cups"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text)
    return path


def test_the_example_has_every_table_and_field(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, example()))
    assert all(getattr(policy, name) for name in TABLES)
    limits = [getattr(table, field) for table in (policy.accuracy, policy.groups, policy.latency) for field in table.__slots__]
    assert None not in limits
    assert policy.sha256 == hashlib.sha256(example().encode()).hexdigest()
    assert policy.drop is not None
    assert policy.drop.reference == str(checkpoint("cups"))


def test_a_small_policy_has_nothing_else(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, "[size]\nmax_mb = 2\n"))
    assert policy.size == SizeBudget(max_mb=2)
    assert not policy.needs_data
    changed = read_policy(written(tmp_path, f'{DATA}[[robustness]]\nchange = "rotate"\nlevel = 15\nmin_percent = 1.0\n'))
    assert changed.robustness == (ChangeBudget(change="rotate", level=15, min_percent=1.0),)
    assert changed.needs_data
    assert not changed.shares_the_run


def test_relative_paths_are_looked_for_beside_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here / "images", elsewhere):
        folder.mkdir(parents=True)
    (here / "fp32.onnx").touch()
    monkeypatch.chdir(elsewhere)
    text = 'data = "images?split=test"\n[drop]\nreference = "fp32.onnx"\nmax_points = 1\n'
    policy = read_policy(written(here, text))
    assert policy.data == f"{here / 'images'}?split=test"
    assert policy.drop is not None
    assert policy.drop.reference == str(here / "fp32.onnx")
    assert read_policy(written(elsewhere, text)).data == "images?split=test"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the policy has no budget, so any file would pass"),
        (DATA, "the policy has no budget"),
        (f"{DATA}[accuracy]\nmetric = 'map'\n", "[accuracy] has no limit; give min_percent or worst_class_min_percent"),
        (f"{DATA}[accuracy]\nmin_procent = 3\n", "accuracy.min_procent is not a known field"),
        (f"{DATA}[accurracy]\nmin_percent = 3\n", "accurracy is not a known field"),
        (f"{DATA}[accuracy]\nmin_percent = 300\n", "accuracy.min_percent is 300, not a finite number from 0 to 100"),
        (f"{DATA}[accuracy]\nmetric = 'mae'\nmin_percent = 3\n", "accuracy.metric is 'mae'"),
        ("[accuracy]\nmin_percent = 3\n", "[accuracy] needs a dataset"),
        (f"{DATA}[[robustness]]\nchange = 'rotat'\nlevel = 3\nmin_percent = 3\n", "robustness[0].change is 'rotat'"),
        (f"{DATA}[[robustness]]\nchange = 'jpeg'\nlevel = 300\nmin_percent = 3\n", "jpeg has no level 300"),
        (f"{DATA}[[robustness]]\nchange = 'turn'\nlevel = 45\nmin_percent = 3\n", "write turn=45 into data"),
        (f"{DATA}[[attack]]\nmethod = 'square'\neps_grey_levels = 4\n", "[attack] has no limit"),
        (f"{DATA}[groups]\nby = 'size:x'\nworst_min_percent = 3\n", "is no whole number"),
        ("[latency]\np99_max_ms = 0\n", "latency.p99_max_ms is 0"),
        ("size = [", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(written(tmp_path, text))
    assert words in str(caught.value)
    assert str(caught.value).startswith("policy.toml")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_policy(tmp_path / "nowhere.toml")


def test_from_python_a_policy_needs_a_budget_too() -> None:
    with pytest.raises(InputError, match="no budget"):
        Policy(data="scene:cups")
