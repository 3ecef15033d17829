"""The help of `edgecnn run`: examples, then the options in groups."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import click
import pytest

from edgecnn.cli.run import command, run_config

HELP = subprocess.run([sys.executable, "-m", "edgecnn", "run", "--help"], capture_output=True, text=True, check=True).stdout
EXAMPLES = [line.strip() for line in HELP.partition("Options:")[0].splitlines() if line.strip().startswith("edgecnn run ")]
TITLES = ["Cameras", "Run", "Analytics", "Outputs", "Monitoring", "Model", "On a board", "On several machines"]


def test_examples_come_first() -> None:
    assert 3 <= len(EXAMPLES) <= 7
    assert HELP.index(EXAMPLES[-1]) < HELP.index("Options:")


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_are_valid(line: str) -> None:
    with command.make_context("run", shlex.split(line)[2:]) as context:
        values: dict[str, Any] = dict(context.params)
        run_config(context, values.pop("file"), values)


def test_options_stand_in_groups() -> None:
    titles = re.findall(r"^  ([A-Z][a-z ]+)\b.*: ?$", HELP, re.MULTILINE)
    assert titles == TITLES
    grouped = re.findall(r"^    (--[a-z-]+)", HELP, re.MULTILINE)
    known = [one.opts[0] for one in command.params if isinstance(one, click.Option) and one.opts and one.name != "help"]
    assert sorted(grouped) == sorted(known)


def test_help_shows_defaults_with_units() -> None:
    text = " ".join(HELP.split())
    for shown in (
        "[default: 5s]",
        "[default: 2GB]",
        "[default: 200]",
        "[default: cpu]",
        "[default: bottom]",
        "[default: reconnect]",
    ):
        assert shown in text
