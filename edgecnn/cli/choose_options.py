"""The options of `edgecnn benchmark --choose`: the limits of a choice."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import Options, parsed_by
from edgecnn.errors import InputError
from edgecnn.live.parsers import Bytes, Number, Seconds

if TYPE_CHECKING:
    from edgecnn.benchmarks.choose.budget import Budget

ACCURACIES = ("min_accuracy", "min_map", "min_top1")
LIMITS = ("max_latency", *ACCURACIES, "max_drop", "max_memory", "max_size")
OPTIONS_OF_CHOOSE = (*LIMITS, "export_to", "calibration", "again", "max_minutes")


class Share(Number):
    """Parses a share of 1, from 0.55 or 55%; with ``any_unit`` also a number above 1, such as one in dB."""

    metavar = "SHARE"

    def __init__(self, *, any_unit: bool = False) -> None:
        super().__init__(above=0, most=math.inf if any_unit else 1)

    def number(self, value: Any) -> float:
        """Parse the share. Raises ``InputError``."""
        text = str(value).strip()
        found = super().number(text[:-1]) / 100 if text.endswith("%") else super().number(text)
        if found > self.most:
            raise InputError(f"{value} is above 1", "write a share such as 0.55 or 55%")
        return found


def _limit(flag: str, parse: Number, text: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    return (flag,), {"type": parsed_by(parse), "metavar": parse.metavar, "help": text}


CHOOSE_OPTIONS: Options = (
    (
        ("--choose",),
        {
            "is_flag": True,
            "help": "Choose what to run on this device: try each FILE (of one model, or a folder of them) in each engine, precision and "
            "number of threads, and keep the choice for edgecnn run --auto.",
        },
    ),
    _limit("--max-latency", Seconds(above=0), "The choice takes at most this time from frame to result, 90 of 100 times (20ms)."),
    _limit("--min-accuracy", Share(any_unit=True), "The choice reaches this accuracy on --data: 0.55 or 55%; in dB for PSNR."),
    _limit("--min-map", Share(), "The same for a detector, as mAP@50-95."),
    _limit("--min-top1", Share(), "The same for a classifier, as top-1."),
    _limit(
        "--max-drop",
        Number(least=0),
        "The choice loses at most so many points against the most exact candidate.  [default: 1, without another limit of accuracy]",
    ),
    _limit("--max-memory", Bytes(), "The choice takes at most so much memory, with Python and the engine (200MB)."),
    _limit("--max-size", Bytes(), "The file is at most so large (2MB)."),
    (
        ("--export", "export_to"),
        {
            "type": click.Path(path_type=Path),
            "metavar": "DIR",
            "help": "Export the checkpoint FILE to this folder first, in the installed formats and the precisions that can win on this "
            "device, and choose from that. Files of it that are there already are taken.",
        },
    ),
    (
        ("--calibration",),
        {"metavar": "ADDRESS", "default": "", "help": "With --export: also in int8, with ranges from this dataset."},
    ),
    (
        ("--max-minutes",),
        {
            "type": parsed_by(Number(above=0)),
            "metavar": "NUMBER",
            "help": "The choice ends after so many minutes; what was not measured then is named (--export comes before).  [default: 3]",
        },
    ),
    (("--again",), {"is_flag": True, "help": "Measure even where a choice is kept."}),
)


def take_limits(values: dict[str, Any]) -> Budget:
    """Take the limits out of ``values`` (a command's keyword arguments). Raises ``InputError`` for several of accuracy."""
    from edgecnn.benchmarks.choose.budget import Budget

    taken = {name: values.pop(name) for name in LIMITS}
    given = [name for name in (*ACCURACIES, "max_drop") if taken[name] is not None]
    if len(given) > 1:
        raise InputError(f"{option(given[0])} and {option(given[1])} exclude each other", "give one limit of the accuracy")
    accuracy = next((name for name in ACCURACIES if taken[name] is not None), None)
    return Budget(
        max_latency_ms=None if taken["max_latency"] is None else 1e3 * taken["max_latency"],
        min_accuracy=None if accuracy is None else taken[accuracy],
        metric="" if accuracy in (None, "min_accuracy") else str(accuracy).removeprefix("min_"),
        max_drop=taken["max_drop"],
        max_memory_bytes=taken["max_memory"],
        max_size_bytes=taken["max_size"],
    )


def candidates(values: dict[str, Any], budget: Budget, say: Callable[[str], None]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files to choose from, exported first with --export, and a line for each that could not be.

    Raises ``InputError`` for --export of what is no single checkpoint, or with an engine that opens no exported format.
    """
    files, out, calibration = (values.pop(name) for name in ("files", "export_to", "calibration"))
    if out is None:
        if calibration:
            raise InputError("--calibration does nothing without --export", "add --export DIR, or leave it out")
        return tuple(files), ()
    from edgecnn import shipped
    from edgecnn.benchmarks.choose.candidates import worth_exporting
    from edgecnn.devices import probe
    from edgecnn.runtime.backends.engines import OPENED_BY, parse_engine
    from edgecnn.variants import FORMATS, export_variants

    (checkpoint, *others) = (file.with_suffix(shipped.CHECKPOINT) if file.parent == shipped.FOLDER else file for file in files)
    if others or checkpoint.suffix != shipped.CHECKPOINT or not checkpoint.is_file():
        raise InputError("--export takes one checkpoint (.safetensors), or the name of a shipped model", "name one FILE")
    engine = values["engine"]
    formats = [name for name in FORMATS if engine is None or parse_engine(engine).name in OPENED_BY[name]]
    if not formats:
        raise InputError(f"--engine {engine} opens none of the formats {', '.join(FORMATS)}", "leave it out")
    precisions, left_out = worth_exporting(probe(), values["device"], budget)
    found = export_variants(checkpoint, out, formats, precisions, calibration, say)
    return found.files, (*left_out, *found.missing)


def option(name: str) -> str:
    """The option of a keyword argument."""
    if name == "export_to":
        return "--export"
    return f"--{name.replace('_', '-')}"
