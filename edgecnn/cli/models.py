"""`edgecnn models`: the models that are used by name: those that ship with edgecnn, and other people's, which are downloaded on request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from edgecnn.counts import counted
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.zoo.register import RegisteredModel

GET, REMOVE = "get", "remove"


@click.command("models")
@click.argument("words", metavar="[NAME | get NAME... | remove NAME...]", nargs=-1)
@click.option(
    "--accept-unverified", is_flag=True, help="get: also a model whose digest its authors do not state, without a question."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], accept_unverified: bool, as_json: bool) -> None:
    """List the models that are used by name, describe the model NAME, or get one that is not here yet.

    \b
    edgecnn models
    edgecnn models cups
    edgecnn run cups --source 0          # runs the shipped int8 ONNX file
    edgecnn export cups --format tflite  # exports the shipped checkpoint
    edgecnn models get yunet             # downloads a model of other people, and writes card and goldens into it
    edgecnn run yunet --source 0
    edgecnn models remove yunet

    Models that were got are in the user's data folder ($XDG_DATA_HOME/edgecnn/models). Nothing is downloaded by other commands. Size
    and SHA-256 are checked; an interrupted download is continued by the same command.
    """
    from edgecnn.zoo import listing

    action = words[0] if words and words[0] in (GET, REMOVE) else ""
    names = words[1:] if action else words
    if action and not names:
        raise click.UsageError(f"{action} needs the NAME of a model")
    if accept_unverified and action != GET:
        raise click.UsageError("--accept-unverified is for edgecnn models get; leave it out")
    if as_json and action:
        raise click.UsageError(f"--json does not go with {action}; leave it out")
    if len(words) > 1 and not action:
        raise click.UsageError(f"one model at a time is described, not {' and '.join(words)}; name one")
    if action:
        for name in names:
            _get(name, accept_unverified) if action == GET else _remove(name)
        return
    for name in names:
        listing.check_name(name)
    if as_json:
        click.echo(dump_json({name: listing.to_document(name) for name in names or listing.names()}, indent=1))
    else:
        click.echo("\n".join(listing.details(names[0]) if names else listing.table()))


def _get(name: str, accept_unverified: bool) -> None:
    from edgecnn.cli.interruptible import interruptible
    from edgecnn.zoo.get import GOES_ON, get

    def accept(entry: RegisteredModel) -> bool:
        return accept_unverified or _asked(entry)

    with interruptible(f"{name} was not got", GOES_ON):
        done = get(name, accept, lambda line: click.echo(line, err=True))
    if done is None:
        return
    classes = counted(len(done.card.labels), "class")
    click.echo(f"wrote {done.path} ({done.card.task}, {classes}); use it: edgecnn run {name} --source 0")
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)


def _asked(entry: RegisteredModel) -> bool:
    """Whether the user agrees; without a terminal nobody does."""
    if not _at_terminal():
        return False
    return click.confirm(f"{entry.name} is unverified: {entry.unverified}. Download {entry.url}?", err=True)


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _remove(name: str) -> None:
    from edgecnn.zoo.get import remove

    removed = remove(name)
    click.echo(f"removed {', '.join(map(str, removed)) or f'what was downloaded of {name}'}")
