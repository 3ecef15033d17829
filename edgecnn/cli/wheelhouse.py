"""`edgecnn wheelhouse`: collects the wheels that a board needs, so that it can be installed without a network."""

from __future__ import annotations

from pathlib import Path

import click

EXTRAS = ("live", "tflite", "openvino", "executorch", "measure", "video", "sign", "signal")


@click.command("wheelhouse")
@click.option("--host", metavar="USER@BOARD[:PORT]", help="Ask this board for its processor, Python and C library.")
@click.option("--platform", "platform_text", metavar="MACHINE-PYTHON[-LIBC]", help="Or name them: aarch64-3.11-glibc2.36.")
@click.option(
    "--extra", "extras", multiple=True, type=click.Choice(EXTRAS), help="Parts of edgecnn for the board; may be repeated."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder.  [default: the cache that --host uses]")
@click.option("--constraint", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="pip's file of versions.")
@click.option(
    "--from-installed", is_flag=True, help="Pack what is installed here instead of downloading; for a board like this machine."
)
def command(
    host: str | None,
    platform_text: str | None,
    extras: tuple[str, ...],
    out: Path | None,
    constraint: Path | None,
    from_installed: bool,
) -> None:
    """Download the wheels that a board needs, with pip's own configuration, to install edgecnn there offline.

    \b
    edgecnn wheelhouse --host pi@door --extra tflite
    edgecnn wheelhouse --platform aarch64-3.11-glibc2.36 --extra live --out wheels

    `benchmark --host`, `run --host` and `deploy` install from it and never download themselves.
    """
    from edgecnn.errors import InputError
    from edgecnn.remote.address import parse_address
    from edgecnn.remote.board import RemoteBoard
    from edgecnn.remote.board_platform import parse_platform
    from edgecnn.remote.packing import own_wheel
    from edgecnn.remote.wheelhouse import cached_wheelhouse, download, pack_installed

    if (host is None) == (platform_text is None):
        raise InputError(
            "the board is not named" if host is None else "--host and --platform contradict each other", "give one of both"
        )
    if host is not None:
        with RemoteBoard(parse_address(host)) as board:
            platform = board.platform
    else:
        platform = parse_platform(str(platform_text))
    folder = out or cached_wheelhouse(platform)

    def told(text: str) -> None:
        click.echo(text, err=True)

    if from_installed:
        wheels = pack_installed(platform, extras, folder, told)
    else:
        told("the wheels are downloaded with pip")
        wheels = download(platform, extras, folder, constraint, told)
    size = sum(wheel.path.stat().st_size for wheel in wheels) / 1e6
    click.echo(
        f"{folder}: {len(wheels)} wheels, {size:.0f} MB, for {platform}; edgecnn itself ({own_wheel()[0]}) is packed at each use"
    )
