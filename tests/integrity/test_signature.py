"""Signatures: right ones pass in every format; unsigned, changed and foreign files are refused with the right cause."""

from __future__ import annotations

import base64
import errno
import shutil
from pathlib import Path
from typing import BinaryIO

import pytest

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError, InputError
from edgecnn.integrity.digest import check_digests, sealed
from edgecnn.integrity.sections import DIGEST_KEY, SIGNATURE_KEY, format_of, read_body, split
from edgecnn.runtime.backends import open_backend
from tests.integrity.files import CARD, FORMATS, LOGITS, bare, exported

pytest.importorskip("cryptography")

from edgecnn.integrity.keys import raw_bytes, read_public_key, write_new_key
from edgecnn.integrity.signature import require_signature, sign_file, verify_file


def no_password() -> str:
    raise AssertionError("the key has no password")


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    write_new_key(folder / "owner")
    write_new_key(folder / "other")
    return folder


def test_a_signed_file_passes_and_runs(tmp_path: Path, kind: str, keys: Path) -> None:
    path = exported(tmp_path, kind)
    before = check_digests(path)
    signature = sign_file(path, keys / "owner", no_password)
    require_signature(path, keys / "owner.pub")
    assert signature.digests == check_digests(path) == before
    open_backend(path).close()
    once = path.read_bytes()
    sign_file(path, keys / "owner", no_password)
    assert path.read_bytes() == once


def test_an_unsigned_file_is_refused(tmp_path: Path, kind: str, keys: Path) -> None:
    for path in (exported(tmp_path, kind), bare(tmp_path, kind, "bare")):
        with pytest.raises(ArtifactError, match=rf"{path.name} is not signed; sign it with: edgecnn sign FILE --key KEY$"):
            require_signature(path, keys / "owner.pub")
        require_signature(path, None)


def test_another_key_is_named(tmp_path: Path, kind: str, keys: Path) -> None:
    path = exported(tmp_path, kind)
    sign_file(path, keys / "other", no_password)
    with pytest.raises(ArtifactError, match=r"is signed by the key SHA256:.{43}, not by SHA256:.{43}; "):
        require_signature(path, keys / "owner.pub")


def test_a_changed_card_with_right_digests_is_refused(tmp_path: Path, kind: str, keys: Path) -> None:
    path = exported(tmp_path, kind)
    sign_file(path, keys / "owner", no_password)
    _, content = sealed(path, CARD.replace(labels=("cold", "warm")), {SIGNATURE_KEY: split(path).texts[SIGNATURE_KEY]})
    path.write_bytes(content)
    assert check_digests(path) is not None
    with pytest.raises(ArtifactError, match=r"the signature of .* is not that of this file and key"):
        require_signature(path, keys / "owner.pub")


def test_a_signature_of_another_file_is_refused(tmp_path: Path, kind: str, keys: Path) -> None:
    path, other = exported(tmp_path, kind), exported(tmp_path, kind, "other", LOGITS + 1)
    sign_file(path, keys / "owner", no_password)
    texts = {**split(other).texts, SIGNATURE_KEY: split(path).texts[SIGNATURE_KEY]}
    other.write_bytes(format_of(other).join(read_body(other, split(other)), texts))
    with pytest.raises(ArtifactError, match="is not that of this file and key"):
        require_signature(other, keys / "owner.pub")


def test_changed_weights_are_the_cause_that_is_told(tmp_path: Path, keys: Path) -> None:
    path = exported(tmp_path, "openvino")
    sign_file(path, keys / "owner", no_password)
    path.with_suffix(".bin").write_bytes(bytes(path.with_suffix(".bin").stat().st_size))
    with pytest.raises(ArtifactError, match="the weights of"):
        require_signature(path, keys / "owner.pub")
    with pytest.raises(ArtifactError, match="the weights of"):
        sign_file(path, keys / "owner", no_password)


def test_every_changed_byte_of_the_signature_is_noticed(tmp_path: Path, kind: str, keys: Path) -> None:
    path = exported(tmp_path, kind)
    sign_file(path, keys / "owner", no_password)
    content = path.read_bytes()
    value = split(path).texts[SIGNATURE_KEY].replace(b'"', b"&quot;") if kind == "openvino" else split(path).texts[SIGNATURE_KEY]
    start = content.index(value)
    for place in range(start, start + len(value), 3):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ArtifactError):
            check_digests(path)


