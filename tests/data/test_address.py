from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, held_out_split, open_dataset
from edgecnn.data.address import parse_address, shown_address, with_default
from edgecnn.errors import InputError

Writer = Callable[..., Path]


@pytest.fixture
def clips(tmp_path: Path, write_yolo: Writer) -> Path:
    """Frames of clips of 6, 5, ... 1 images in a folder with shipped splits that share clips."""
    for clip in range(6):
        for frame in range(clip + 1):
            part = "valid" if frame == 0 else "train"
            write_yolo(tmp_path / part / "images", f"{clip}_{frame}", ["0 0.5 0.5 0.5 0.2", "2 0.5 0.5 0.2 0.2"])
    (tmp_path / "data.yaml").write_text("names: [car, bus, Person]\n")
    return tmp_path


def names(uri: str) -> set[str]:
    return {Path(sample.name).stem for sample in open_dataset(uri).samples}


def test_an_address_without_knobs_is_a_place() -> None:
    address = parse_address("some/where")
    assert (address.place, address.split, address.part, address.classes) == ("some/where", None, None, ())


def test_the_parts_of_an_address_make_up_the_whole(clips: Path) -> None:
    learn, held_out = (names(f"{clips}?part={part}&hold=0.3&seed=4&group=^(\\d+)_") for part in ("learn", "held-out"))
    assert learn | held_out == names(str(clips))
    assert not learn & held_out
    assert not {name[0] for name in learn} & {name[0] for name in held_out}
    assert len(held_out) == 6  # of 21, by whole clips


def test_a_part_is_drawn_from_all_shipped_splits_unless_one_is_named(clips: Path) -> None:
    assert dataset_splits(clips) == ("train", "valid")
    assert dataset_splits(f"{clips}?part=held-out") == ()
    assert held_out_split(f"{clips}?split=train") is None
    assert {name[2] for name in names(f"{clips}?split=valid&part=learn")} == {"0"}
    assert open_dataset(f"{clips}?split=valid&part=learn").split == "valid-learn"


def test_two_splits_contradict(clips: Path) -> None:
    with pytest.raises(InputError, match="train and valid"):
        open_dataset(f"{clips}?split=train", split="valid")


def test_classes_of_the_address(clips: Path) -> None:
    dataset = open_dataset(f"{clips}?rename=car,bus:vehicle&classes=person,face,vehicle", limit=1)
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert (dataset.labels, boxes.class_id.tolist()) == (("person", "face", "vehicle"), [2, 0])
    assert dataset.unlabelled == dataset.samples[0].unlabelled == {1}


def test_labels_and_merge_of_the_address(clips: Path) -> None:
    (clips / "data.yaml").unlink()
    dataset = open_dataset(f"{clips}?labels=a,b,c&merge=thing")
    assert (dataset.labels, dataset.problems) == (("thing",), ())


def test_a_scene_keeps_its_own_knobs() -> None:
    dataset = open_dataset("scene:cups?seed=3&count=2&rename=mug,glass:cup&classes=cup,car")
    assert (len(dataset), dataset.labels, dataset.unlabelled) == (2, ("cup", "car"), {1})
    assert parse_address("scene:cups?seed=3&count=2").place == "scene:cups?seed=3&count=2"


def test_a_folder_with_a_question_mark_is_a_folder(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "what?" / "cat" / "1.png")
    assert open_dataset(tmp_path / "what?").labels == ("cat",)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("sead=1", "a knob of split, labels, list, group, part", id="unknown knob"),
        pytest.param("part=test", "part as learn or held-out, found 'test'", id="part"),
        pytest.param("hold=1.5", "hold between 0 and 1", id="hold"),
        pytest.param("hold=x", "hold between 0 and 1", id="hold is no number"),
        pytest.param("seed=-1", "seed as a whole number", id="seed"),
        pytest.param("group=(", "a regular expression", id="group"),
        pytest.param("rename=a", "write name=name", id="rename"),
        pytest.param("rename=lorry:vehicle", "found lorry", id="rename of no class"),
        pytest.param("classes=dog", r"one of the classes dog, found car, bus, Person", id="no class in common"),
        pytest.param("classes=", "a value for classes", id="empty"),
        pytest.param("group=xyz", "file names that match 'xyz', found such as 1_1.png", id="group matches nothing"),
    ],
)
def test_a_mistake_in_an_address_is_one_line(clips: Path, query: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(f"{clips}?{query}")
    assert "\n" not in str(caught.value)


def test_an_image_that_the_expression_does_not_match_is_a_problem(clips: Path, write_yolo: Writer) -> None:
    write_yolo(clips / "train" / "images", "other", [])
    dataset = open_dataset(f"{clips}?group=^(\\d+)_")
    assert [problem.where for problem in dataset.problems] == ["train/images/other.png"]


def test_the_folder_of_a_user_is_not_shown(tmp_path: Path) -> None:
    shown = shown_address(f"{tmp_path}/set?labels={tmp_path}/names.txt&part=learn")
    assert shown == "set?labels=names.txt&part=learn"
    assert shown_address("scene:cups?seed=1") == "scene:cups?seed=1"


def test_a_default_does_not_replace_what_an_address_says() -> None:
    assert with_default("set", "group", "^a&b") == "set?group=^a%26b"
    assert with_default("set?seed=1", "group", "x") == "set?seed=1&group=x"
    assert with_default("set?group=y", "group", "x") == "set?group=y"
    assert with_default("scene:cups?count=2", "group", "x") == "scene:cups?count=2"
    assert parse_address(with_default("set", "group", "^a&b")).group == "^a&b"


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vehicles_are_divided_by_clip(real_data: Path, seed: int) -> None:
    place = f"{real_data / 'vehicles-topview-416'}?labels=Vehicle&hold=0.2&seed={seed}"
    learn, held_out = (open_dataset(f"{place}&part={part}") for part in ("learn", "held-out"))
    assert not {sample.group for sample in learn.samples} & {sample.group for sample in held_out.samples}
    assert len(learn) + len(held_out) == 489
    assert 0.15 < len(held_out) / 489 < 0.25
