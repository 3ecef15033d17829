from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, held_out_parts, held_out_split, open_dataset
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


def test_an_address_without_parameters_is_a_place() -> None:
    address = parse_address("some/where")
    assert (address.place, address.split, address.val_fraction, address.classes) == ("some/where", None, None, ())


def test_the_parts_of_an_address_make_up_the_whole(clips: Path) -> None:
    learn, held_out = (names(f"{clips}?split={part}&val_fraction=0.3&seed=4&group=^(\\d+)_") for part in ("train", "val"))
    assert learn | held_out == names(str(clips))
    assert not learn & held_out
    assert not {name[0] for name in learn} & {name[0] for name in held_out}
    assert len(held_out) == 6  # of 21, by whole clips


def test_a_split_is_the_datasets_own_where_it_has_one(clips: Path) -> None:
    assert dataset_splits(clips) == ("train", "valid")
    assert dataset_splits(f"{clips}?split=val") == ()
    assert held_out_split(clips) == "valid"
    assert held_out_split(f"{clips}?split=train") is None
    assert {name[2] for name in names(f"{clips}?split=val")} == {"0"}
    assert {open_dataset(f"{clips}?split={name}").split for name in ("val", "valid", "validation")} == {"valid"}


def test_a_fraction_divides_anew_what_is_not_kept_for_testing(clips: Path, write_yolo: Writer) -> None:
    for frame in range(4):
        write_yolo(clips / "test" / "images", f"t_{frame}", ["0 0.5 0.5 0.5 0.2"])
    parts = [f"{clips}?split={part}&val_fraction=0.3&group=^(.+)_" for part in ("train", "val")]
    train, val = map(names, parts)
    assert dataset_splits(parts[0]) == ()
    assert not train & val
    assert train | val == names(str(clips)) - names(f"{clips}?split=test")
    assert [open_dataset(part).split for part in parts] == ["train", "val"]
    assert [[one.split for one in held_out_parts(part)] for part in parts] == [["val", "test"], []]


