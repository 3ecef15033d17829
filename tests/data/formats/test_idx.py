from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import held_out_split, open_dataset
from edgecnn.data.formats.idx import FASHION_LABELS, read_arrays
from edgecnn.errors import InputError

Writer = Callable[..., Path]


@pytest.mark.parametrize("packed", [pytest.param(True, id="gz"), pytest.param(False, id="plain")])
def test_samples_are_what_the_arrays_hold(tmp_path: Path, write_idx: Writer, packed: bool) -> None:
    folder = write_idx(tmp_path, count=20, packed=packed)
    images, labels = read_arrays(folder, "train")
    dataset = open_dataset(folder, split="train")
    assert images.shape == (20, 28, 28)
    assert labels.dtype == np.int64
    sample = dataset.samples[13]
    assert sample.label == labels[13] == 3
    assert sample.read().shape == (28, 28, 3)
    assert (sample.read() == images[13][..., None]).all()


def test_without_split_all_is_there_and_test_is_held_out(tmp_path: Path, write_idx: Writer) -> None:
    write_idx(tmp_path, "train", 20)
    write_idx(tmp_path, "test", 12)
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 32
    assert dataset.samples[20].name == "test/00000"
    assert held_out_split(tmp_path) == "test"


def test_samples_stay_lazy_under_every_and_limit(tmp_path: Path, write_idx: Writer) -> None:
    dataset = open_dataset(write_idx(tmp_path, count=20), limit=10).take(every=4)
    assert [sample.name for sample in dataset.samples] == ["train/00000", "train/00004", "train/00008"]


@pytest.mark.parametrize(
    ("name", "first"), [pytest.param("fashion-x", "T-shirt/top", id="fashion"), pytest.param("digits", "0", id="digits")]
)
def test_names_follow_the_folder_where_labels_are_not_the_published_ones(
    tmp_path: Path, write_idx: Writer, name: str, first: str
) -> None:
    assert open_dataset(write_idx(tmp_path / name)).labels[0] == first


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def _short(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def _wrong_magic(path: Path) -> None:
    path.write_bytes(gzip.compress(b"\0\0\x09\x03" + gzip.decompress(path.read_bytes())[4:]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(_cut, "can't unpack .*train-images", id="cut gz"),
        pytest.param(_corrupt, "can't unpack .*CRC", id="corrupt gz"),
        pytest.param(_short, "15679 of 15680 bytes", id="one byte short"),
        pytest.param(_wrong_magic, "begins with 00000903 instead of 00000803", id="wrong magic"),
        pytest.param(lambda path: path.write_bytes(b""), "it is empty", id="empty"),
        pytest.param(lambda path: path.write_bytes(b"not gzip"), "can't unpack .*train-images", id="not gzip"),
        pytest.param(Path.unlink, "lacks train-images.*the other file of a pair", id="no images"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, write_idx: Writer, spoil: Callable[[Path], None], said: str) -> None:
    spoil(write_idx(tmp_path) / "train-images-idx3-ubyte.gz")
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(tmp_path, split="train")
    assert "\n" not in str(caught.value)


def header(*values: int) -> Callable[[Path], None]:
    """Overwrite the big-endian numbers at the begin of the content."""

    def spoil(path: Path) -> None:
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(np.array(values, ">u4").tobytes() + content[4 * len(values) :]))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(header(0x803, 2**32 - 1, 2**16, 2**16), "is too small for the .* bytes", id="16 TiB"),
        pytest.param(header(0x803, 20, 0, 28), "images have 0 x 28 pixels", id="no height"),
        pytest.param(header(0x803, 1, 2**31, 2**31), "images have 2147483648 x 2147483648 pixels", id="too wide"),
        pytest.param(header(0x802), "begins with 00000802 instead of 00000803", id="two dimensions"),
        pytest.param(header(0xD03), "begins with 00000d03 instead of 00000803", id="float"),
        pytest.param(header(0x803, 10), "has more than 7840 bytes", id="fewer images than bytes"),
        pytest.param(header(0x803, 0), "has more than 0 bytes", id="no images"),
        pytest.param(lambda path: path.write_bytes(gzip.compress(b"\0\0\x08\x03\0\0")), "ends in its header", id="cut header"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "the other file of a pair", id="a folder"),
    ],
)
def test_a_header_that_lies_is_one_line(tmp_path: Path, write_idx: Writer, spoil: Callable[[Path], None], said: str) -> None:
    spoil(write_idx(tmp_path) / "train-images-idx3-ubyte.gz")
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(tmp_path, split="train")
    assert "\n" not in str(caught.value)


def test_splits_with_images_of_two_sizes_are_not_joined(tmp_path: Path, write_idx: Writer) -> None:
    write_idx(tmp_path, "train")
    write_idx(tmp_path, "test")
    images = tmp_path / "t10k-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(np.array([0x803, 20, 14, 56], ">u4").tobytes() + bytes(20 * 14 * 56)))
    with pytest.raises(InputError, match="have images of 56x14 and 28x28 pixels; name one split"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, split="test").samples[0].read().shape == (14, 56, 3)


def test_counts_must_agree(tmp_path: Path, write_idx: Writer) -> None:
    with pytest.raises(InputError, match="has 20 images, but 19 labels"):
        open_dataset(write_idx(tmp_path, count=20, labels=19))


def test_labels_without_a_name_are_problems(tmp_path: Path, write_idx: Writer) -> None:
    dataset = open_dataset(write_idx(tmp_path), labels=("a", "b"))
    assert [sample.label for sample in dataset.samples] == [0, 1, 0, 1]
    assert len(dataset.problems) == 16
    assert dataset.problems[0].where == "train/00002"
    assert dataset.problems[0].what == "the class 2 where there are 2 (0 to 1); left out"


def test_a_split_that_is_not_there_names_those_that_are(tmp_path: Path, write_idx: Writer) -> None:
    with pytest.raises(InputError, match=r"no split 'test'; name one that it has \(train\)"):
        open_dataset(write_idx(tmp_path), split="test")


def test_arrays_of_an_empty_folder_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--download"):
        read_arrays(tmp_path, "train")


@pytest.mark.real_data
def test_fashion_mnist_is_complete(real_data: Path) -> None:
    train = open_dataset(real_data / "fashion-mnist", split="train")
    test = open_dataset(real_data / "fashion-mnist", split="test")
    assert (len(train), len(test)) == (60000, 10000)
    assert test.labels == FASHION_LABELS
    assert [sample.label for sample in test.samples[:5]] == [9, 2, 1, 1, 6]
