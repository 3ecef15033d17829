"""`edgecnn data`: commands on datasets."""

from __future__ import annotations

import click

from edgecnn.cli.data_check import command as check
from edgecnn.cli.data_convert import command as convert


@click.group("data")
def command() -> None:
    """Look at datasets before training on them, and write them anew.

    \b
    edgecnn data check DIR
    edgecnn data convert DIR --out packed --max-side 416
    """


command.add_command(check, "check")
command.add_command(convert, "convert")
