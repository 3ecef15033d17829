from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import edgecnn
from edgecnn.errors import InputError
from edgecnn.remote.agent_archive import agent_archive
from edgecnn.remote.packing import _without_extra, installed_wheel, own_requirements, own_wheel


def test_own_wheel_has_every_module_of_the_runtime_and_no_training_weights() -> None:
    name, data = own_wheel()
    assert name == f"edgecnn-{edgecnn.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    for needed in (
        "edgecnn/cli/run.py",
        "edgecnn/runtime/view/app.js",
        "edgecnn/devices/probe.py",
        "edgecnn/models/weights/cups.onnx",
    ):
        assert needed in names
    assert not [each for each in names if each.endswith((".safetensors", ".pyc")) or "/figures/" in each or "/results/" in each]


def test_requirements_with_extras_of_extras() -> None:
    names = {each.name for each in own_requirements(("live",))}
    assert {"numpy", "onnxruntime", "starlette", "av"} <= names
    assert "torch" not in names
    assert str(_without_extra(Requirement('a>=1; python_version < "3.11" and extra == "x"'))) == 'a>=1; python_version < "3.11"'
    assert str(_without_extra(Requirement('a>=1; extra == "x"'))) == "a>=1"


def test_an_installed_package_becomes_a_wheel_again() -> None:
    name, data = installed_wheel("click")
    files = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert name.startswith("click-")
    assert name.endswith("-py3-none-any.whl")
    assert "click/core.py" in files
    assert not [each for each in files if each.endswith(".pyc")]


def test_what_is_not_installed_is_told() -> None:
    with pytest.raises(InputError, match="no-such-package is not installed here; install it, or leave --from-installed out"):
        installed_wheel("no-such-package")


def test_the_agent_needs_the_standard_library_only() -> None:
    with zipfile.ZipFile(io.BytesIO(agent_archive())) as packed:
        assert packed.read("edgecnn/__init__.py") == b""
        texts = {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".py")}
    imported = {
        line.split()[1].partition(".")[0]
        for text in texts.values()
        for line in text.splitlines()
        if line.strip().startswith(("import ", "from ")) and " import " in f" {line}"
    }
    assert imported - {"edgecnn"} <= set(sys.stdlib_module_names)
    own = {line.split()[1] for text in texts.values() for line in text.splitlines() if line.startswith("from edgecnn")}
    assert all(f"{each.replace('.', '/')}.py" in texts or f"{each.replace('.', '/')}/__init__.py" in texts for each in own)
    assert len(agent_archive()) < 40_000
    assert Path(edgecnn.__file__).exists()
