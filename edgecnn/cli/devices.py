"""`edgecnn devices`: known boards, and the machine at hand as one of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.devices.boards import Board

SCHEMA, VERSION = "edgecnn.board", 1


class _NameOrCommand(click.Group):
    """A group whose unknown words are names of boards: `devices NAME` is `devices show NAME`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group("devices", cls=_NameOrCommand, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List known boards, show one with its sources, or describe the machine at hand.

    \b
    edgecnn devices
    edgecnn devices raspberry-pi-5
    edgecnn devices probe --out my-board.toml
    edgecnn devices ./my-board.toml
    """
    if ctx.invoked_subcommand is not None:
        return
    from edgecnn.devices import boards
    from edgecnn.devices.boards.board_text import TABLE_NOTES, board_table

    known = {name: boards.board(name) for name in boards.names()}
    if as_json:
        click.echo(dump_json({name: to_document(board) for name, board in known.items()}, indent=1))
    else:
        click.echo("\n".join([board_table(known), "", *TABLE_NOTES, _this_machine()]))


def _this_machine() -> str:
    from edgecnn.devices.known_board import known_board
    from edgecnn.devices.probe import probe

    name = known_board(probe())
    return (
        f"this machine is {name}; edgecnn devices probe describes it" if name else "edgecnn devices probe describes this machine"
    )


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show the board NAME, or the profile in a TOML file, with the sources of its facts."""
    from edgecnn.devices import boards

    _print(boards.board(name), as_json)


@command.command("probe")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the profile as TOML.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--cameras/--no-cameras", default=True, show_default=True, help="Ask the cameras for their modes.")
def probe(out: Path | None, as_json: bool, cameras: bool) -> None:
    """Describe this machine: processor, memory, GPU and NPU, cameras, engines, limits of its container."""
    from edgecnn.devices.boards import board_toml
    from edgecnn.devices.machine import probe_machine
    from edgecnn.files import check_writable, write_file

    if out is not None:
        check_writable(out)
    board = probe_machine(with_cameras=cameras)
    if out is not None:
        write_file(out, board_toml(board))
    _print(board, as_json)
    if out is not None:
        click.echo(f"wrote {out}; show it with: edgecnn devices {out if out.parent != Path() else f'./{out}'}", err=True)


def _print(board: Board, as_json: bool) -> None:
    from edgecnn.devices.boards.board_text import board_lines

    click.echo(dump_json(to_document(board), indent=1) if as_json else "\n".join(board_lines(board)))


def to_document(board: Board) -> dict[str, Any]:
    """The board as JSON, with ``schema`` and ``version``."""
    return {"schema": SCHEMA, "version": VERSION, **dataclasses.asdict(board)}
