"""The TOML file of a sweep: its fields, and what they must be.

For example::

    models = ["cups", "runs/net/model.safetensors", "net-int8.tflite"]   # checkpoints and shipped names are exported first
    formats = ["onnx", "openvino"]                                       # of exported files
    precisions = ["fp32", "int8"]
    calibration = "scene:cups?seed=11&every=40"
    threads = [1, 2]
    hosts = ["local", "pi@board"]
    protocol = "quick"
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edgecnn.benchmarks.measure.protocol import CLOCKS, Clock
from edgecnn.card import Precision
from edgecnn.errors import InputError
from edgecnn.export.config import FORMATS
from edgecnn.remote.address import parse_address
from edgecnn.runtime.backends import SUFFIXES
from edgecnn.runtime.backends.engines import parse_engine
from edgecnn.schema import SchemaError, either, integer, items, one_of, record, text
from edgecnn.shipped import names
from edgecnn.text_files import decode_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCAL = "local"
MOST = 64  # entries of one axis
MOST_CELLS = 10_000
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_side = integer(8, 8192)
_schema = record(
    {"models": items(text(1), least=1, most=MOST)},
    {
        "formats": items(one_of(*FORMATS, "torch"), least=1, most=MOST),
        "precisions": items(one_of(*PRECISIONS), least=1, most=MOST),
        "sizes": items(either(_side, items(_side, least=2, most=2)), least=1, most=MOST),
        "threads": items(integer(1, 1024), least=1, most=MOST),
        "engines": items(text(1), least=1, most=MOST),
        "hosts": items(text(1), least=1, most=MOST),
        "clocks": items(one_of(*CLOCKS), least=1, most=len(CLOCKS)),
        "protocol": one_of("quick", "full"),
        "calibration": text(1),
        "data": text(1),
        "limit": integer(1, 1 << 31),
        "out": text(1),
        "wheelhouse": text(1),
        "remote_dir": text(1),
        "remote_python": text(1),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """A sweep: the values of each axis, and how every cell is measured.

    ``sizes``: (height, width) of exported inputs, None: that of the model; ``threads``: None: all processors; ``engines``: None: that
    of the format. ``out``: the folder of cells, exported files and tables. ``wheelhouse``, ``remote_dir``, ``remote_python``: for the
    hosts, as the options of `edgecnn benchmark --host`.
    """

    models: tuple[str, ...]
    out: Path
    formats: tuple[str, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32",)
    sizes: tuple[tuple[int, int] | None, ...] = (None,)
    threads: tuple[int | None, ...] = (None,)
    engines: tuple[str | None, ...] = (None,)
    hosts: tuple[str, ...] = (LOCAL,)
    clocks: tuple[Clock, ...] = ("model", "task")
    protocol: str = "quick"
    calibration: str = ""
    data: str = ""
    limit: int | None = None
    wheelhouse: Path | None = None
    remote_dir: str = ""
    remote_python: str = ""

    def __post_init__(self) -> None:
        exported = [model for model in self.models if is_exported(model)]
        if exported and "int8" in self.precisions and not self.calibration:
            raise InputError("precisions has int8, which needs calibration images", 'add calibration = "ADDRESS"')
        for host in self.hosts:
            if host != LOCAL:
                parse_address(host)
        for engine in filter(None, self.engines):
            parse_engine(engine)
        for name in ("models", "formats", "precisions", "sizes", "threads", "engines", "hosts"):
            values = getattr(self, name)
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise InputError(f"{name} has {twice} twice", "remove one of them")


def is_exported(model: str) -> bool:
    """Whether a model of the sweep is exported first: a checkpoint or a shipped name."""
    suffix = Path(model).suffix.lower()
    return suffix not in SUFFIXES or suffix == ".safetensors"


def read_sweep(path: Path, out: Path | None = None) -> SweepConfig:
    """The sweep of a TOML file; its paths are relative to the file. ``out`` replaces its own.

    Raises ``InputError``, with the field, for a file that can't be read, unknown fields, wrong values and models that do not exist.
    """
    try:
        table: dict[str, Any] = _schema(tomllib.loads(decode_text(path.read_bytes())), "")
        table["models"] = tuple(_model(path.parent, name) for name in table["models"])
        table["out"] = out or path.parent / table.get("out", f"{path.stem}-sweep")
        if "wheelhouse" in table:
            table["wheelhouse"] = path.parent / table["wheelhouse"]
        if "sizes" in table:
            table["sizes"] = tuple(size if isinstance(size, tuple) else (size, size) for size in table["sizes"])
        return SweepConfig(**table)
    except OSError as error:
        raise InputError(f"{path} can't be read: {(error.strerror or str(error)).lower()}", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise InputError(f"{path.name} is not valid TOML: {error}", "correct the file") from error
    except SchemaError as error:
        raise InputError(f"{path.name}: {error}", "correct the file") from error
    except InputError as error:
        raise InputError(f"{path.name}: {error.problem}", error.fix) from error


def _model(folder: Path, name: str) -> str:
    """A shipped name as it is, a path relative to the folder of the TOML file."""
    if name in names() and not (folder / name).exists():
        return name
    path = folder / name
    if not path.is_file():
        raise InputError(f"the model {name} does not exist", f"name a model file, a checkpoint or one of {', '.join(names())}")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"the model {name} is no file of a supported format", f"use one of {', '.join(SUFFIXES)}")
    return str(path)
