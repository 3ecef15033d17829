"""The command line: one command per file, imported only when it is called, so that --help is fast and `run` imports little."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

import edgecnn
from edgecnn.cli.signals import INTERRUPTED
from edgecnn.cli.terminal import fail, finish_output, prepare_streams
from edgecnn.system_errors import explain as known_error

COMMANDS = {
    "data": "Check a dataset: counts, problems, copies, a contact sheet; write several as one in COCO.",
    "train": "Train a small CNN on a dataset or on the built-in scene.",
    "compress": "Compress a network: distillation, pruning, quantization-aware training, with a report of each step.",
    "export": "Export a trained model to ONNX, TFLite and OpenVINO, and verify each file.",
    "sensitivity": "Measure how much each layer of a model loses in int8.",
    "adapt": "Fine-tune a detector for one camera: frames, labels by a teacher, training, export, comparison.",
    "run": "Run a model on cameras, videos, folders or the built-in scene.",
    "evaluate": "Measure the accuracy of a model file on a dataset.",
    "thresholds": "Choose from which score boxes of each class are shown, on held-out images.",
    "robustness": "Measure how accuracy holds under rotation, shift, scale, occlusion, light, blur, noise, compression and weather.",
    "drift-profile": "Write into a model file what its data look like, for edgecnn run --drift.",
    "shortcuts": "Search a model file for shortcuts: does it look at the object?",
    "attack": "Measure the accuracy of model files under attack.",
    "explain": "Look inside a model file: filters, feature maps, receptive fields, and what its units look for.",
    "check": "Check a model file against a policy: accuracy, worst class, robustness, latency, size; exit code 1 where it fails.",
    "service": "Write a systemd unit and container files for a permanent run.",
    "benchmark": "Measure latency, throughput, memory and accuracy of model files on this device.",
    "sweep": "Measure all combinations of models, formats, precisions, threads and hosts of a TOML file.",
    "compare": "Compare measurements or model files: faster, slower or no difference shown.",
    "devices": "List known boards, or describe this machine: processor, memory, GPU, cameras, engines.",
    "doctor": "Say what is missing or slow on this machine, and the line that mends it.",
    "deploy": "Run a model file as a service on a board, tested there; the version before is the fallback.",
    "wheelhouse": "Collect the wheels that a board needs to install edgecnn offline.",
    "selftest": "Run the goldens of a model file on this device and compare with PyTorch.",
    "models": "List the models that are used by name, describe one, or get one of other people.",
    "wrap": "Write a card and goldens into a model file of another tool.",
    "sign": "Sign a model file with an Ed25519 key, or make a key.",
    "verify": "Check the signature of a model file.",
    "info": "Print the card, tensors and metadata of a model file.",
    "model-card": "Write the model card that people read, of the file, its measurements and what people state.",
}


# Options of other commands, by what they are called where files are written.
OTHER_NAMES = {"--engine": "--format", "--engines": "--format", "--formats": "--format", "--precisions": "--precision"}


class _Commands(click.Group):
    """Lists all commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"edgecnn.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            click.echo(f"error: {_one_line(error)}", err=True)
            sys.exit(error.exit_code)
        except (
            KeyboardInterrupt,
            click.Abort,
        ):  # Ctrl-C while a command is imported, in one without a way of its own, or at a question
            click.echo("error: interrupted; run it again", err=True)
            sys.exit(INTERRUPTED)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command; what the user or the system can put right is one line on standard error, and an exit code."""
        prepare_streams()
        try:
            result = super().main(*args, **kwargs)
        except SystemExit as end:
            sys.exit(finish_output() or end.code)
        except Exception as error:
            refused = finish_output(error)
            known = known_error(error)
            if refused is None and known is None:
                raise
            sys.exit(refused or (fail(known) if known is not None else 2))
        return result


def _meant(error: click.NoSuchOption) -> str:
    """The option of this command that another name stands for, "" for none."""
    meant = OTHER_NAMES.get(error.option_name, "")
    known = {name for parameter in error.ctx.command.params for name in parameter.opts} if error.ctx else set()
    return meant if meant in known else ""


def _one_line(error: click.UsageError) -> str:
    """Return the message of click in the form of edgecnn's errors, "--option: problem; fix", without the lines of usage."""
    if isinstance(error, click.NoSuchOption) and (meant := _meant(error)):
        return f"{error.option_name} is not an option of {error.ctx.command_path if error.ctx else 'edgecnn'}; use {meant}"
    if isinstance(error, click.BadParameter) and type(error) is click.BadParameter and isinstance(error.param, click.Option):
        text = f"{error.param.opts[0]}: {error.message.rstrip('.')}"
    else:
        text = error.format_message().rstrip(".")
    command = error.ctx.command_path if error.ctx is not None else "edgecnn"
    problem, meant, names = text.partition(" Did you mean ")
    if meant:
        return f"{problem.rstrip('.')}; did you mean {names} See {command} --help"
    return text if "; " in text else f"{text}; see {command} --help"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(edgecnn.__version__, prog_name="edgecnn")
def main() -> None:
    """Train, compress and export small CNNs, verify the files, and run them on the cameras of a device.

    \b
    edgecnn run cups --source scene:cups --serve
    edgecnn train resnet-s --data fashion-mnist --download --out runs/resnet
    edgecnn export runs/resnet/model.safetensors --precision fp32,int8 --calibration fashion-mnist
    edgecnn benchmark resnet-s-fp32.onnx resnet-s-int8.onnx --data fashion-mnist
    edgecnn COMMAND --help
    """
