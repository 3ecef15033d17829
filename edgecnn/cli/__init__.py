"""The command line: one command per file, imported only when it is called, so that --help is quick and `run` stays lean."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

import edgecnn
from edgecnn.errors import EdgeCnnError

COMMANDS = {
    "train": "Train a small CNN on a dataset or on the built-in scene.",
    "compress": "Make a network smaller: distil, prune, train for int8, and report what each step keeps.",
    "export": "Export a trained model to ONNX, TFLite and OpenVINO, and prove each file right.",
    "run": "Run a model on a camera, video, folder or the built-in scene.",
    "evaluate": "Measure the accuracy of a model file on a dataset.",
    "service": "Write a systemd unit and a container for a run that never ends.",
    "benchmark": "Measure latency, memory and accuracy of model files on this device.",
    "selftest": "Re-run the goldens inside a model file on this device.",
    "models": "List the models inside the package, and say what they are good and bad at.",
    "info": "Print the card inside a model file.",
}


class _Commands(click.Group):
    """Lists all commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"edgecnn.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EdgeCnnError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(edgecnn.__version__, prog_name="edgecnn")
def main() -> None:
    """Takes a CNN trained in PyTorch to a camera on a device, and proves that it is still right and how fast it is."""
