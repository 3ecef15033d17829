"""The digests notice every changed byte, depend on nothing but the content, and leave files without digests alone."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError
from edgecnn.golden import GOLDENS_KEY
from edgecnn.integrity import onnx_file
from edgecnn.integrity.digest import check_digests, graph_sha256, sealed
from edgecnn.integrity.protobuf import bytes_field
from edgecnn.integrity.sections import DIGEST_KEY, format_of, read_body, split
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.selftest import selftest_file
from tests.integrity.files import CARD, FORMATS, LOGITS, bare, exported

FLIPS = 400


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_whole_file_passes_and_says_its_digest(tmp_path: Path, kind: str) -> None:
    path = exported(tmp_path, kind)
    digests = check_digests(path)
    assert digests is not None
    card, result = selftest_file(path)
    assert card == CARD.replace(graph_sha256=digests.graph)
    assert (result.violations, result.digests) == ([], digests)


def test_the_engine_reads_the_same_texts(tmp_path: Path, kind: str) -> None:
    path = exported(tmp_path, kind)
    texts = split(path).texts
    backend = open_backend(path)
    assert {key: text.encode() for key, text in backend.metadata.items() if key.startswith("edgecnn.")} == texts
    assert list(texts) == [CARD_KEY, GOLDENS_KEY, DIGEST_KEY]


def test_every_flipped_bit_is_noticed(tmp_path: Path, kind: str) -> None:
    path = exported(tmp_path, kind)
    content, chance = path.read_bytes(), random.Random(5)
    texts_start = content.rfind(b"edgecnn.card") if kind != "openvino" else content.rfind(b"<edgecnn>")
    places = [chance.randrange(len(content)) for _ in range(FLIPS // 2)]
    places += [chance.randrange(texts_start, len(content)) for _ in range(FLIPS // 2)]
    places += range(len(content) - 30, len(content))
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        assert notices(path), f"byte {place} of {len(content)}"
    path.write_bytes(content)
    assert not notices(path)


def notices(path: Path) -> bool:
    """Whether the check refuses a file, or no longer takes it for one of edgecnn: then no goldens are there to pass."""
    try:
        return check_digests(path) is None and GOLDENS_KEY not in split(path).texts
    except ArtifactError:
        return True


@pytest.mark.parametrize("change", ["zeros", "swapped", "doubled", "cut", "longer"])
def test_changed_blocks_are_noticed(tmp_path: Path, kind: str, change: str) -> None:
    path = exported(tmp_path, kind)
    content, size = path.read_bytes(), 64
    changes = {
        "zeros": lambda at: content[:at] + bytes(size) + content[at + size :],
        "swapped": lambda at: (
            content[:at] + content[at + size : at + 2 * size] + content[at : at + size] + content[at + 2 * size :]
        ),
        "doubled": lambda at: content[: at + size] + content[at:],
        "cut": lambda at: content[:at] + content[at + size :],
        "longer": lambda at: content + bytes(at % 7 + 1),
    }
    for at in range(0, len(content) - 2 * size, len(content) // 40):
        changed = changes[change](at)
        if changed != content:
            path.write_bytes(changed)
            assert notices(path), at


def test_other_weights_are_named_as_the_cause_and_no_engine_sees_them(tmp_path: Path, kind: str) -> None:
    path, other = exported(tmp_path, kind), bare(tmp_path, kind, "other", LOGITS + 1)
    transplant(path, other)
    with pytest.raises(
        ArtifactError, match=r"^the weights of .*other\.\w+ are not those that were verified: SHA-256 .*, expected"
    ):
        open_backend(other)


def transplant(source: Path, target: Path) -> None:
    """Put the texts of one file into another one, as they are."""
    target.write_bytes(format_of(target).join(read_body(target, split(target)), split(source).texts))


def test_another_or_missing_bin_is_noticed(tmp_path: Path) -> None:
    path, other = exported(tmp_path, "openvino"), exported(tmp_path, "openvino", "other", LOGITS + 1)
    whole = path.with_suffix(".bin").read_bytes()
    shutil.copy(other.with_suffix(".bin"), path.with_suffix(".bin"))
    with pytest.raises(ArtifactError, match="the weights of"):
        open_backend(path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(ArtifactError, match="the weights of"):
        open_backend(path)
    path.with_suffix(".bin").write_bytes(whole + b"\0")
    with pytest.raises(ArtifactError, match="the weights of"):
        open_backend(path)
    path.with_suffix(".bin").write_bytes(whole)
    open_backend(path).close()


def test_the_digest_of_the_graph_stays_when_the_card_is_written_again(tmp_path: Path, kind: str) -> None:
    path = exported(tmp_path, kind)
    before = check_digests(path)
    assert before is not None
    card, content = sealed(path, CARD.replace(source_commit="abc", training={"scores": {"map": 0.5}}), {})
    path.write_bytes(content)
    after = check_digests(path)
    assert card is not None
    assert after is not None
    assert after.graph == before.graph == card.graph_sha256
    assert after.whole != before.whole
    # the same content gives the same bytes
    assert sealed(path, card, {})[1] == content


def test_the_digest_is_that_of_the_bare_file(tmp_path: Path) -> None:
    for kind in ("onnx", "tflite"):
        path = bare(tmp_path, kind)
        body = path.read_bytes()
        sections = split(exported(tmp_path, kind))
        assert read_body(path, sections) == body
        assert graph_sha256(path, sections) == hashlib.sha256(body).hexdigest()


def test_files_without_a_digest_are_left_alone(tmp_path: Path, kind: str) -> None:
    path = bare(tmp_path, kind)
    assert check_digests(path) is None
    open_backend(path).close()
    assert check_digests(tmp_path / "checkpoint.safetensors") is None


def test_a_file_that_lost_its_digest_is_refused(tmp_path: Path, kind: str) -> None:
    path = exported(tmp_path, kind)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"edgecnn.digest", b"edgecnn.digesu").replace(b"<digest ", b"<digesu "))
    with pytest.raises(
        ArtifactError, match="has lost the digest of its card and goldens; export the model or copy its file again"
    ):
        check_digests(path)


def test_a_large_file_is_checked_beside_the_engine(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.integrity.load_check.FIRST_BYTES", 0)
    path = exported(tmp_path, kind)
    open_backend(path).close()
    content = path.read_bytes()
    weight = np.float32(LOGITS[0, 1]).tobytes()
    holder = path.with_suffix(".bin") if kind == "openvino" else path
    changed = holder.read_bytes()
    assert changed.count(weight) == 1
    holder.write_bytes(changed.replace(weight, np.float32(7).tobytes()))
    with pytest.raises(EdgeCnnError, match="the weights of"):
        open_backend(path)
    if kind == "tflite":  # an engine that refuses the file is not the reason that is told
        path.write_bytes(content[:40] + bytes(60) + content[100:])
        with pytest.raises(ArtifactError, match="the weights of"):
            open_backend(path)


def test_external_data_of_onnx_counts_as_weights(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = bare(tmp_path, "onnx")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, "weights.data")
    onnx.save(model, path)
    card, content = sealed(path, CARD, {})
    path.write_bytes(content)
    assert ModelCard.from_json(split(path).texts[CARD_KEY].decode()) == card
    assert check_digests(path) is not None
    weights = tmp_path / "weights.data"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ArtifactError, match="the weights of"):
        check_digests(path)


def test_a_name_of_external_data_counts_wherever_its_mark_is(tmp_path: Path) -> None:
    """A protobuf parser merges two parts of an attribute's tensor: the name may be in one and the mark, data_location, in the other."""
    name = bytes_field(13, bytes_field(1, b"location") + bytes_field(2, b"weights.data"))
    mark = b"\x70\x01"
    attribute = bytes_field(5, name) + bytes_field(5, mark)
    body = bytes_field(7, bytes_field(1, bytes_field(5, attribute)))
    assert onnx_file.companions(tmp_path / "model.onnx", body) == {"weights.data": tmp_path / "weights.data"}
