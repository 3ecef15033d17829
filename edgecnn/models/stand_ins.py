"""Objects that stand for those of a pickle whose classes are not loaded, so that code that comes with a file is never run."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from edgecnn.types import Array

NUMERIC = re.compile(r"[fiu][1248]|b1")
PARTS = ("_parameters", "_buffers", "_modules")  # attributes of a pickled torch.nn.Module
MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # of NumPy 1 and 2


class StandIn:
    """Takes the place of an object of any class: keeps the attributes that were stored, and runs none of its code."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.attributes: Mapping[Any, Any] = {}

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """An instance whose ``__init__`` pickle may never call."""
        made = object.__new__(cls)
        made.attributes = {}
        return made

    def __setstate__(self, state: Any) -> None:
        """Called in unpickling with whatever the object's class stored."""
        if isinstance(state, tuple) and len(state) == 2:  # attributes, and values of slots
            state = state[0] or state[1]
        self.attributes = state if isinstance(state, Mapping) else {}

    @property
    def is_module(self) -> bool:
        """Whether the object was a ``torch.nn.Module``."""
        return all(isinstance(self.attributes.get(part), Mapping) for part in PARTS)

    def children(self) -> Iterator[tuple[str, Any]]:
        """Name and value of what a module's state dict holds, or of the attributes of another object."""
        hidden = self.attributes.get("_non_persistent_buffers_set")
        for group in [self.attributes[part] for part in PARTS] if self.is_module else [self.attributes]:
            for name, value in group.items():
                if not (self.is_module and isinstance(hidden, set) and name in hidden):
                    yield str(name), value


class StandInDict(StandIn):
    """Takes the place of an object of a class that is a dictionary: what the file stores in it comes as a dictionary."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """The dictionary, because the unpickler sets items only in dictionaries."""
        return OrderedDict()


class NumpyType(StandIn):
    """A ``numpy.dtype``, kept as its text; NumPy's own unpickling trusts what it is given."""

    def __new__(cls, code: Any = "", *_: Any) -> Any:
        """Called with a code such as "f4"."""
        made = object.__new__(cls)
        made.code, made.order = str(code), "="
        return made

    def __init__(self, *_: Any) -> None:
        self.code: str
        self.order: str

    def __setstate__(self, state: Any) -> None:
        """Called with the version, the byte order and more."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in (">", "<"):
            self.order = state[1]


class NumpyArray(StandIn):
    """A ``numpy.ndarray``, kept as shape, type and bytes until ``array`` has checked them."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        """Called with version, shape, type, Fortran order and the bytes."""
        self.state = state if isinstance(state, tuple) else ()

    def array(self) -> Array | None:
        """The numbers; None where they are none, or shape and bytes do not match."""
        match self.state:
            case (_, tuple(shape), NumpyType() as kind, fortran, bytes(data)) if NUMERIC.fullmatch(kind.code):
                dtype = np.dtype(f"{kind.order}{kind.code}")
            case _:
                return None
        if not all(isinstance(size, int) and size >= 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(data):
            return None
        found = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
        return np.array(found, dtype.newbyteorder("="), order="C")


def stand_ins(names: Iterable[str], other: type[StandIn]) -> list[tuple[Callable[..., Any], str]]:
    """For each global ``name`` of a pickle the class that stands for it: those for NumPy, ``other`` for all else."""
    known: dict[str, type[StandIn]] = {f"{module}._reconstruct": NumpyArray for module in MODULES}
    known |= {"numpy.ndarray": NumpyArray, "numpy.dtype": NumpyType}
    known |= {f"{module}.scalar": StandIn for module in MODULES}
    return [(known.get(name) or type(name.rpartition(".")[2], (other,), {}), name) for name in sorted(names)]
