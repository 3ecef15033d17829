"""`edgecnn sign`: sign a model file with an Ed25519 key, or make a key."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgecnn.cli.options import ModelFile


@click.command()
@click.argument("file", type=ModelFile(), required=False)
@click.option("--key", type=click.Path(path_type=Path), metavar="KEY", help="Ed25519 private key, PEM or OpenSSH.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write a signed copy.  [default: sign FILE itself]")
@click.option(
    "--new-key",
    type=click.Path(path_type=Path),
    metavar="NAME",
    help="Make a key: NAME, which only you can read, and NAME.pub for the devices.",
)
@click.option("--password", is_flag=True, help="Ask for a password that encrypts the new key.")
def command(file: Path | None, key: Path | None, out: Path | None, new_key: Path | None, password: bool) -> None:
    """Sign the model FILE, so that devices can refuse files that their owner did not ship.

    \b
    edgecnn sign --new-key owner
    edgecnn sign model-int8.onnx --key owner
    edgecnn verify model-int8.onnx --key owner.pub
    edgecnn run model-int8.onnx --source 0 --require-signature owner.pub

    The signature is over the SHA-256 of graph, weights, card and goldens, and is stored in the file. Keys of openssl (genpkey
    -algorithm ed25519) and ssh-keygen (-t ed25519) can be used, too. The password of an encrypted key is asked for.
    """
    from edgecnn.errors import InputError
    from edgecnn.integrity.keys import write_new_key
    from edgecnn.integrity.signature import sign_file
    from edgecnn.shipped import is_shipped

    if new_key is not None:
        if file is not None or key is not None or out is not None:
            raise InputError("--new-key makes a key and signs nothing", "sign the file in a second call")
        public, shown = write_new_key(new_key, ask_password(f"Password for {new_key}", confirm=True) if password else "")
        click.echo(f"wrote {new_key} (keep it secret) and {public} (for the devices): {shown}")
        return
    if password:
        raise InputError("--password is for --new-key", "leave it out: the password of an encrypted key is asked for")
    if file is None or key is None:
        raise InputError("a model FILE and --key are needed", "give both, or --new-key NAME to make a key")
    if out is None and is_shipped(file):
        raise InputError(f"{file.name} belongs to the installed package", "write a signed copy with --out")
    signature = sign_file(file, key, lambda: ask_password(f"Password of {key}"), out)
    click.echo(f"{out or file}: signed by {signature.fingerprint}, SHA-256 {signature.digests.graph[:16]}...")


def ask_password(text: str, *, confirm: bool = False) -> str:
    """Ask for a password. Raises ``InputError`` where there is no terminal."""
    from edgecnn.errors import InputError

    if not sys.stdin.isatty():
        raise InputError("a password is needed, and there is no terminal to ask for it", "run the command in a terminal")
    try:
        return str(click.prompt(text, hide_input=True, confirmation_prompt=confirm, err=True))
    except UnicodeError as error:
        raise InputError("the password has letters that the terminal can't encode", "type it again") from error