def test_a_file_of_another_tool_can_be_signed(tmp_path: Path, kind: str, keys: Path) -> None:
    path = bare(tmp_path, kind)
    sign_file(path, keys / "owner", no_password)
    require_signature(path, keys / "owner.pub")
    assert list(split(path).texts) == [DIGEST_KEY, SIGNATURE_KEY]
    open_backend(path).close()
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="are not those that were written into it"):
        require_signature(path, keys / "owner.pub")


def test_a_file_exported_before_there_were_digests_gets_them(tmp_path: Path, kind: str, keys: Path) -> None:
    path = exported(tmp_path, kind)
    texts = {CARD_KEY: CARD.to_json().encode()}
    path.write_bytes(format_of(path).join(read_body(path, split(path)), texts))
    assert check_digests(path) is None
    signature = sign_file(path, keys / "owner", no_password)
    card = ModelCard.from_json(split(path).texts[CARD_KEY].decode())
    assert card == CARD.replace(graph_sha256=signature.digests.graph)


def test_a_signed_copy_leaves_the_file_alone_and_has_its_weights(tmp_path: Path, kind: str, keys: Path) -> None:
    path, out = exported(tmp_path, kind), tmp_path / "ship" / "device"
    out = out.with_suffix(path.suffix)
    out.parent.mkdir()
    before = path.read_bytes()
    sign_file(path, keys / "owner", no_password, out)
    assert path.read_bytes() == before
    require_signature(out, keys / "owner.pub")
    open_backend(out).close()
    with pytest.raises(InputError, match="has another suffix"):
        sign_file(path, keys / "owner", no_password, tmp_path / "x.txt")


def test_metadata_of_other_tools_in_a_tflite_file_stays_and_is_covered(tmp_path: Path, keys: Path) -> None:
    import zipfile

    path = bare(tmp_path, "tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "cat\ndog\n")
        archive.writestr("raw.bin", b"\xff\xfe\x00")
    sign_file(path, keys / "owner", no_password)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"
        assert archive.read("raw.bin") == b"\xff\xfe\x00"
        assert archive.testzip() is None
    path.write_bytes(path.read_bytes().replace(b"cat\ndog\n", b"dog\ncat\n"))
    with pytest.raises(ArtifactError):
        require_signature(path, keys / "owner.pub")


def test_files_that_hold_no_signature_are_named(tmp_path: Path, keys: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"net\.safetensors can't hold a signature; name an \.onnx, \.xml, \.tflite or \.pte file"
    ):
        require_signature(tmp_path / "net.safetensors", keys / "owner.pub")
    with pytest.raises(InputError, match="does not exist"):
        require_signature(tmp_path / "absent.onnx", keys / "owner.pub")


def test_the_signature_is_plain_ed25519_over_the_digest(tmp_path: Path, keys: Path) -> None:
    import json

    path = exported(tmp_path, "onnx")
    sign_file(path, keys / "owner", no_password)
    texts = split(path).texts
    record = json.loads(texts[SIGNATURE_KEY])
    key = read_public_key(keys / "owner.pub")
    key.verify(base64.b64decode(record["signature"]), b"edgecnn signature 1\n" + texts[DIGEST_KEY])
    assert base64.b64decode(record["key"]) == raw_bytes(key)
    shutil.copy(path, tmp_path / "copy.onnx")
    assert verify_file(tmp_path / "copy.onnx", raw_bytes(key)).digests.whole == texts[DIGEST_KEY].decode()


def test_weights_of_a_copy_are_whole_or_absent(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    path = exported(tmp_path, "openvino")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "model.bin").write_bytes(b"mine")

    def full(_: object, target: BinaryIO) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(InputError, match=r"can't write .*model\.bin: no space left on device; free some space"):
        sign_file(path, keys / "owner", no_password, tmp_path / "copy" / "model.xml")
    assert [file.name for file in (tmp_path / "copy").iterdir()] == ["model.bin"]
    assert (tmp_path / "copy" / "model.bin").read_bytes() == b"mine"


def test_a_signed_copy_has_its_external_data(tmp_path: Path, keys: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = bare(tmp_path, "onnx")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, "weights.data")
    onnx.save(model, path)
    (tmp_path / "ship").mkdir()
    out = tmp_path / "ship" / "model.onnx"
    sign_file(path, keys / "owner", no_password, out)
    assert (tmp_path / "ship" / "weights.data").read_bytes() == (tmp_path / "weights.data").read_bytes()
    require_signature(out, keys / "owner.pub")
