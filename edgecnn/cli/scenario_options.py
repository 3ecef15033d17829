"""The options of `edgecnn benchmark` that choose load scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import Options
from edgecnn.errors import InputError

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.scenario import ScenarioOptions

# a copy of scenario.SCENARIOS, so that `--help` does not import NumPy
SCENARIOS = ("single-stream", "multi-stream", "offline", "paced", "sustained")
USED_BY = {"streams": ("multi-stream", "paced"), "rate_fps": ("paced", "sustained"), "minutes": ("sustained",)}
# keyword arguments and their options
SHOWN = (("scenarios", "scenario"), ("streams", "streams"), ("rate_fps", "rate"), ("minutes", "minutes"))


def parse_scenarios(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    """Comma-separated scenarios, in the order of SCENARIOS; raises ``click.BadParameter``."""
    given = [part.strip() for part in value.split(",") if part.strip()]
    unknown = [name for name in given if name not in SCENARIOS]
    if unknown:
        raise click.BadParameter(f"there is no scenario {unknown[0]!r}; use {', '.join(SCENARIOS)}")
    return tuple(name for name in SCENARIOS if name in given)


SCENARIO_OPTIONS: Options = (
    (
        ("--scenario", "scenarios"),
        {
            "metavar": "LIST",
            "default": "single-stream",
            "show_default": True,
            "callback": parse_scenarios,
            "help": "Load to measure: single-stream (the clocks, always measured), multi-stream, offline, paced, sustained; separated "
            "by commas.",
        },
    ),
    (
        ("--streams",),
        {
            "type": click.IntRange(1, 1024),
            "metavar": "N",
            "help": "Frames of a query (multi-stream), or cameras (paced).  [default: 8, paced 1]",
        },
    ),
    (
        ("--rate", "rate_fps"),
        {
            "type": click.FloatRange(0.1, 10_000),
            "metavar": "FPS",
            "help": "Frames per second of each camera (paced, sustained).  [default: paced 30, sustained as fast as possible]",
        },
    ),
    (
        ("--minutes",),
        {"type": click.FloatRange(0, 1440, min_open=True), "metavar": "N", "help": "Minutes of sustained load.  [default: 10]"},
    ),
)


def take_scenarios(values: dict[str, Any]) -> ScenarioOptions:
    """Take the options out of ``values``. Raises ``InputError`` for one that belongs to a scenario that was not asked for."""
    from edgecnn.benchmarks.measure.scenario import ScenarioOptions

    scenarios = values.pop("scenarios")
    given = {name: values.pop(name) for name in USED_BY}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if not set(USED_BY[name]) & set(scenarios):
            raise InputError(f"--{dict(SHOWN)[name]} does nothing without --scenario {' or '.join(USED_BY[name])}", "add it")
    if set(scenarios) - {"single-stream"} and not {"model", "task"} & set(values["clocks"]):
        raise InputError("scenarios are measured by the clock model or task", "add one of them to --clock")
    return ScenarioOptions(scenarios=scenarios, **given)
