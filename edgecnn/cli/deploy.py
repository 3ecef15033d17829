"""`edgecnn deploy`: a model file as a service on a board, with the version before as a fallback."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.remote_options import remote_options, remote_place

if TYPE_CHECKING:
    from edgecnn.remote.benchmark import RemotePlace
    from edgecnn.remote.deploy import Deployment

OPTIONS_OF_FILES = ("--labels", "--require-signature", "--cameras")


@click.command("deploy", context_settings={"ignore_unknown_options": True})
@click.argument("run", nargs=-1, type=click.UNPROCESSED, metavar="FILE [OPTIONS OF RUN]...")
@click.option("--name", default="edgecnn", show_default=True, help="Name of the service.")
@click.option("--rollback", is_flag=True, help="Let the version before run again; FILE is left out.")
@click.option("--no-service", is_flag=True, help="Install and test, but leave systemd alone.")
@click.option(
    "--scope",
    type=click.Choice(["auto", "user", "system"]),
    default="auto",
    show_default=True,
    help="Whose service it is; auto: the system's for root, else the user's.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Page and /health on the board.")
@click.option("--memory", default="1G", show_default=True, help="Memory limit: 512M, 2G.")
@click.option("--cpus", type=click.FloatRange(0.1), default=2.0, show_default=True, help="CPU limit.")
@click.option(
    "--healthy-within",
    "seconds",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    help="Seconds until it has to be healthy.",
)
@remote_options(several=False)
def command(run: tuple[str, ...], rollback: bool, no_service: bool, seconds: float, **values: Any) -> None:
    """Install the model FILE on a board as a service that runs `edgecnn run FILE OPTIONS`.

    \b
    edgecnn deploy cups-int8.onnx --host pi@door --source 0 --track
    edgecnn deploy cups-int8.onnx --host pi@door --name yard --source rtsp://camera/yard --clips clips
    edgecnn deploy --rollback --host pi@door

    The release runs its selftest on the board before anything is switched. If the service is not healthy in time, the version before
    runs again. Exit code 1: the selftest failed there.
    """
    from edgecnn.errors import InputError
    from edgecnn.remote.deploy import deploy, roll_back

    place = remote_place(values)
    if place is None or len(place.hosts) != 1:
        raise InputError("deploy needs one board", "name it with --host")
    if bool(run) == rollback:
        raise InputError("--rollback takes no FILE" if rollback else "the model file is not named", "see edgecnn deploy --help")
    asked = _deployment(place, run, service=not no_service, seconds=seconds, values=values)
    with interruptible("the deployment was interrupted, and nothing was switched", "deploy again") as progress:
        done = (roll_back if rollback else deploy)(asked, progress.above)
    was = f", before it {done.previous}" if done.previous is not None else ""
    click.echo(f"{place.hosts[0]}: {asked.name} is version {done.number}{was}")
    if no_service:
        click.echo(f"start it there with: {done.start}")
    elif not done.lingers:
        click.echo(f"it ends when the user logs out; to keep it: sudo loginctl enable-linger {place.hosts[0].user or 'USER'}")


def _deployment(place: RemotePlace, run: tuple[str, ...], *, service: bool, seconds: float, values: dict[str, Any]) -> Deployment:
    from edgecnn.cli.service import extras_of_run
    from edgecnn.live.service import Service, unit
    from edgecnn.remote.deploy import Deployment
    from edgecnn.remote.runtime import engine_extras

    words = _words(run)
    engine_extras(word for word in words if isinstance(word, Path))  # refuses a checkpoint
    plain = [str(word) for word in words]
    limits = {name: values[name] for name in ("memory", "cpus", "port")}
    Service(name=values["name"], run=plain, **limits)  # its checks, before anything is copied

    def make_unit(name: str, start: str, folder: str) -> str:
        return unit(Service(name=name, run=plain, start=start, folder=folder, **limits))

    return Deployment(
        place=place,
        name=values["name"],
        words=words,
        extras=frozenset(extras_of_run(tuple(plain))),
        make_unit=make_unit,
        port=values["port"],
        scope=values["scope"],
        service=service,
        healthy_s=seconds,
    )


def _words(run: tuple[str, ...]) -> list[str | Path]:
    """The words of the run; the model and the files of some options become paths, which are copied. Raises what `run` says of them."""
    from edgecnn.cli.run import command as run_command
    from edgecnn.errors import InputError
    from edgecnn.shipped import artifact

    if not run:
        return []
    if run[0].startswith("-"):
        raise InputError(f"{run[0]} stands before the model file", "write edgecnn deploy FILE and then the options")
    run_command.make_context("run", list(run))  # a wrong option is told before anything is copied
    file = artifact(Path(run[0]))
    words: list[str | Path] = [file]
    for before, word in pairwise(run):
        name, equals, value = word.partition("=")
        if before in OPTIONS_OF_FILES and Path(word).is_file():
            words.append(Path(word))
        elif equals and name in OPTIONS_OF_FILES and Path(value).is_file():
            words += [name, Path(value)]
        else:
            words.append(word)
    return words
