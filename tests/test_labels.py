"""Every list of class names is read by one reader, as its format says; no name is empty."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from edgecnn.errors import InputError
from edgecnn.labels import COCO_80, label_of, load_yaml, normalize, ordered_names, parse_labels, read_yaml_names

YAML = {
    "apostrophe": "names: [men's shoes, women's shoes, hat]\nnc: 3\n",
    "apostrophe in a block": "names:\n- men's shoes\n- hat\n",
    "doubled apostrophe": "names: ['men''s shoes', hat]\n",
    "brackets in a name": "names: ['cat [indoor]', \"dog {big}\"]\n",
    "number sign": "names: ['c#', 'f #1', c#4]  # three\n",
    "comma in a name": "names: ['a, b', c]\n",
    "colon in a name": "names: ['10: ten', '2: two']\n",
    "quoted keys": "names:\n  '0': cat\n  \"1\": dog\n",
    "mapping out of order": "names: {1: dog, 0: cat}\n",
    "quoted names key": '"names" : [cat, dog]\n',
    "JSON": '{"names": ["cat", "dog"], "nc": 2}',
    "escapes": 'names: ["caf\\u00e9", dog]\n',
    "over lines": "names: [cat,\n  dog,\n]\nnc: 2\n",
    "comments": "names:\n  # classes\n  0: cat  # pet\n\n  1: dog\n",
    "folded": "names:\n  0: >-\n    cat\n  1: dog\n",
    "Windows line ends": "names:\r\n  0: cat\r\n  1: dog\r\n",
    "document start": "---\nnames:\n    - cat\n    -\n      dog\npath: x\n",
    "anchor": "x: &n [cat, dog]\nnames: *n\n",
}


@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "byte order mark"])
@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_names_are_what_pyyaml_reads(tmp_path: Path, text: str, bom: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes((bom + text).encode())
    names = yaml.safe_load(text)["names"]
    wanted = [names[key] for key in sorted(names, key=int)] if isinstance(names, dict) else names
    assert list(read_yaml_names(path)) == wanted
    assert list(parse_labels(path)) == wanted


def test_names_that_yaml_takes_for_other_values_stay_names(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("names: [yes, no, 007, 1.0, null, 2024-01-01]\n")
    assert read_yaml_names(path) == ("yes", "no", "007", "1.0", "null", "2024-01-01")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("names: ['', dog]", "the names in .* have an empty one; give every class a name", id="empty name"),
        pytest.param("names:\n-\n- dog\n", "have an empty one", id="nothing after a dash"),
        pytest.param("names: {9e999: cat}", "the class ids in .* are not numbers", id="endless-id"),
        pytest.param("names: {0: cat, 2: dog}", "the class ids in .* are 0, 2, not 0 to 1; number the classes", id="gap"),
        pytest.param("names: {1: cat, 2: dog}", "are 1, 2, not 0 to 1", id="from one"),
        pytest.param("names: {a: cat}", "are not numbers", id="no number"),
        pytest.param("a: b\nnames: [cat", "data.yaml, line 2 is not valid YAML: .*; correct the file", id="not YAML"),
        pytest.param("names:\t[cat, dog]", "line 1 is not valid YAML: found character", id="tab"),
    ],
)
def test_names_that_can_not_be_trusted_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        read_yaml_names(path)
    assert "\n" not in str(caught.value)


def test_yaml_without_names_has_none(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    for text in ("", "nc: 2\n", "names:\n", "names: []\n", "just text"):
        path.write_text(text)
        assert read_yaml_names(path) == ()
    with pytest.raises(InputError, match=r"data\.yaml is empty of class names"):
        parse_labels(path)


def test_yaml_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes(b"names: [caf\xe9]\n")
    with pytest.raises(InputError, match="is not valid YAML") as caught:
        load_yaml(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"can't read .*absent.yaml: no such file or directory; check the path"):
        load_yaml(tmp_path / "absent.yaml")


def test_yaml_builds_plain_values_only(tmp_path: Path) -> None:
    path = tmp_path / "metadata.yaml"
    path.write_text(f"a: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{tmp_path}/x']]\n")
    with pytest.raises(InputError, match="is not valid YAML"):
        load_yaml(path)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"cat\ndog\n", id="plain"),
        pytest.param(b"\xef\xbb\xbfcat\r\ndog\r\n", id="byte order mark and Windows line ends"),
        pytest.param(b"\n\ncat\n\n  dog \n\n", id="blank lines"),
        pytest.param("cat\r\ndog\r\n".encode("utf-16"), id="UTF-16"),
    ],
)
def test_a_text_file_has_one_name_per_line(tmp_path: Path, content: bytes) -> None:
    for name in ("classes.txt", "obj.names", "labels"):
        (tmp_path / name).write_bytes(content)
        assert parse_labels(str(tmp_path / name)) == ("cat", "dog")


def test_a_json_file_may_be_the_list_itself(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(["cat", "dog, big"]))
    assert parse_labels(path) == ("cat", "dog, big")


def test_names_with_commas_between() -> None:
    assert parse_labels("cat, traffic light ,v1.0") == ("cat", "traffic light", "v1.0")
    assert parse_labels("cat") == ("cat",)
    assert parse_labels(",".join(COCO_80)) == COCO_80  # longer than a file name may be


@pytest.mark.parametrize("text", ["", "a,,b", "a,"])
def test_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="have an empty one"):
        parse_labels(text)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("absent.txt", None, r"can't read .*absent\.txt: no such file or directory; check the path", id="missing"),
        pytest.param("folder/absent", None, r"can't read .*absent: no such file", id="missing without suffix"),
        pytest.param("blank.txt", b"\n \n", r"blank\.txt is empty of class names; write one class name per line", id="blank"),
        pytest.param("latin.txt", b"caf\xe9\n", r"latin\.txt is not UTF-8 text; save it as UTF-8", id="Latin-1"),
        pytest.param("half.txt", "cat\n".encode("utf-16")[:-1], r"half\.txt is not UTF-8 text", id="cut UTF-16"),
    ],
)
def test_a_file_without_names_is_one_line(tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=problem):
        parse_labels(tmp_path / name)


def test_ids_that_are_one_number_in_two_ways_are_refused() -> None:
    with pytest.raises(InputError, match="are 0, 0, not 0 to 1"):
        ordered_names({0: "cat", "0": "dog"}, "the file")


@pytest.mark.parametrize("names", ["cat, dog", b"cat", 3, ["cat", {"a": 1}]])
def test_what_is_no_list_of_names_does_not_become_one(names: object) -> None:
    with pytest.raises(InputError, match=r"the file are neither a list|the file hold .* which is no name"):
        ordered_names(names, "the file")  # type: ignore[arg-type]


def test_names_compare_without_case_and_separators() -> None:
    assert normalize(" With_Mask ") == normalize("with-mask") == "with mask"
    assert normalize("TVmonitor") == "tv"


def test_a_class_without_a_name_has_its_number() -> None:
    assert [label_of(("cat",), number) for number in (0, 1, -1)] == ["cat", "class 1", "class -1"]
