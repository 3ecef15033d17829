"""The folders are the packages: mapping, links and package list agree, and every module can be found where it says."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The scripts behind the figures belong to the repository: a checkout runs them, a wheel does not carry them.
NOT_SHIPPED = {"edgecnn.benchmarks.figures"}
LINKED = ("benchmarks", "devices", "export", "runtime")
tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")


@pytest.fixture(scope="module")
def setuptools_table() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


@pytest.mark.parametrize("name", LINKED)
def test_link_points_to_the_folder_beside(name: str) -> None:
    link = ROOT / "edgecnn" / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{name}"


def test_links_are_links_in_git() -> None:
    listed = subprocess.run(["git", "ls-files", "-s", "edgecnn"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    links = {line.split("\t")[1] for line in listed.splitlines() if line.startswith("120000")}
    assert links == {f"edgecnn/{name}" for name in LINKED}


def test_mapping_names_every_linked_folder(setuptools_table: dict[str, object]) -> None:
    assert setuptools_table["package-dir"] == {"edgecnn": "edgecnn", **{f"edgecnn.{name}": name for name in LINKED}}


def test_package_list_is_complete(setuptools_table: dict[str, object]) -> None:
    own = {p.parent for p in (ROOT / "edgecnn").rglob("__init__.py")}
    beside = {p.parent for name in LINKED for p in (ROOT / name).rglob("__init__.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in own}
    packages |= {".".join(("edgecnn", *folder.relative_to(ROOT).parts)) for folder in beside}
    assert set(setuptools_table["packages"]) == packages - NOT_SHIPPED


def test_figures_and_results_do_not_ship(setuptools_table: dict[str, list[str]]) -> None:
    folders = [package.replace("edgecnn.benchmarks", "benchmarks").split(".") for package in setuptools_table["packages"]]
    assert not [parts for parts in folders if {"figures", "results"} & set(parts)]
    assert not [parts for parts in folders if parts[0] == "benchmarks" and len(parts) > 1 and not ROOT.joinpath(*parts).is_dir()]


def test_modules_import_from_the_folder_they_stand_in() -> None:
    for name in LINKED:
        module = importlib.import_module(f"edgecnn.{name}")
        assert Path(str(module.__file__)).resolve() == ROOT / name / "__init__.py"


def test_no_module_has_the_name_of_a_library_it_could_wrap() -> None:
    taken = {
        "onnx",
        "onnxruntime",
        "openvino",
        "torch",
        "tflite",
        "numpy",
        "cv2",
        "click",
        "nncf",
        "json",
        "types_",
        "litert_torch",
    }
    ours = {path.stem for folder in ("edgecnn", *LINKED) for path in (ROOT / folder).rglob("*.py")}
    assert not taken & ours


def test_siblings_are_not_importable_by_their_bare_name(tmp_path: Path) -> None:
    code = "import importlib.util as u; print([n for n in ('runtime', 'export', 'devices', 'benchmarks') if u.find_spec(n)])"
    found = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_every_pattern_of_package_data_finds_files(setuptools_table: dict[str, dict[str, list[str]]]) -> None:
    empty = [
        f"{package}: {pattern}"
        for package, patterns in setuptools_table["package-data"].items()
        for pattern in patterns
        if not any(ROOT.joinpath(*package.split(".")).glob(pattern)) and package != "edgecnn.devices.boards"  # no board yet
    ]
    assert empty == []