def test_a_dataset_without_splits_is_divided_into_train_and_val(tmp_path: Path, write_image: Writer) -> None:
    for number in range(10):
        write_image(tmp_path / "cat" / f"{number}.png", seed=number)
    assert dataset_splits(tmp_path) == ()
    train, val, all_images = (names(f"{tmp_path}{query}") for query in ("?split=train", "?split=val", ""))
    assert (len(train), len(val), train | val) == (8, 2, all_images)
    assert names(f"{tmp_path}?split=validation&val_fraction=0.2") == val
    assert names(f"{tmp_path}?split=val&seed=1") != val
    assert {Path(sample.name).stem for sample in open_dataset(tmp_path, split="val").samples} == val
    assert [one.split for one in held_out_parts(f"{tmp_path}?split=train")] == ["val"]
    assert held_out_parts(tmp_path) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        pytest.param("?split=test", r"has no split 'test'; name one that it has \(train, valid\)$", id="no such split"),
        pytest.param("?val_fraction=0.2", r"split= is missing; add split=train or split=val", id="a fraction of what"),
        pytest.param("?val_fraction=0.2&split=test", r"split= is test; add split=train or split=val", id="a fraction of test"),
    ],
)
def test_an_ambiguous_split_is_an_error_with_a_way_out(clips: Path, query: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        open_dataset(f"{clips}{query}")


def test_a_split_that_a_divided_dataset_lacks_is_not_made_up(tmp_path: Path, write_idx: Writer) -> None:
    write_idx(tmp_path, "train", count=20)
    write_idx(tmp_path, "test", count=20)
    with pytest.raises(
        InputError, match=r"no split 'val'; name one that it has \(train, test\), or add val_fraction=0.2 to divide"
    ):
        open_dataset(f"{tmp_path}?split=val")
    assert all(sample.name.startswith("train") for sample in open_dataset(f"{tmp_path}?split=val&val_fraction=0.2").samples)
    assert len(names(f"{tmp_path}?split=train&val_fraction=0.2")) == 16


def test_splits_with_different_classes_are_not_divided_together(tmp_path: Path, write_coco: Writer) -> None:
    for split, name in (("train", "cat"), ("val", "lion"), ("test", "cat")):
        path = write_coco(tmp_path, [], f"instances_{split}.json")
        path.write_text(path.read_text().replace('"cat"', f'"{name}"'))
    with pytest.raises(InputError, match=r"the splits train, val of .* have different classes; name them with labels="):
        open_dataset(f"{tmp_path}?split=val&val_fraction=0.5")


@pytest.mark.parametrize(
    ("old", "new"),
    [("part=learn", "split=train"), ("part=held-out", "split=val"), ("hold=0.2", "val_fraction=")],
)
def test_an_earlier_name_of_a_parameter_is_answered_with_the_new_one(old: str, new: str) -> None:
    with pytest.raises(InputError, match=f"parameter {old.partition('=')[0]}= has a new name; write .*{new}"):
        parse_address(f"somewhere?{old}")


def test_a_seed_without_a_division_is_refused(tmp_path: Path, write_image: Writer) -> None:
    for number in range(4):
        write_image(tmp_path / "cat" / f"{number}.png", seed=number)
    with pytest.raises(InputError, match="is not divided without split=train or split=val"):
        open_dataset(f"{tmp_path}?seed=1")
    assert len(open_dataset(f"{tmp_path}?seed=1&split=val")) == 1


def test_an_image_of_two_splits_is_on_one_side_of_a_new_division(tmp_path: Path, write_voc: Writer) -> None:
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    stems = [str(number) for number in range(8)]
    for stem in stems:
        write_voc(tmp_path, stem, [("dog", (1, 2, 11, 12))])
    for name, part in {"train": stems[:5], "val": stems[5:7], "trainval": stems[:7], "test": stems[7:]}.items():
        (lists / f"{name}.txt").write_text("\n".join(part))
    parts = [open_dataset(f"{tmp_path}?split={part}&val_fraction=0.3") for part in ("train", "val")]
    found = [sample.name for part in parts for sample in part.samples]
    assert sorted(found) == [f"{stem}.png" for stem in stems[:7]]


def test_images_of_one_name_in_two_splits_are_two_images(tmp_path: Path, write_coco: Writer, write_image: Writer) -> None:
    for split in ("train", "val"):
        write_coco(tmp_path, [], f"instances_{split}.json")
        for number in (11, 12):
            write_image(tmp_path / split / f"{number}.png", seed=number)
    parts = [open_dataset(f"{tmp_path}?split={part}&val_fraction=0.25") for part in ("train", "val")]
    assert [len(part) for part in parts] == [3, 1]
    assert {sample.name for part in parts for sample in part.samples} == {
        f"{split}/{n}.png" for split in ("train", "val") for n in (11, 12)
    }


def test_two_splits_contradict(clips: Path) -> None:
    with pytest.raises(InputError, match=r"two splits of .* are named, train and valid"):
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


def test_a_scene_keeps_its_own_parameters() -> None:
    dataset = open_dataset("scene:cups?seed=3&count=2&rename=mug,glass:cup&classes=cup,car")
    assert (len(dataset), dataset.labels, dataset.unlabelled) == (2, ("cup", "car"), {1})
    assert parse_address("scene:cups?seed=3&count=2").place == "scene:cups?seed=3&count=2"


def test_a_folder_with_a_question_mark_is_a_folder(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "what?" / "cat" / "1.png")
    assert open_dataset(tmp_path / "what?").labels == ("cat",)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param(
            "sead=1",
            "no parameter 'sead'; use one of format, task, labels, list, every, group, split, val_fraction",
            id="unknown parameter",
        ),
        pytest.param("val_fraction=1.5", "val_fraction=1.5 is not a number between 0 and 1", id="fraction"),
        pytest.param("val_fraction=x", "val_fraction=x is not a number between 0 and 1", id="fraction is no number"),
        pytest.param("seed=-1", "seed=-1 is not a whole number", id="seed"),
        pytest.param("seed=" + "9" * 30, "seed=9+ is not a whole number", id="huge seed"),
        pytest.param("split=train&split=val", r"split= is given twice in .*; give it once", id="a parameter twice"),
        pytest.param(
            "split=train&seed=1", r"seed= is that of a random split, but .* has splits of its own", id="seed and a split"
        ),
        pytest.param(
            "seed=1", r"seed= is that of a random split, but .*; add val_fraction=, or leave seed= out", id="only a seed"
        ),
        pytest.param("list=a\0b", "contains a zero byte", id="zero byte"),
        pytest.param("group=(", "not a regular expression", id="group"),
        pytest.param("rename=a", "write name=name", id="rename"),
        pytest.param(
            "rename=lorry:vehicle", "has no class lorry; name some of its classes: car, bus, Person", id="rename of no class"
        ),
        pytest.param("classes=dog", r"has the classes car, bus, Person, but none of dog", id="no class in common"),
        pytest.param("classes=", "classes= has no value", id="empty"),
        pytest.param("group=xyz", "group=xyz matches no file name of .*, such as 1_1.png", id="group matches nothing"),
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
    shown = shown_address(f"{tmp_path}/set?labels={tmp_path}/names.txt&split=train")
    assert shown == "set?labels=names.txt&split=train"
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
    place = f"{real_data / 'vehicles-topview-416'}?labels=Vehicle&val_fraction=0.2&seed={seed}"
    learn, held_out = (open_dataset(f"{place}&split={part}") for part in ("train", "val"))
    assert not {sample.group for sample in learn.samples} & {sample.group for sample in held_out.samples}
    assert len(learn) + len(held_out) == 489
    assert 0.15 < len(held_out) / 489 < 0.25
