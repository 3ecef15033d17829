"""Keys: PEM and OpenSSH, with and without a password; a new key is private and never overwrites a file."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edgecnn.errors import InputError

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgecnn.integrity.keys import (
    fingerprint,
    raw_bytes,
    read_private_key,
    read_public_key,
    write_new_key,
)


def no_password() -> str:
    raise AssertionError("the key has no password")


def test_a_new_key_is_private_and_both_files_belong_together(tmp_path: Path) -> None:
    public, shown = write_new_key(tmp_path / "owner")
    assert public == tmp_path / "owner.pub"
    assert stat.S_IMODE((tmp_path / "owner").stat().st_mode) == 0o600
    private = read_private_key(tmp_path / "owner", no_password)
    assert raw_bytes(private.public_key()) == raw_bytes(read_public_key(public))
    assert fingerprint(read_public_key(public)) == shown


@pytest.mark.parametrize("existing", ["owner", "owner.pub"])
def test_no_file_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("mine")
    with pytest.raises(InputError, match=rf"--new-key: .*{existing} exists; choose another name"):
        write_new_key(tmp_path / "owner")
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "mine"


def test_a_folder_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--new-key: can't write .*: no such file or directory"):
        write_new_key(tmp_path / "absent" / "owner")


def test_a_key_with_a_password_asks_for_it(tmp_path: Path) -> None:
    write_new_key(tmp_path / "owner", "secret")
    assert b"ENCRYPTED" in (tmp_path / "owner").read_bytes()
    assert read_private_key(tmp_path / "owner", lambda: "secret")
    with pytest.raises(InputError, match=r"--key: the password of .*owner is wrong; try again"):
        read_private_key(tmp_path / "owner", lambda: "wrong")


def test_openssh_keys_are_read(tmp_path: Path) -> None:
    write_new_key(tmp_path / "owner")
    key = read_private_key(tmp_path / "owner", no_password)
    plain, form = serialization.NoEncryption(), serialization.PrivateFormat.OpenSSH
    (tmp_path / "ssh").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    text = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (tmp_path / "ssh.pub").write_bytes(text + b" me@here\n")
    assert raw_bytes(read_private_key(tmp_path / "ssh", no_password).public_key()) == raw_bytes(key.public_key())
    assert raw_bytes(read_public_key(tmp_path / "ssh.pub")) == raw_bytes(key.public_key())


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "k.pub"], check=True, capture_output=True, text=True).stdout
    assert fingerprint(read_public_key(tmp_path / "k.pub")) in shown
    assert read_private_key(tmp_path / "k", no_password)


def test_other_kinds_and_mistaken_files_are_refused(tmp_path: Path) -> None:
    write_new_key(tmp_path / "owner")
    other = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "ec").write_bytes(other.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    public = other.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ec.pub").write_bytes(public)
    (tmp_path / "cut").write_bytes((tmp_path / "owner").read_bytes()[:60])
    with pytest.raises(InputError, match="ec is a key of another kind than Ed25519"):
        read_private_key(tmp_path / "ec", no_password)
    with pytest.raises(InputError, match=r"ec\.pub is a key of another kind than Ed25519"):
        read_public_key(tmp_path / "ec.pub")
    with pytest.raises(InputError, match="owner is a private key, which does not belong on a device; give the public key"):
        read_public_key(tmp_path / "owner")
    with pytest.raises(InputError, match=r"owner\.pub is no private key"):
        read_private_key(tmp_path / "owner.pub", no_password)
    with pytest.raises(InputError, match="cut is no Ed25519 private key that can be read"):
        read_private_key(tmp_path / "cut", no_password)
    with pytest.raises(InputError, match=r"--require-signature: .*absent can't be read"):
        read_public_key(tmp_path / "absent", "--require-signature")


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(InputError, match=r"--new-key: \. is no name of a file; give one"):
        write_new_key(Path())


def test_an_interrupted_question_is_not_a_wrong_key(tmp_path: Path) -> None:
    write_new_key(tmp_path / "owner", "secret")

    def interrupted() -> str:
        raise KeyboardInterrupt

    def click_abort() -> str:
        raise RuntimeError("click.Abort is one")

    with pytest.raises(KeyboardInterrupt):
        read_private_key(tmp_path / "owner", interrupted)
    with pytest.raises(RuntimeError, match=r"click\.Abort"):
        read_private_key(tmp_path / "owner", click_abort)
    with pytest.raises(InputError, match=r"the password of .* is wrong"):
        read_private_key(tmp_path / "owner", lambda: "\udcff")
