"""`edgecnn doctor`: what is missing or slow on this machine, and the line that mends it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.devices.doctor import DeviceFinding

SCHEMA, VERSION = "edgecnn.doctor", 1


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Say what is missing or slow on this machine, and the line that mends it.

    A problem is something that does not work, "slow" costs time, a note need not be mended. Exit code 1: there is a problem or
    something slow.
    """
    from edgecnn.devices.doctor import Machine, examine
    from edgecnn.devices.known_board import known_board

    machine = Machine.here(Path("/"))
    findings = examine(machine)
    known = known_board(machine.profile, machine.root)
    if as_json:
        rows = [dataclasses.asdict(one) for one in findings]
        about = {"schema": SCHEMA, "version": VERSION, "device": machine.profile.name, "board": known}
        click.echo(dump_json({**about, "findings": rows}, indent=1))
    else:
        click.echo("\n".join(lines(machine.profile.name, findings, known)))
    sys.exit(1 if any(one.level != "note" for one in findings) else 0)


def lines(device: str, findings: tuple[DeviceFinding, ...], known: str = "") -> list[str]:
    """The findings as text; what mends one stands alone in its line, so that it can be copied. ``known``: the name of the board."""
    shown = [f"{device}; its limits and what pays on it: edgecnn devices {known}" if known else device]
    for one in findings:
        shown += ["", f"{one.level + ':':9}{one.text}"]
        if one.fix:
            shown.append(f"         {one.fix}")
    counts = {level: sum(one.level == level for one in findings) for level in ("problem", "slow", "note")}
    texts = [f"{count} {level}{'s' if count > 1 and level != 'slow' else ''}" for level, count in counts.items() if count]
    return [*shown, "", ", ".join(texts) or "nothing to mend"]
