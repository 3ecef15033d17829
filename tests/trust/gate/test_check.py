"""`edgecnn check`: budgets that are met and not met, reports, and what can't be checked."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.integrity.rewrite import write_with_card
from edgecnn.reference_profile.content_hash import content_hash
from edgecnn.reference_profile.seen_images import seen_record
from edgecnn.trust.gate import data_part, image_parts
from edgecnn.trust.gate.policy import LatencyBudget, MemoryBudget, Policy
from edgecnn.trust.gate.run import CheckConfig, check_file
from edgecnn.trust.gate.write_card import own_card
from tests.trust.paired.test_evaluate_pair import classifier, folder

SCENE = "scene:cups?size=160x120&fps=1&cut=1&seed=3&count=12"


def call(*words: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, words)])


def policy(path: Path, text: str) -> Path:
    path = path / "policy.toml"
    path.write_text(text)
    return path


def by_budget(document: Path) -> dict[str, dict[str, object]]:
    return {one["budget"]: one for one in json.loads(document.read_text())["budgets"]}


CLASSIFIER = """
data = "set"
[accuracy]
metric = "top1"
min_percent = {least}
worst_class_min_percent = 50
[groups]
by = "folder"
worst_min_percent = 50
gap_max_points = 90
[calibration]
ece_max_percent = 60
[drop]
reference = "float.onnx"
max_points = 5
[[robustness]]
change = "jpeg"
level = 50
images = 20
min_percent = 90
[size]
max_mb = 1
"""


def test_a_classifier_passes_and_its_evidence_is_written(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    classifier(tmp_path / "float.onnx")
    file = classifier(tmp_path / "int8.onnx", grey=-0.5)
    page, document, junit = tmp_path / "check.html", tmp_path / "check.json", tmp_path / "check.xml"
    rules = policy(tmp_path, CLASSIFIER.format(least=90))
    result = call(file, "--policy", rules, "--html", page, "--json", document, "--junit", junit)
    assert result.exit_code == 0, result.output
    assert "passed: all 8 budgets are met" in result.output
    found = by_budget(document)
    assert len(found) == 8
    assert found["accuracy.min_percent"]["value"] == 100
    assert found["drop.max_points"]["value"] == 0
    assert found["robustness.jpeg=50"]["verdict"] in ("passed", "not certain")
    assert found["size.max_mb"]["certain"] is True
    whole = json.loads(document.read_text())
    assert whole["data"]["images"] == 36
    assert len(whole["data"]["sha256"]) == 64
    assert set(whole["seconds"]) == {"accuracy", "robustness", "pictures"}
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("8", "0")
    text = page.read_text()
    assert "How far each share is within its limit" in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_a_class_that_pays_fails_with_exit_code_1(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    classifier(tmp_path / "float.onnx")
    file = classifier(tmp_path / "int8.onnx", grey=-200)
    page, document, junit = tmp_path / "check.html", tmp_path / "check.json", tmp_path / "check.xml"
    result = call(
        file, "--policy", policy(tmp_path, CLASSIFIER.format(least=60)), "--html", page, "--json", document, "--junit", junit
    )
    assert result.exit_code == 1, result.output
    found = by_budget(document)
    assert found["accuracy.min_percent"]["verdict"] == "not certain"
    worst = found["accuracy.worst_class_min_percent"]
    assert (worst["verdict"], worst["value"]) == ("failed", 0)
    assert worst["title"] == "worst class (grey), recall"
    assert str(worst["detail"]).startswith("12 images")
    assert found["groups.worst_min_percent"]["verdict"] == "failed"
    assert found["drop.max_points"]["value"] == pytest.approx(100 / 3)
    assert "failed: 5 of 8 budgets are not met" in result.output
    failures = ElementTree.parse(junit).getroot().findall(".//failure")
    assert any("worst class (grey), recall: 0.00 %" in str(failure.get("message")) for failure in failures)
    assert "grey: says" in page.read_text()


def test_certainty_is_asked_for(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    file = classifier(tmp_path / "a.onnx")
    text = 'data = "set"\n[accuracy]\nmin_percent = 97\n'
    assert call(file, "--policy", policy(tmp_path, text)).exit_code == 0
    result = call(file, "--policy", policy(tmp_path, f"certain = true\n{text}"))
    assert result.exit_code == 1
    assert "not certain" in result.output


def test_few_images_are_told(tmp_path: Path) -> None:
    folder(tmp_path / "set", each=2)
    result = call(classifier(tmp_path / "a.onnx"), "--policy", policy(tmp_path, 'data = "set"\n[accuracy]\nmin_percent = 50\n'))
    assert result.exit_code == 0
    assert "passed, not certain" in result.output
    assert "too few images to tell (6)" in result.output


DETECTOR = f"""
data = "{SCENE}"
[accuracy]
metric = "ap50"
min_percent = 1
worst_class_min_percent = 1
[groups]
by = "size:2"
worst_min_percent = 1
[calibration]
ece_max_percent = 90
[[robustness]]
change = "rotate"
level = 15
images = 3
min_percent = 1
[[attack]]
method = "noise"
eps_grey_levels = 4
images = 2
min_percent = 0
[evidence]
images = 1
inside_min_percent = 0
beyond_chance_min_percent = -100
"""


def test_a_detector_with_all_budgets_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    own = data_part.WatchedOutcomes.__iter__
    monkeypatch.setattr(data_part.WatchedOutcomes, "__iter__", lambda self: (runs.append(1), own(self))[1])
    page = tmp_path / "check.html"
    document = tmp_path / "check.json"
    result = call("cups", "--policy", policy(tmp_path, DETECTOR), "--json", document, "--html", page)
    assert result.exit_code == 0, result.output
    assert len(runs) == 1  # accuracy, classes, groups and calibration share one run
    found = by_budget(document)
    assert set(found) == {
        "accuracy.min_percent",
        "accuracy.worst_class_min_percent",
        "groups.worst_min_percent",
        "calibration.ece_max_percent",
        "robustness.rotate=15",
        "attack.noise=4",
        "evidence.inside_min_percent",
        "evidence.beyond_chance_min_percent",
    }
    assert "what the file says" in page.read_text()
    assert "Precision and recall" in page.read_text()


def test_nothing_but_what_the_policy_names_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (data_part, image_parts):
        monkeypatch.delattr(module, "measure_in_detail" if module is data_part else "measure_level")
    document = tmp_path / "check.json"
    result = call("cups", "--policy", policy(tmp_path, "[size]\nmax_mb = 0.001\n"), "--json", document)
    assert result.exit_code == 1
    assert "failed: the budget is not met: file size" in result.output
    found = json.loads(document.read_text())
    assert (found["data"], found["evaluation"], found["benchmark"], found["seconds"]) == (None, None, None, {})


def test_latency_and_memory_of_this_machine() -> None:
    rules = Policy(latency=LatencyBudget(clock="model", threads=1, p50_max_ms=1e6), memory=MemoryBudget(peak_max_mib=1.0))
    found = check_file(CheckConfig(file=Path("cups"), policy=rules))
    latency, memory = found.verdicts
    assert latency.verdict in ("passed", "not certain")
    assert "1 thread" in latency.detail
    assert latency.low is not None
    assert memory.words == "failed"
    assert list(found.seconds) == ["latency"]


def test_a_board_measures_latency(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edgecnn.remote.address import parse_address
    from edgecnn.remote.benchmark import HostRecord, RemotePlace

    clock = {"samples_ms": [2.0] * 8, "round_sizes": [2] * 4, "reasons": [], "p99_bound_ms": 2.0, "p50_ms": 2.0, "count": 8}
    answer = {
        "host": "pi@door",
        "threads": 4,
        "device": {"name": "A board"},
        "files": [{"clocks": {"task": clock}, "peak_memory_mib": 50.0}],
    }
    seen = []

    def benchmark_hosts(place: RemotePlace, words: list[object], *_: object) -> list[HostRecord]:
        seen.append([str(word) for word in words])
        return [HostRecord(place.hosts[0], answer)]

    monkeypatch.setattr("edgecnn.trust.gate.device_part.benchmark_hosts", benchmark_hosts)
    place = RemotePlace(hosts=(parse_address("pi@door"),))
    rules = Policy(latency=LatencyBudget(threads=4, p50_max_ms=3.0))
    found = check_file(CheckConfig(file=Path("cups"), policy=rules, place=place))
    assert found.verdicts[0].words == "passed"
    assert "pi@door, A board, 4 threads" in found.verdicts[0].detail
    assert seen[0][1:] == ["--clock", "task", "--quick", "--threads", "4"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[accuracy]\nmetric = 'map'\nmin_percent = 3\n", "[accuracy] metric: map is not measured of a classifier"),
        ("[drop]\nmax_points = 3\n", "[drop] names no reference"),
        ("[drop]\nreference = 'nowhere.onnx'\nmax_points = 3\n", "nowhere.onnx does not exist"),
        ("[groups]\nby = 'camera'\nworst_min_percent = 3\n", "[groups] by: no CSV file beside the data has a column 'camera'"),
        (
            "[[attack]]\nmethod = 'pgd'\neps_grey_levels = 3\nmin_percent = 3\n",
            "[[attack]] pgd needs gradients, and a.onnx has none",
        ),
    ],
)
def test_what_can_not_be_checked_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    folder(tmp_path / "set", each=1)
    result = call(classifier(tmp_path / "a.onnx"), "--policy", policy(tmp_path, f'data = "set"\n{text}'))
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.strip().splitlines()[-1].startswith("error: ")
    assert "image 1 of" not in result.output


def test_evidence_without_boxes_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "set", each=4)
    rules = policy(tmp_path, 'data = "set"\n[evidence]\nimages = 2\ninside_min_percent = 3\n')
    result = call(classifier(tmp_path / "a.onnx"), "--policy", rules)
    assert result.exit_code == 2
    assert "[evidence] has no place to be" in result.output


def test_options(tmp_path: Path) -> None:
    result = call("--example")
    assert result.exit_code == 0
    assert "[[robustness]]" in result.output
    assert "a model FILE and --policy are needed" in call("cups").output
    rules = policy(tmp_path, "[size]\nmax_mb = 1\n")
    assert "--force does nothing without --write-card" in call("cups", "--policy", rules, "--force").output
    assert call("cups", "--policy", rules, "--json", rules.parent).exit_code == 2


def test_reports_never_replace_the_policy_or_the_reference(tmp_path: Path) -> None:
    file, reference = classifier(tmp_path / "a.onnx"), classifier(tmp_path / "float.onnx")
    rules = policy(tmp_path, 'data = "set"\n[drop]\nreference = "float.onnx"\nmax_points = 1\n')
    before = rules.read_bytes(), reference.read_bytes()
    for read in (rules, reference):
        result = call(file, "--policy", rules, "--json", read)
        assert result.exit_code == 2
        assert f"can't write {read}: it is a file that is read" in result.output
    assert (rules.read_bytes(), reference.read_bytes()) == before


@pytest.mark.parametrize("content", [None, "no key"])
def test_a_key_that_can_not_sign_is_told_before_anything_is_measured(tmp_path: Path, content: str | None) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
    rules = policy(tmp_path, "[size]\nmax_mb = 1\n")
    result = call(classifier(tmp_path / "a.onnx"), "--policy", rules, "--write-card", "--key", key)
    assert result.exit_code == 2
    assert f"error: --key: {key}" in result.output
    assert "file size" not in result.output


def test_an_interrupt_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "set", each=1)
    report = tmp_path / "check.json"

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecnn.trust.gate.run.measure_data", interrupted)
    rules = policy(tmp_path, 'data = "set"\n[accuracy]\nmin_percent = 5\n')
    result = call(classifier(tmp_path / "a.onnx"), "--policy", rules, "--json", report)
    assert result.exit_code == 2
    assert "the check was interrupted, nothing was written" in result.output
    assert not report.exists()


def test_the_reference_itself_has_nothing_to_lose(tmp_path: Path) -> None:
    folder(tmp_path / "set", each=4)
    file = classifier(tmp_path / "a.onnx")
    rules = policy(tmp_path, 'data = "set"\n[accuracy]\nmin_percent = 5\n[drop]\nreference = "a.onnx"\nmax_points = 1\n')
    result = call(file, "--policy", rules)
    assert result.exit_code == 0
    assert "this file is the reference itself" in result.output


def test_a_wrong_policy_is_told_before_the_file_is_loaded(tmp_path: Path) -> None:
    result = call(tmp_path / "nowhere.onnx", "--policy", policy(tmp_path, "[sise]\nmax_mb = 1\n"))
    assert result.exit_code == 2
    assert "sise is not a known field" in result.output


def test_images_of_the_training_are_refused(tmp_path: Path) -> None:
    images = folder(tmp_path / "set", each=4)
    file = classifier(tmp_path / "a.onnx")
    seen = [content_hash(np.asarray(cv2.imread(str(path)), np.uint8)) for path in images.rglob("*.png")]
    write_with_card(file, file, own_card(file).replace(training=seen_record("training", "set", seen)))
    text = 'data = "set"\n[[robustness]]\nchange = "jpeg"\nlevel = 50\nmin_percent = 1\n'
    result = call(file, "--policy", policy(tmp_path, text))
    assert result.exit_code == 2
    assert "images compared are in the training data of a.onnx" in result.output
    result = call(file, "--policy", policy(tmp_path, text), "--allow-overlap")
    assert result.exit_code == 0, result.output
    assert "note: 12 of 12 images compared" in result.output
