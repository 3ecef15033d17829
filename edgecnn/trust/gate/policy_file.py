"""Reads the TOML file of a policy; misspelt and wrong fields are named."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from importlib import resources
from pathlib import Path
from typing import Any, Final

from edgecnn.data.address import expanded, parse_address
from edgecnn.errors import InputError
from edgecnn.metrics.score import IN_UNITS, TITLES
from edgecnn.schema import Check, SchemaError, flag, integer, items, number, one_of, record, text
from edgecnn.shipped import checkpoint, names
from edgecnn.text_files import decode_text
from edgecnn.trust.attribution.methods import AUTO, METHODS
from edgecnn.trust.gate.policy import (
    AccuracyBudget,
    AttackBudget,
    CalibrationBudget,
    ChangeBudget,
    DropBudget,
    EvidenceBudget,
    GroupBudget,
    LatencyBudget,
    MemoryBudget,
    Policy,
    SizeBudget,
)
from edgecnn.trust.invariance.catalogue import TRANSFORMATIONS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST: Final = 64  # budgets of one kind
_METRICS = tuple(name for name in TITLES if name not in IN_UNITS and not name.endswith(("_low", "_high")))
_PERCENT, _POINTS, _IMAGES, _POSITIVE = number(0, 100), number(0, 100), integer(1, 1 << 31), number(1e-9, 1e9)
_TABLES: Final[dict[str, tuple[Any, Check]]] = {
    "accuracy": (
        AccuracyBudget,
        record({}, {"metric": one_of(*_METRICS), "min_percent": _PERCENT, "worst_class_min_percent": _PERCENT}),
    ),
    "groups": (GroupBudget, record({"by": text(1)}, {"worst_min_percent": _PERCENT, "gap_max_points": _POINTS})),
    "calibration": (CalibrationBudget, record({}, {"ece_max_percent": _PERCENT})),
    "drop": (DropBudget, record({}, {"reference": text(1), "max_points": _POINTS})),
    "evidence": (
        EvidenceBudget,
        record(
            {},
            {
                "method": one_of(AUTO, *METHODS),
                "images": _IMAGES,
                "masks": integer(1, 1 << 20),
                "inside_min_percent": _PERCENT,
                "beyond_chance_min_percent": number(-100, 100),
            },
        ),
    ),
    "latency": (
        LatencyBudget,
        record(
            {},
            {
                "clock": one_of("model", "task"),
                "threads": integer(1, 1024),
                "protocol": one_of("quick", "full"),
                **dict.fromkeys(("mean_max_ms", "p50_max_ms", "p99_max_ms"), _POSITIVE),
            },
        ),
    ),
    "size": (SizeBudget, record({}, {"max_mb": _POSITIVE})),
    "memory": (MemoryBudget, record({}, {"peak_max_mib": _POSITIVE})),
}
_LISTS: Final[dict[str, tuple[Any, Check]]] = {
    "robustness": (
        ChangeBudget,
        record({"change": one_of(*TRANSFORMATIONS), "level": number(-1e6, 1e6)}, {"images": _IMAGES, "min_percent": _PERCENT}),
    ),
    "attack": (
        AttackBudget,
        record(
            {"method": one_of("noise", "fgsm", "pgd", "square"), "eps_grey_levels": integer(1, 255)},
            {
                "images": _IMAGES,
                "queries": integer(1, 1 << 20),
                "steps": integer(1, 10_000),
                "checkpoint": text(1),
                "min_percent": _PERCENT,
            },
        ),
    ),
}
_SCHEMA = record(
    {},
    {
        "data": text(1),
        "split": text(1),
        "limit": _IMAGES,
        "seed": integer(0, (1 << 32) - 1),
        "certain": flag,
        **{name: check for name, (_, check) in _TABLES.items()},
        **{name: items(check, least=1, most=MOST) for name, (_, check) in _LISTS.items()},
    },
)


def read_policy(path: Path) -> Policy:
    """The policy of a TOML file. A relative path in it is looked for beside the file first, then in the current folder.

    Raises ``InputError``, with the field, for a file that can't be read, unknown fields, wrong values, and a policy without a budget.
    """
    try:
        content = path.read_bytes()
        return _policy(content, path)
    except OSError as error:
        raise InputError(f"{path} can't be read: {(error.strerror or str(error)).lower()}", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise InputError(f"{path.name} is not valid TOML: {error}", "correct the file") from error
    except SchemaError as error:
        raise InputError(f"{path.name}: {error}", "correct the file; edgecnn check --example prints all fields") from error
    except InputError as error:
        raise InputError(f"{path.name}: {error.problem}", error.fix) from error


def example() -> str:
    """A policy with every field, as text."""
    return resources.files("edgecnn.trust.gate").joinpath("example.toml").read_text(encoding="utf-8")


def _policy(content: bytes, path: Path) -> Policy:
    table: dict[str, Any] = _SCHEMA(tomllib.loads(decode_text(content)), "")
    for name, (kind, _) in _TABLES.items():
        if name in table:
            table[name] = kind(**table[name])
    for name, (kind, _) in _LISTS.items():
        if name in table:
            table[name] = tuple(kind(**one) for one in table[name])
    found = Policy(**table, name=path.name, sha256=hashlib.sha256(content).hexdigest())
    return _with_paths(found, path.parent)


def _with_paths(policy: Policy, folder: Path) -> Policy:
    drop = policy.drop
    return dataclasses.replace(
        policy,
        data=_address(policy.data, folder),
        drop=None if drop is None else dataclasses.replace(drop, reference=_model(drop.reference, folder)),
        attack=tuple(dataclasses.replace(one, checkpoint=_model(one.checkpoint, folder)) for one in policy.attack),
    )


def _address(uri: str, folder: Path) -> str:
    if not uri:
        return ""
    address = parse_address(uri)
    place = expanded(address.place)
    if address.is_scene or place.is_absolute() or not (folder / place).exists():
        return uri
    return f"{folder / place}{uri[len(address.place) :]}"


def _model(name: str, folder: Path) -> str:
    """A path beside the policy, else as it is; a shipped name is its checkpoint, the float network in PyTorch."""
    if not name or (folder / expanded(name)).is_file():
        return str(folder / expanded(name)) if name else ""
    return str(checkpoint(name)) if name in names() and not Path(name).exists() else name
