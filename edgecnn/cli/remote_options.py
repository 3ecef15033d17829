"""Options of commands that also run on a board, and the words with which the command is called there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import OptionGroup

from edgecnn.cli.options import Command, Options, add_options

if TYPE_CHECKING:
    from edgecnn.remote.benchmark import RemotePlace

WORDS = "edgecnn.words"
PLACE_NAMES = ("hosts", "wheelhouse", "remote_dir", "remote_python")
HOST_HELP = (
    "Do it on this board, by SSH with your configuration and keys: user@board, user@board:PORT, or a name of ~/.ssh/config. "
    "Its host key must be known."
)
PLACE_OPTIONS: Options = (
    (
        ("--wheelhouse",),
        {
            "type": click.Path(path_type=Path, file_okay=False),
            "metavar": "DIR",
            "help": "Wheels to install on the board, offline.  [default: those of edgecnn wheelhouse --host]",
        },
    ),
    (
        ("--remote-dir",),
        {"metavar": "DIR", "default": "", "help": "Folder of edgecnn on the board.  [default: ~/.local/share/edgecnn]"},
    ),
    (
        ("--remote-python",),
        {"metavar": "PATH", "default": "", "help": "Python on the board that has this edgecnn; nothing is installed."},
    ),
)


class RemoteCommand(click.Command):
    """A command that keeps the words it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)


def remote_options(*, several: bool) -> Callable[[Command], Command]:
    """Decorate a command with --host and the options of a board; it gets them as PLACE_NAMES."""

    def decorate(function: Command) -> Command:
        text = HOST_HELP + (" May be repeated: one table." if several else "")
        host = (("--host", "hosts"), {"metavar": "USER@BOARD[:PORT]", "multiple": True, "help": text})
        return add_options(function, (host, *PLACE_OPTIONS), OptionGroup("On a board").option)

    return decorate


def remote_place(values: dict[str, Any]) -> RemotePlace | None:
    """Take the options of a board out of ``values``; None without --host. Raises ``InputError``."""
    from edgecnn.errors import InputError
    from edgecnn.remote.address import parse_address
    from edgecnn.remote.benchmark import RemotePlace

    hosts, wheelhouse, folder, python = (values.pop(name) for name in PLACE_NAMES)
    if not hosts:
        if wheelhouse or folder or python:
            raise InputError("--wheelhouse, --remote-dir and --remote-python belong to --host", "name the board with --host")
        return None
    addresses = tuple(dict.fromkeys(map(parse_address, hosts)))
    return RemotePlace(hosts=addresses, wheelhouse=wheelhouse, folder=folder, python=python)


def forwarded_words(
    context: click.Context, left_out: Collection[str], read: Collection[str], replaced: Sequence[Path]
) -> list[str | Path]:
    """The words of this call for the same command on a board, without the options ``left_out`` (by their parameters' names).

    Values of the options ``read`` that name a file here become paths, and the arguments of the command are ``replaced``.
    """
    by_name = {name: one for one in context.command.params for name in (*one.opts, *one.secondary_opts)}
    words: list[str] = list(context.meta[WORDS])
    found: list[str | Path] = [*replaced]
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        option = by_name.get(name) if word.startswith("-") else None
        if not isinstance(option, click.Option):
            continue  # an argument, or the -- before them
        values = [value] if equals else [words.pop(0)] if _takes_value(option, words) else []
        if option.name in left_out:
            continue
        if option.name in read and values and Path(values[0]).is_file():
            found += [name, Path(values[0])]
        else:
            found += [f"{name}={values[0]}" if equals else name, *([] if equals else values)]
    return found


def _takes_value(option: click.Option, following: list[str]) -> bool:
    if option.is_flag or option.count or not following:
        return False
    optional = getattr(option, "_flag_needs_value", False)
    return not (optional and following[0].startswith("-") and len(following[0]) > 1)
