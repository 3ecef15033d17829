from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices import DeviceProfile, probe
from edgecnn.devices.probe import cpu_info, cpu_name, features, of_program

Tree = Callable[[Mapping[str, str]], Path]
PI5 = (
    "processor\t: 0\nFeatures\t: fp asimd crc32 asimdhp asimddp\nCPU part\t: 0xd0b\n\n"
    "processor\t: 1\nFeatures\t: fp asimd crc32 asimdhp asimddp\nCPU part\t: 0xd0b\n"
)
BIG_LITTLE = "processor\t: 0\nFeatures\t: asimd\nCPU part\t: 0xd05\n\nprocessor\t: 1\nCPU part\t: 0xd41\n"
N100 = "cpu family\t: 6\nmodel\t\t: 190\nmodel name\t: Intel(R) N100\nflags\t: fpu sse4_2 avx avx2 f16c fma avx_vnni\n"
CLOUD = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t: fpu hypervisor avx2 avx512f avx512_vnni\n"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        pytest.param(PI5, "Cortex-A76", ("neon", "fp16", "dotprod"), id="raspberry-pi-5"),
        pytest.param(BIG_LITTLE, "Cortex-A55 + Cortex-A78", ("neon",), id="two-kinds-of-cores"),
        pytest.param(N100, "Intel N100", ("sse4.2", "avx", "f16c", "fma", "avx2", "avx-vnni"), id="intel-n100"),
        pytest.param(CLOUD, "AMD EPYC (family 25 model 17)", ("avx2", "avx512f", "avx512-vnni"), id="brand-name-only"),
    ],
)
def test_processor_and_features_are_reported_by_their_common_names(
    tree: Tree, text: str, name: str, expected: tuple[str, ...]
) -> None:
    info = cpu_info(tree({"proc/cpuinfo": text}))
    assert cpu_name(info) == name
    assert features(info) == expected


def test_a_board_is_named_by_its_device_tree(tree: Tree) -> None:
    root = tree(
        {"proc/cpuinfo": PI5, "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0", "proc/meminfo": "MemTotal: 2048 kB"}
    )
    profile = probe(root)
    assert profile.name == "Raspberry Pi 5 Model B Rev 1.0"
    assert profile.memory_mib == 2
    assert profile.int8_path == "dotprod"
    assert profile.slug.startswith("raspberry-pi-5-model-b-rev-1-0-")


def test_a_machine_that_hides_everything_still_has_a_profile(tmp_path: Path) -> None:
    profile = probe(tmp_path)
    assert profile.name
    assert profile.usable_cpus >= 1
    assert profile.int8_path == "none"


def test_this_machine_has_the_base_format_and_a_usable_thread() -> None:
    profile = probe()
    assert "onnx" in profile.formats
    assert 1 <= profile.usable_cpus <= profile.cores


def test_a_virtual_machine_is_recognised(tree: Tree) -> None:
    assert probe(tree({"proc/cpuinfo": CLOUD})).virtual


def test_an_emulated_arm_program_does_not_have_the_features_of_the_x86_machine(tree: Tree) -> None:
    info = of_program(cpu_info(tree({"proc/cpuinfo": CLOUD})), "aarch64")
    assert (cpu_name(info), features(info)) == ("aarch64 emulated on AMD EPYC (family 25 model 17)", ())
    board = cpu_info(tree({"proc/cpuinfo": PI5}))
    assert of_program(board, "aarch64") == board


def test_a_profile_without_cores_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one core and one usable processor"):
        DeviceProfile("x", "x86_64", "x", 0, 1)


def test_best_int8_path_wins() -> None:
    assert DeviceProfile("x", "x", "x", 1, 1, ("dotprod", "i8mm")).int8_path == "i8mm"
