from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import edgecnn
from edgecnn.devices import environment
from edgecnn.devices.environment import commit, frequencies, os_name, temperature

Tree = Callable[[Mapping[str, str]], Path]


def test_the_environment_names_what_is_installed_here() -> None:
    found = environment()
    assert found.edgecnn == edgecnn.__version__
    assert {"numpy", "onnxruntime"} <= set(found.packages)
    assert found.affinity_cpus >= 1


def test_readings_of_a_board(tree: Tree) -> None:
    root = tree(
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2400000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/class/thermal/thermal_zone0/temp": "48312\n",
            "sys/class/thermal/thermal_zone1/temp": "61000\n",
            "etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        }
    )
    assert frequencies(root) == (1500, 2400)
    assert temperature(root) == 61.0
    assert os_name(root) == "Debian GNU/Linux 12 (bookworm)"
    assert environment(root).cpu_governor == "ondemand"


def test_what_is_hidden_is_none(tmp_path: Path) -> None:
    assert frequencies(tmp_path) is None
    assert temperature(tmp_path) is None


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""


def test_changed_files_show_in_the_commit(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=tmp_path, check=True, capture_output=True
        )

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    clean = commit(tmp_path)
    assert len(clean) == 12
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == f"{clean}+changes"
