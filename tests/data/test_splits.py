from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data import Dataset, Sample, open_dataset
from edgecnn.data.splits import assign_groups, train_val_split
from edgecnn.errors import InputError


def grouped(groups: list[str]) -> Dataset:
    samples = [Sample(str(number), lambda: np.zeros((1, 1, 3), np.uint8), group=group) for number, group in enumerate(groups)]
    return Dataset("small", "detect", ("a",), samples)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=12, max_size=60), st.integers(0, 9))
def test_no_group_is_on_both_sides_and_nothing_is_lost(groups: list[str], seed: int) -> None:
    if len(set(groups)) < 2:
        groups = [*groups, "other"]
    learn, held_out = train_val_split(grouped(groups), 0.25, seed)
    sides = [{sample.group for sample in part.samples} - {""} for part in (learn, held_out)]
    assert not sides[0] & sides[1]
    assert sorted(int(one.name) for part in (learn, held_out) for one in part.samples) == list(range(len(groups)))
    assert len(learn) > 0
    assert len(held_out) > 0


@pytest.mark.parametrize("part", [0.1, 0.2, 0.5])
def test_the_size_is_close_to_what_was_asked(part: float) -> None:
    groups = [str(number % 25) for number in range(500)]
    _, held_out = train_val_split(grouped(groups), part, 1)
    assert abs(len(held_out) - part * 500) <= 10


def test_the_seed_decides() -> None:
    dataset = grouped([str(number // 4) for number in range(100)])
    first, again, other = ([one.name for one in train_val_split(dataset, 0.2, seed)[1].samples] for seed in (1, 1, 2))
    assert first == again != other


def test_samples_without_groups_are_divided_as_they_always_were() -> None:
    _, held_out = train_val_split(grouped([""] * 320), 0.1, 3)
    order = np.random.default_rng((3, 320)).permutation(320)
    assert [int(one.name) for one in held_out.samples] == sorted(order[:32])


def test_copies_of_an_image_stay_together() -> None:
    samples = [Sample(str(n), lambda level=n % 7: np.full((2, 2, 3), level, np.uint8)) for n in range(21)]
    dataset = assign_groups(Dataset("small", "detect", ("a",), samples), "@content")
    learn, held_out = train_val_split(dataset, 0.3, 0)
    assert (len(learn), len(held_out)) == (15, 6)
    assert not {int(one.name) % 7 for one in learn.samples} & {int(one.name) % 7 for one in held_out.samples}


def test_a_single_group_can_not_be_divided() -> None:
    with pytest.raises(InputError, match=r"5 in small, all of one group \(clip\)"):
        train_val_split(grouped(["clip"] * 5), 0.2, 0)


def test_frames_of_the_scene_are_grouped_by_cut() -> None:
    from edgecnn.data import open_dataset

    dataset = open_dataset("scene:cups?seed=1&count=12&every=120&cut=8")
    learn, held_out = train_val_split(dataset, 0.3, 0)
    assert not {one.group for one in learn.samples} & {one.group for one in held_out.samples}
    assert (len(learn), len(held_out)) == (8, 4)


def test_a_list_names_the_images_that_count(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "some.txt").write_text("c.png\nimages/a.png\n\nd.png\n")
    dataset = open_dataset(f"{tmp_path}?list={tmp_path / 'some.txt'}")
    assert [sample.name for sample in dataset.samples] == ["a.png", "c.png"]
    assert [(problem.where, problem.what) for problem in dataset.problems] == [("some.txt:4", "no image d.png")]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"a.png\n", id="plain"),
        pytest.param(b"\xef\xbb\xbfa.png\r\n", id="byte order mark"),
        pytest.param("a.png\n".encode("utf-16"), id="UTF-16"),
        pytest.param(b"/home/someone/set/a.png", id="absolute"),
        pytest.param(b"C:\\set\\images\\a.png\r\n\r\n", id="Windows"),
        pytest.param(b".\n./\na.png", id="no name"),
    ],
)
def test_a_list_may_be_of_another_system(tmp_path: Path, line: bytes) -> None:
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "some.txt").write_bytes(line)
    assert [sample.name for sample in open_dataset(f"{tmp_path}?list={tmp_path / 'some.txt'}").samples] == ["a.png"]


def test_folders_in_a_list_tell_images_of_one_name_apart(tmp_path: Path) -> None:
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.zeros((8, 8, 3), np.uint8))
    listing = tmp_path / "some.txt"
    listing.write_text("other/dog/a.png\n")
    assert [sample.name for sample in open_dataset(f"{tmp_path}?list={listing}").samples] == ["dog/a.png"]
    listing.write_text("a.png\n")
    dataset = open_dataset(f"{tmp_path}?list={listing}")
    assert (len(dataset), dataset.problems[0].what) == (2, "2 images of the name a.png; all are used")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "no such file", id="missing"),
        pytest.param(b"x.png", "names none of the images", id="other names"),
        pytest.param(b"", "names none of the images", id="empty"),
        pytest.param(b"a.png\0\n", "contains zero bytes", id="zero byte"),
        pytest.param(b"caf\xe9.png\n", "is not UTF-8 text; save it as UTF-8", id="Latin-1"),
        pytest.param(b"x" * 70_000, "names none of the images", id="a huge line"),
        pytest.param("folder", "is a directory", id="a folder"),
    ],
)
def test_a_list_without_images_is_one_line(content: bytes | str | None, said: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    listing = tmp_path / "some.txt"
    if isinstance(content, bytes):
        listing.write_bytes(content)
    elif content:
        listing.mkdir()
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(f"{tmp_path}?list={listing}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("place", ["", "a" * 5000, "~nobody-of-this-name/x"])
def test_a_list_at_no_possible_place_is_one_line(tmp_path: Path, place: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="list="):
        open_dataset(f"{tmp_path}?list={place}")
