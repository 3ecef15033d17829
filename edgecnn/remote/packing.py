"""Makes wheels of what is installed here: of edgecnn itself, and of other packages for a board like this machine (PEP 427)."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import edgecnn
from edgecnn.errors import InputError

# What only trains, or belongs to the repository; a board gets the shipped models as ONNX files.
LEFT_OUT_FOLDERS = {"__pycache__", "figures", "results", ".mypy_cache"}
LEFT_OUT_SUFFIXES = {".pyc", ".safetensors", ".sh", ".md"}


def own_requirements(extras: tuple[str, ...] = ()) -> list[Requirement]:
    """What edgecnn needs at run time with ``extras``, with markers. Raises ``InputError`` where that is not known here."""
    base, optional = _declared()
    found, todo = list(base), list(extras)
    while todo:
        for requirement in optional[todo.pop()]:
            if canonicalize_name(requirement.name) == "edgecnn":
                todo += requirement.extras
            else:
                found.append(requirement)
    return found


@lru_cache(maxsize=1)
def own_wheel() -> tuple[str, bytes]:
    """Name and content of a wheel of the edgecnn that runs here; the same bytes for the same code."""
    package = Path(str(edgecnn.__file__)).parent
    files = {f"edgecnn/{name}": path.read_bytes() for name, path in sorted(_package_files(package))}
    version = edgecnn.__version__
    metadata = [f"Metadata-Version: 2.1\nName: edgecnn\nVersion: {version}\nRequires-Python: >=3.10\n"]
    metadata += [f"Requires-Dist: {requirement}\n" for requirement in own_requirements()]
    info = f"edgecnn-{version}.dist-info"
    files[f"{info}/METADATA"] = "".join(metadata).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: edgecnn\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nedgecnn = edgecnn.cli:main\n"
    return f"edgecnn-{version}-py3-none-any.whl", packed(files, info)


def installed_wheel(name: str) -> tuple[str, bytes]:
    """Name and content of a wheel made of the package ``name`` as it is installed here.

    Raises ``InputError`` where it is not installed, or not from a wheel.
    """
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"{name} is not installed here", "install it, or leave --from-installed out to download") from None
    tags = [line.partition(":")[2].strip() for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")]
    files = {str(each): Path(str(each.locate())) for each in found.files or ()}
    info = next((name.partition("/")[0] for name in files if name.endswith(".dist-info/METADATA") and name.count("/") == 1), "")
    if not tags or not info:
        raise InputError(f"{name} was not installed from a wheel", "leave --from-installed out to download it")
    left_out = {f"{info}/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")}
    # scripts of the environment lie outside; they are not needed to import a package
    content = {
        name: path.read_bytes()
        for name, path in files.items()
        if not name.startswith("..") and not name.endswith(".pyc") and name not in left_out and path.is_file()
    }
    interpreter, abi = tags[0].split("-")[:2]
    platforms = ".".join(sorted({tag.split("-")[2] for tag in tags}))
    interpreters = ".".join(sorted({tag.split("-")[0] for tag in tags})) or interpreter
    stem = info.removesuffix(".dist-info")
    return f"{stem}-{interpreters}-{abi}-{platforms}.whl", packed(content, info)


def packed(files: Mapping[str, bytes], info: str) -> bytes:
    """A wheel of ``files`` with its RECORD; times are those of 1980, so that the same files give the same bytes."""
    rows = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    record = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**files, f"{info}/RECORD": record}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


def _package_files(package: Path) -> Iterator[tuple[str, Path]]:
    # in a checkout some folders are links to those beside
    for folder, folders, names in os.walk(package, followlinks=True):
        folders[:] = sorted(set(folders) - LEFT_OUT_FOLDERS)
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix not in LEFT_OUT_SUFFIXES:
                yield path.relative_to(package).as_posix(), path


def _declared() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """Requirements and those of each extra: of the checkout that runs, else of the installed package."""
    project = Path(str(edgecnn.__file__)).parents[1] / "pyproject.toml"
    if project.is_file():
        table: Any = _toml(project)["project"]
        return [*map(Requirement, table["dependencies"])], {
            name: [*map(Requirement, lines)] for name, lines in table["optional-dependencies"].items()
        }
    try:
        lines = importlib.metadata.requires("edgecnn") or []
        extras = importlib.metadata.metadata("edgecnn").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            "edgecnn is not installed as a package, so its requirements are unknown", "install it with pip"
        ) from None
    every = [*map(Requirement, lines)]
    named = [(each, re.search(r"extra == ['\"]([^'\"]+)['\"]", str(each.marker or ""))) for each in every]
    optional = {
        extra: [
            _without_extra(each) for each, found in named if found and canonicalize_name(found[1]) == canonicalize_name(extra)
        ]
        for extra in extras
    }
    return [each for each, found in named if not found], optional


def _without_extra(requirement: Requirement) -> Requirement:
    """The requirement without the condition of its extra; other conditions, such as that of the Python version, stay."""
    text = re.sub(r"(\s*and\s*)?extra == ['\"][^'\"]+['\"](\s*and\s*)?", "", str(requirement.marker))
    bare = str(requirement).partition(";")[0]
    return Requirement(f"{bare}; {text}" if text.strip() else bare)


def _toml(path: Path) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
