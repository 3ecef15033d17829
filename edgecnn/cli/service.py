"""`edgecnn service`: the files that keep a run going on a device: a systemd unit and a container of the runtime alone."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import edgecnn

if TYPE_CHECKING:
    from edgecnn.live.service import Service

EXTRAS = {".tflite": "tflite", ".xml": "openvino"}


@click.command("service", context_settings={"ignore_unknown_options": True})
@click.argument("run", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- RUN...")
@click.option("--name", default="edgecnn", show_default=True, help="Name of the service.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder to write into.  [default: here]"
)
@click.option("--user", default="", help="Run as this user.  [default: one that systemd makes for it]")
@click.option("--memory", default="1G", show_default=True, help="At most so much memory: 512M, 2G.")
@click.option("--cpus", type=click.FloatRange(0.1), default=2.0, show_default=True, help="At most so many processors.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Of the page and /health, on 127.0.0.1."
)
@click.option("--force", is_flag=True, help="Write over files of the same name.")
def command(run: tuple[str, ...], name: str, out: Path, force: bool, **values: Any) -> None:
    """Write a systemd unit, a Containerfile and a compose.yaml for `edgecnn run RUN...`; nothing is installed or started.

    \b
    edgecnn service --name door -- person-face-vehicle --source rtsp://camera/door --clips clips
    edgecnn service --name yard --memory 512M -- --cameras /etc/edgecnn/yard.toml
    """
    from edgecnn.live.service import Service, compose, containerfile, unit

    program = _program()
    run, files = _with_whole_paths(run)
    values["user"] = values["user"] or _owner_of_home(program)
    service = Service(
        name=name,
        run=run,
        program=program,
        extras=_extras(run),
        wheel=f"edgecnn-{edgecnn.__version__}-py3-none-any.whl",
        files=[str(path) for path in files],
        **values,
    )
    texts = {f"{name}.service": unit(service), "Containerfile": containerfile(service), "compose.yaml": compose(service)}
    _write(out, texts, files, force)
    _say(service, out)


def _program() -> tuple[str, ...]:
    """The edgecnn that was started, so that the service is this installation."""
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == "edgecnn" else None
    return (str(Path(found).absolute()),) if found else (sys.executable, "-m", "edgecnn")


def _with_whole_paths(run: tuple[str, ...]) -> tuple[tuple[str, ...], list[Path]]:
    """The words with files by absolute path, since a service starts in a folder of its own, and those files (weights too)."""
    files = {word: Path(word).resolve() for word in run if Path(word).is_file()}
    beside = [path.with_suffix(".bin") for path in files.values() if path.suffix == ".xml"]
    return tuple(str(files.get(word, word)) for word in run), [*files.values(), *(path for path in beside if path.is_file())]


def _owner_of_home(program: tuple[str, ...]) -> str:
    """A user made by systemd can't read a home folder; then the service is its owner's."""
    home = Path(program[0]).is_relative_to("/home")
    return Path(program[0]).owner() if home else ""


def _extras(run: tuple[str, ...]) -> tuple[str, ...]:
    """What the runtime needs beside the base install for the model files that are named."""
    named = {EXTRAS[suffix] for word in run if (suffix := Path(word).suffix.lower()) in EXTRAS}
    return ("live", *sorted(named))


def _write(out: Path, texts: dict[str, str], files: list[Path], force: bool) -> None:
    from edgecnn.errors import InputError

    there = [name for name in texts if (out / name).exists()]
    if there and not force:
        raise InputError(f"a folder {out} without {', '.join(texts)}", there[0], "name another --out, or use --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in files:
            if path.parent != out.resolve():
                shutil.copy(path, out)
                click.echo(f"copied {out / path.name}, for the container")
        for name, text in texts.items():
            (out / name).write_text(text)
            click.echo(f"wrote {out / name}")
    except OSError as error:
        raise InputError(f"to write into {out}", (error.strerror or str(error)).lower(), "name another --out") from error


def _say(service: Service, out: Path) -> None:
    name = service.name
    click.echo(
        f"""
systemd:    sudo install -m 644 {out / name}.service /etc/systemd/system/ && sudo systemctl daemon-reload
            sudo systemctl enable --now {name}; journalctl -u {name} -f
container:  put {service.wheel} into {out} (`make wheel`), then: docker compose -f {out / "compose.yaml"} up -d
health:     curl http://127.0.0.1:{service.port}/health"""
    )
