"""Ed25519 keys in PEM and OpenSSH files, by the package cryptography (extra ``sign``)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.errors import InputError, MissingExtraError, first_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NEW_KEY = "make one with: edgecnn sign --new-key NAME"
MOST_BYTES = 1 << 16
Ask = Callable[[], str]
"""Asks for the password of an encrypted key."""


def read_private_key(path: Path, ask: Ask) -> Ed25519PrivateKey:
    """The private key at ``path``; ``ask`` is called if it is encrypted. Raises ``InputError`` and ``MissingExtraError``."""
    serialization = _serialization()
    data = check_private_key(path)
    load = serialization.load_ssh_private_key if b"OPENSSH PRIVATE" in data else serialization.load_pem_private_key
    key = _decoded(load, data, None, path)
    if key is None:
        key = _decoded(load, data, ask().encode(errors="surrogateescape"), path)
    _check_kind(key.public_key(), path)
    return key  # type: ignore[no-any-return]


def check_private_key(path: Path) -> bytes:
    """The content of the private key at ``path``, not decrypted. Raises ``InputError`` where it can't be read or is no private key."""
    data = _read(path)
    if b"PRIVATE KEY" not in data:
        raise InputError(f"--key: {path} is no private key", NEW_KEY)
    return data


def read_public_key(path: Path, option: str = "--key") -> Ed25519PublicKey:
    """The public key at ``path``. Raises ``InputError`` that names ``option``, and ``MissingExtraError``."""
    serialization = _serialization()
    data = _read(path, option)
    if b"PRIVATE KEY" in data:
        raise InputError(f"{option}: {path} is a private key, which does not belong on a device", "give the public key")
    load = serialization.load_pem_public_key if data.lstrip().startswith(b"-----") else serialization.load_ssh_public_key
    try:
        key = load(data)
    except Exception as error:
        raise InputError(f"{option}: {path} is no public key in PEM or OpenSSH form ({first_line(error)})", NEW_KEY) from error
    _check_kind(key, path, option)
    return key  # type: ignore[no-any-return]


def write_new_key(path: Path, password: str = "") -> tuple[Path, str]:
    """Write a new private key to ``path``, readable by its owner only, and the public one to ``path``.pub, both in PEM.

    ``password`` encrypts the private key. Returns the path and the fingerprint of the public key. Raises ``InputError`` where one
    of the files exists or can't be written.
    """
    serialization, key = _serialization(), _ed25519().Ed25519PrivateKey.generate()
    if not path.name:
        raise InputError(f"--new-key: {path} is no name of a file", "give one, such as owner")
    public = path.with_name(f"{path.name}.pub")
    encryption = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    private_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public_text = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for existing in (path, public):
        if existing.exists():
            raise InputError(f"--new-key: {existing} exists", "choose another name")
    try:
        _write_once(path, private_text, 0o600)
        try:
            _write_once(public, public_text, 0o644)
        except BaseException:
            path.unlink()
            raise
    except FileExistsError as error:
        raise InputError(f"--new-key: {error.filename} exists", "choose another name") from error
    except OSError as error:
        raise InputError(
            f"--new-key: can't write {path}: {(error.strerror or str(error)).lower()}", "choose another place"
        ) from error
    return public, fingerprint(key.public_key())


def raw_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


def fingerprint(key: Ed25519PublicKey | bytes) -> str:
    """SHA256:..., as ``ssh-keygen -l`` shows it (RFC 4253, section 6.6, and RFC 8709)."""
    raw = key if isinstance(key, bytes) else raw_bytes(key)
    name = b"ssh-ed25519"
    wire = struct.pack(">I", len(name)) + name + struct.pack(">I", len(raw)) + raw
    return f"SHA256:{base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip('=')}"


def _decoded(load: Any, data: bytes, password: bytes | None, path: Path) -> Any:
    """The private key; None for an encrypted one where no ``password`` is given."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return load(data, password)
    except Exception as error:
        if password is None and isinstance(error, TypeError):
            return None
        if password is not None and isinstance(error, UnsupportedAlgorithm) and "bcrypt" in str(error):
            raise InputError(
                f"--key: {path} has a password of ssh-keygen, which needs the package bcrypt", "run: pip install bcrypt"
            ) from error
        if password is not None and isinstance(error, ValueError):
            raise InputError(f"--key: the password of {path} is wrong", "try again") from error
        raise InputError(f"--key: {path} is no Ed25519 private key that can be read ({first_line(error)})", NEW_KEY) from error


def _check_kind(key: object, path: Path, option: str = "--key") -> None:
    if not isinstance(key, _ed25519().Ed25519PublicKey):
        raise InputError(f"{option}: {path} is a key of another kind than Ed25519", NEW_KEY)


def _read(path: Path, option: str = "--key") -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise InputError(
            f"{option}: {path} can't be read ({(error.strerror or str(error)).lower()})", "check the path"
        ) from error


def _write_once(path: Path, content: bytes, mode: int) -> None:
    """Write a new file; an existing one is never touched. Raises ``OSError``."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _serialization() -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise MissingExtraError("cryptography", "sign") from error
    return serialization


def _ed25519() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519
