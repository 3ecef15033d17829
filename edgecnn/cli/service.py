"""`edgecnn service`: a systemd unit and a container for `edgecnn run`."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import edgecnn

if TYPE_CHECKING:
    from edgecnn.live.service import Service

TRAIN = "train"
EXTRAS = {".tflite": "tflite", ".xml": "openvino", ".pte": "executorch", ".safetensors": TRAIN}


@click.command("service", context_settings={"ignore_unknown_options": True})
@click.argument("run", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- RUN...")
@click.option("--name", default="edgecnn", show_default=True, help="Name of the service.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Output folder.  [default: here]")
@click.option(
    "--user", default="", help="User of the service.  [default: a dynamic user of systemd; the owner of an installation in /home]"
)
@click.option("--memory", default="1G", show_default=True, help="Memory limit: 512M, 2G.")
@click.option("--cpus", type=click.FloatRange(0.1), default=2.0, show_default=True, help="CPU limit.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8501,
    show_default=True,
    help="Port of the live page and of /health on 127.0.0.1.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def command(run: tuple[str, ...], name: str, out: Path, force: bool, **values: Any) -> None:
    """Write a systemd unit, a Containerfile and a compose.yaml for `edgecnn run RUN...`; nothing is installed or started.

    \b
    edgecnn service --name door -- person-face-vehicle --source rtsp://camera/door --clips clips
    edgecnn service --name yard --memory 512M -- --cameras /etc/edgecnn/yard.toml
    """
    from edgecnn.errors import InputError
    from edgecnn.live.service import Service, compose, containerfile, unit

    if run[0] == "run":
        raise InputError("the words after -- are those after `edgecnn run`", "leave the word run out")
    program = _program()
    run, files = _with_absolute_paths(run)
    values["user"] = values["user"] or _owner_of_home(program)
    service = Service(
        name=name,
        run=run,
        program=program,
        extras=extras_of_run(run),
        wheel=f"edgecnn-{edgecnn.__version__}-py3-none-any.whl",
        files=[str(path) for path in files],
        **values,
    )
    texts = {f"{name}.service": unit(service), "Containerfile": containerfile(service), "compose.yaml": compose(service)}
    _write(out, texts, files, force)
    if TRAIN in service.extras:
        click.echo(
            "note: a checkpoint runs in PyTorch, so the machine needs the extra train (1 GB and more); a file of edgecnn export needs "
            "neither",
            err=True,
        )
    _print_next_steps(service, out)


def _program() -> tuple[str, ...]:
    """The command that started this process, so that the service runs this installation."""
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == "edgecnn" else None
    return (str(Path(found).absolute()),) if found else (sys.executable, "-m", "edgecnn")


def _with_absolute_paths(run: tuple[str, ...]) -> tuple[tuple[str, ...], list[Path]]:
    """The arguments with absolute paths, because a service has its own working directory, and these files with OpenVINO weights."""
    # --option=FILE names a file as well as --option FILE does.
    parts = [word.partition("=") if word.startswith("--") else ("", "", word) for word in run]
    files = {name: Path(name).resolve() for _, _, name in parts if Path(name).is_file()}
    weights = [path.with_suffix(".bin") for path in files.values() if path.suffix == ".xml"]
    words = tuple(f"{option}{sign}{files.get(name, name)}" for option, sign, name in parts)
    return words, [*files.values(), *(path for path in weights if path.is_file())]


def _owner_of_home(program: tuple[str, ...]) -> str:
    """The owner of a program in /home, otherwise "": a dynamic user of systemd can't read home folders."""
    home = Path(program[0]).is_relative_to("/home")
    return Path(program[0]).owner() if home else ""


def extras_of_run(run: tuple[str, ...]) -> tuple[str, ...]:
    """The extras that the model files and options need at run time, also those that a cameras file names."""
    run = (*run, *(line for word in run if word.endswith(".toml") for line in _lines(Path(word.rpartition("=")[2]))))
    from edgecnn.runtime.backends.engines import extras_of_options
    from edgecnn.shipped import artifact

    # a name stands for its file: a shipped model without an ONNX file is its checkpoint
    named = {EXTRAS[suffix] for word in run if (suffix := artifact(word).suffix.lower()) in EXTRAS}
    named |= extras_of_options(run)
    named |= {"sign"} if any(word.startswith("--require-signature") for word in run) else set()
    return ("live", *sorted(named))


def _lines(cameras: Path) -> list[str]:
    """The keys of a cameras file as options, and its texts in quotes."""
    from edgecnn.text_files import decode_text

    try:
        text = decode_text(cameras.read_bytes())
    except (OSError, UnicodeDecodeError):  # `edgecnn run` says what is wrong with it
        return []
    text = "\n".join(line.partition("#")[0].replace("_", "-") for line in text.splitlines())
    return [f"--{key}" for key in re.findall(r"^\s*([\w-]+)\s*=", text, re.MULTILINE)] + re.findall(r"[\"']([^\"']+)[\"']", text)


def _write(out: Path, texts: dict[str, str], files: list[Path], force: bool) -> None:
    from edgecnn.errors import InputError
    from edgecnn.files import write_file

    there = [name for name in texts if (out / name).exists()]
    if there and not force:
        raise InputError(f"{out / there[0]} exists", "choose another --out, or use --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in files:
            if path.parent != out.resolve():
                shutil.copy(path, out)
                click.echo(f"copied {out / path.name}, for the container")
        for name, text in texts.items():
            write_file(out / name, text)
            click.echo(f"wrote {out / name}")
    except OSError as error:
        raise InputError(
            f"--out: can't write into {out}: {(error.strerror or str(error)).lower()}", "choose another folder"
        ) from error


def _print_next_steps(service: Service, out: Path) -> None:
    name = service.name
    click.echo(
        f"""
systemd:    sudo install -m 644 {out / name}.service /etc/systemd/system/ && sudo systemctl daemon-reload
            sudo systemctl enable --now {name}; journalctl -u {name} -f
container:  put {service.wheel} into {out} (`make wheel`), then: docker compose -f {out / "compose.yaml"} up -d
health:     curl http://127.0.0.1:{service.port}/health"""
    )
