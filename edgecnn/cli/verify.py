"""`edgecnn verify`: check the signature of a model file."""

from __future__ import annotations

from pathlib import Path

import click

from edgecnn.cli.options import ModelFile


@click.command()
@click.argument("file", type=ModelFile())
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="PUBKEY", required=True, help="Ed25519 public key, PEM or OpenSSH."
)
def command(file: Path, key: Path) -> None:
    """Check that the model FILE was signed by the owner of a key and has not changed since; nothing is loaded or run.

    \b
    edgecnn verify model-int8.onnx --key owner.pub

    Exit code 2: the file is unsigned, signed by another key, or has changed.
    """
    from edgecnn.integrity.keys import raw_bytes, read_public_key
    from edgecnn.integrity.signature import verify_file

    signature = verify_file(file, raw_bytes(read_public_key(key)))
    click.echo(
        f"{file.name}: signed by {signature.fingerprint}; graph, weights, card and goldens are unchanged, "
        f"SHA-256 {signature.digests.graph[:16]}..."
    )
