"""`edgecnn data`: commands on datasets."""

from __future__ import annotations

import click

from edgecnn.cli.data_check import command as check


@click.group("data")
def command() -> None:
    """Look at datasets before training on them.

    \b
    edgecnn data check DIR
    """


command.add_command(check, "check")
