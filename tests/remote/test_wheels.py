from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.tags import parse_tag

from edgecnn.errors import InputError
from edgecnn.remote.board_platform import BoardPlatform, parse_platform
from edgecnn.remote.packing import packed
from edgecnn.remote.wheelhouse import download
from edgecnn.remote.wheels import choose, digest, read_wheelhouse

PI = BoardPlatform("aarch64", (3, 11), "glibc", (2, 36))


def wheel(folder: Path, name: str, *needs: str) -> None:
    project, version = name.split("-")[:2]
    info = f"{project}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n" + "".join(f"Requires-Dist: {need}\n" for need in needs)
    (folder / f"{name}.whl").write_bytes(packed({f"{info}/METADATA": text.encode()}, info))


def chosen(folder: Path, *requirements: str, platform: BoardPlatform = PI) -> list[str]:
    return [
        each.path.name for each in choose(map(Requirement, requirements), read_wheelhouse(folder), platform, "the wheelhouse")
    ]


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp311-cp311-manylinux_2_28_aarch64", True),
        ("cp311-cp311-manylinux2014_aarch64", True),
        ("cp37-abi3-manylinux_2_17_aarch64", True),
        ("py3-none-any", True),
        ("cp311-cp311-linux_aarch64", True),
        ("cp311-cp311-manylinux_2_39_aarch64", False),
        ("cp312-cp312-manylinux_2_28_aarch64", False),
        ("cp311-cp311-manylinux_2_28_x86_64", False),
        ("cp311-cp311-musllinux_1_2_aarch64", False),
        ("cp311-cp311-win_arm64", False),
    ],
)
def test_what_fits_a_board(tag: str, fits: bool) -> None:
    assert bool(parse_tag(tag) & PI.tags.keys()) is fits


def test_musl_and_old_names() -> None:
    alpine = BoardPlatform("aarch64", (3, 12), "musl", (1, 2))
    assert parse_tag("cp312-cp312-musllinux_1_1_aarch64") & alpine.tags.keys()
    assert not parse_tag("cp312-cp312-manylinux_2_17_aarch64") & alpine.tags.keys()
    assert parse_tag("cp310-cp310-manylinux1_x86_64") & BoardPlatform("x86_64", (3, 10)).tags.keys()


def test_the_newest_that_fits_with_all_that_it_needs(tmp_path: Path) -> None:
    wheel(
        tmp_path, "engine-1.0-cp311-cp311-manylinux_2_28_aarch64", "math>=2", 'old; python_version < "3.11"', 'more; extra == "x"'
    )
    wheel(tmp_path, "engine-2.0-cp311-cp311-manylinux_2_28_x86_64", "math>=2")
    wheel(tmp_path, "math-2.1-py3-none-any")
    wheel(tmp_path, "math-3.0-py3-none-any")
    wheel(tmp_path, "unused-1.0-py3-none-any")
    assert chosen(tmp_path, "engine") == ["engine-1.0-cp311-cp311-manylinux_2_28_aarch64.whl", "math-3.0-py3-none-any.whl"]


def test_extras_are_followed(tmp_path: Path) -> None:
    wheel(tmp_path, "engine-1.0-py3-none-any", 'more; extra == "x"')
    wheel(tmp_path, "more-1.0-py3-none-any")
    assert chosen(tmp_path, "engine[x]") == ["engine-1.0-py3-none-any.whl", "more-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (
            "engine",
            "the wheelhouse has engine for cp311 on manylinux_2_28_x86_64 only, the board is aarch64, Python 3.11, glibc 2.36",
        ),
        ("engine>=2", "the wheelhouse lacks engine>=2 (1.0 is there), which edgecnn needs"),
        ("other", "the wheelhouse lacks other, which edgecnn needs"),
        ("asks", "the wheelhouse lacks absent>1, which asks needs"),
    ],
)
def test_what_is_missing_is_named(needed: str, said: str, tmp_path: Path) -> None:
    wheel(tmp_path, "engine-1.0-cp311-cp311-manylinux_2_28_x86_64")
    wheel(tmp_path, "asks-1.0-py3-none-any", "absent>1")
    with pytest.raises(InputError) as raised:
        chosen(tmp_path, needed)
    assert raised.value.problem == said


def test_the_digest_changes_with_wheels_and_python(tmp_path: Path) -> None:
    wheel(tmp_path, "one-1.0-py3-none-any")
    wheels = read_wheelhouse(tmp_path)
    assert digest(wheels, PI, "/usr/bin/python3") != digest(wheels, PI, "/opt/python3")
    assert digest(wheels, PI, "/usr/bin/python3") != digest([], PI, "/usr/bin/python3")


def test_a_folder_without_wheels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no wheels; make one with edgecnn wheelhouse"):
        read_wheelhouse(tmp_path)
    (tmp_path / "engine.whl").write_bytes(b"")
    with pytest.raises(InputError, match=r"engine\.whl is not the name of a wheel"):
        read_wheelhouse(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        read_wheelhouse(tmp_path / "absent")


def test_platforms_by_name() -> None:
    assert parse_platform("aarch64-3.11-glibc2.36") == PI
    assert parse_platform("x86_64-3.10").libc_version == (2, 28)
    assert str(parse_platform("aarch64-3.12-musl1.2")) == "aarch64, Python 3.12, musl 1.2"
    for text in ("", "aarch64", "aarch64-3", "aarch64-3.11-uclibc1.0", "aarch64-x.y"):
        with pytest.raises(InputError, match="is not a platform; write it like aarch64-3"):
            parse_platform(text)


def test_a_wheel_has_a_record_of_its_files() -> None:
    import io

    data = packed({"a.py": b"x", "a-1.dist-info/METADATA": b""}, "a-1.dist-info")
    assert data == packed({"a.py": b"x", "a-1.dist-info/METADATA": b""}, "a-1.dist-info")
    record = zipfile.ZipFile(io.BytesIO(data)).read("a-1.dist-info/RECORD").decode().splitlines()
    assert record[0] == "a.py,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1"
    assert record[-1] == "a-1.dist-info/RECORD,,"


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ("aarch64-3.12-musl1.2", "use Debian, Ubuntu or a container of them instead of Alpine"),
        ("armv7l-3.11-glibc2.36", "install a 64-bit system on the board"),
        ("aarch64-3.9-glibc2.36", "try other versions with --constraint"),
    ],
)
def test_a_system_for_which_no_engine_has_wheels_is_told(
    platform: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an index that has nothing, in a process that has imported distutils, as PyTorch's compiler does."""
    monkeypatch.setitem(sys.modules, "distutils", ModuleType("distutils"))
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(InputError, match="no wheels for ") as error:
        download(parse_platform(platform), (), tmp_path, told=lambda _: None)
    assert words in error.value.fix
