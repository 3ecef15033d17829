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
    ("content", "said"),
    [pytest.param(None, "No such file", id="missing"), pytest.param("x.png", "names none of the images", id="other-names")],
)
def test_a_list_without_images_is_one_line(content: str | None, said: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    if content:
        (tmp_path / "some.txt").write_text(content)
    with pytest.raises(InputError, match=said):
        open_dataset(f"{tmp_path}?list={tmp_path / 'some.txt'}")
