"""What the emulated processor says of itself, and the comparison of outputs; the emulator itself where its root was made (make arm64)."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.devices.probe import cpu_info, cpu_name, features
from edgecnn.devices.topology import clusters
from edgecnn.errors import InputError
from tests.arm64 import root, run
from tests.arm64.differences import difference
from tests.arm64.emulator import Emulator
from tests.arm64.processors import PROCESSORS

BUILD = root.REPOSITORY / "build/arm64"


@pytest.mark.parametrize(
    ("name", "said", "known"),
    [
        ("cortex-a53", "Cortex-A53", ("neon",)),
        ("cortex-a72", "Cortex-A72", ("neon",)),
        ("cortex-a76", "Cortex-A76", ("neon", "fp16", "dotprod")),
    ],
)
def test_the_probe_reads_the_emulated_processor(tmp_path: Path, name: str, said: str, known: tuple[str, ...]) -> None:
    processor = PROCESSORS[name]
    processor.write_sys(tmp_path)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(processor.cpuinfo())
    info = cpu_info(tmp_path)
    assert cpu_name(info) == said
    assert set(features(info)) == set(known)
    assert [(each.cpu, each.cores, each.cpus) for each in clusters(tmp_path)] == [(said, 2, "0-1")]


def test_differences_are_shares_of_the_range_and_of_equal_bits() -> None:
    first = [np.float32([[0, 1, 2, 4]]), np.float32([[0, 0]])]
    second = [np.float32([[0, 1, 2, 3]]), np.float32([[0, 0]])]
    found = difference(["a", "b"], first, second, None)
    assert dataclasses.astuple(found) == (1, 0.25, 0.0625, 5 / 6, None)


def test_equal_outputs_do_not_differ() -> None:
    outputs = [np.arange(6, dtype=np.float32).reshape(2, 3)]
    assert dataclasses.astuple(difference(["a"], outputs, outputs, None)) == (2, 0.0, 0.0, 1.0, None)


def test_a_machine_that_can_not_start_arm64_programs_is_named(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "root", tmp_path / "qemu-aarch64-static")
    with pytest.raises(InputError, match="arm64 programs can't be started here"):
        emulator.check()


def test_the_campaign_is_skipped_in_one_line_where_there_is_no_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tools))
    done = CliRunner().invoke(run.command, ["--short", "--or-skip", "--folder", str(tmp_path / "made")])
    said = "the Debian arm64 root can't be made: apt-get is not installed here; run it on Debian with a network"
    assert (done.exit_code, done.stdout) == (0, f"arm64: skipped, {said}\n")


@pytest.mark.slow
@pytest.mark.skipif(not (BUILD / "packages").exists(), reason="make arm64 makes the root")
def test_an_emulated_cortex_a72_has_what_qemu_reports() -> None:
    """AT_HWCAP of the emulator against the features that /proc/cpuinfo is given (arch/arm64/include/uapi/asm/hwcap.h)."""
    names = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp"
    flags = dict(enumerate(names.split(" ")))
    code = "import ctypes; c = ctypes.CDLL(None); c.getauxval.restype = ctypes.c_ulong; print(c.getauxval(16))"
    for processor in PROCESSORS.values():
        emulator = Emulator(BUILD / "root", BUILD / "qemu-aarch64-static", processor)
        bits = int(emulator.run(["/usr/bin/python3", "-c", code]).stdout)
        assert {name for bit, name in flags.items() if bits >> bit & 1} == set(processor.features)
