"""The Debian arm64 root with edgecnn's wheel and engines, made by one call and kept for the next."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.remote.board_platform import BoardPlatform
from edgecnn.remote.packing import own_wheel
from edgecnn.remote.wheelhouse import download
from tests.arm64.emulator import Emulator
from tests.arm64.processors import Processor

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PLATFORM = BoardPlatform("aarch64", (3, 11), "glibc", (2, 36))  # Debian 12
SITE = "usr/local/lib/python3.11/dist-packages"
OLD_ENGINE = "opt/tflite-runtime"
TEST_TOOLS = ("pytest", "hypothesis")
OLD_PACKAGES = ("tflite-runtime==2.14.0", "numpy<2")  # the last release, built against NumPy 1


def make(folder: Path, processor: Processor, told: Callable[[str], None]) -> Emulator:
    """The emulator of a root in ``folder`` with the edgecnn of this checkout.

    Raises ``InputError`` where Debian's packages can't be had or arm64 programs can't be started.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    told("Debian arm64 root")
    done = subprocess.run(["bash", str(HERE / "debian.sh"), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stdout.strip() or done.stderr.strip() or "no message").splitlines()[-1]
        raise InputError(f"the Debian arm64 root can't be made: {last}", "run it on Debian with a network")
    emulator = Emulator(folder / "root", folder / "qemu-aarch64-static", processor)
    emulator.check()
    site = emulator.root / SITE
    if not (folder / "packages").exists():
        told("packages for aarch64")
        versions = REPOSITORY / "constraints.txt"
        engines = download(PLATFORM, ("tflite",), folder / "wheels", versions, told)
        tools = _download(TEST_TOOLS, folder / "wheels-of-tests", "-c", str(versions))
        _unpack([*(wheel.path for wheel in engines), *tools], site)
        (folder / "packages").touch()
    shutil.rmtree(site / "edgecnn", ignore_errors=True)
    with zipfile.ZipFile(BytesIO(own_wheel()[1])) as wheel:
        wheel.extractall(site)
    shutil.copy(HERE / "guest.py", emulator.root / "srv")
    return emulator


def add_tflite_runtime(emulator: Emulator) -> None:
    """Install tflite-runtime with its NumPy in a folder of its own."""
    target = emulator.root / OLD_ENGINE
    if not target.exists():
        _unpack(_download(OLD_PACKAGES, emulator.root.parent / "wheels-of-tflite-runtime"), target)


def copy_tests(emulator: Emulator) -> None:
    """Copy the tests of this checkout to /srv/tests of the root."""
    target = emulator.root / "srv/tests"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(REPOSITORY / "tests", target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", emulator.root / "srv")


def _download(packages: Sequence[str], folder: Path, *options: str) -> list[Path]:
    """Wheels for the root with what they need, by pip of this machine and its own configuration."""
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--dest",
        str(folder),
        "--only-binary=:all:",
        "--implementation",
        "cp",
    ]
    words += ["--python-version", "3.11", "--disable-pip-version-check"]
    words += [word for name in PLATFORM.platforms for word in ("--platform", name)]
    done = subprocess.run([*words, *options, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][-1:] or ["no message"]
        raise InputError(f"packages for aarch64 can't be had: {last[0]}", "try again with a network")
    return sorted(folder.glob("*.whl"))


def _unpack(wheels: Iterable[Path], target: Path) -> None:
    """Install wheels by unpacking them; none of these has files outside of its packages."""
    target.mkdir(parents=True, exist_ok=True)
    for path in wheels:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(target)
