"""Records compared as a whole: what matches, what is refused, what is a regression."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from edgecnn.benchmarks.compare.comparison import compare_files, compare_records
from edgecnn.benchmarks.compare.finding import Finding, Limits
from edgecnn.benchmarks.compare.record_file import MeasuredRun, read_record
from edgecnn.errors import InputError

Run = Callable[..., MeasuredRun]


def finding(comparison: Any, title: str) -> Finding:
    found: Finding = next(one for one in comparison.findings if one.title == title)
    return found


def test_a_slower_file_is_a_regression_above_the_limit_only(run: Run) -> None:
    before, after = run("a.json"), run("b.json", slower=1.3, seed=1)
    for limit, regression in ((0.05, True), (0.5, False), (None, False)):
        own = finding(compare_records(before, after, Limits(limit)), "model p50")
        assert own.verdict == "slower"
        assert own.regression == regression
        assert own.change is not None
        assert own.change.value == pytest.approx(1.3, rel=0.02)


def test_equal_files_show_no_difference(run: Run) -> None:
    found = compare_records(run("a.json"), run("b.json", seed=1), Limits(0.2))
    assert {one.verdict for one in found.findings if one.kind == "latency"} == {"no difference shown"}
    assert not found.regressions
    assert finding(found, "file size").verdict == "equal"


def test_noise_is_no_regression_but_is_said_not_to_be_excluded(run: Run) -> None:
    found = compare_records(run("a.json"), run("b.json", seed=1), Limits(0.001))
    assert not found.regressions
    assert finding(found, "model p50").undecided
    assert "not precise enough to exclude a regression above 0.1 %: cups-fp32.onnx model p50" in "; ".join(found.notes)


def test_size_and_memory_have_no_noise(run: Run) -> None:
    def grow(document: dict[str, Any]) -> None:
        document["files"][0]["size_bytes"] = int(document["files"][0]["size_bytes"] * 1.1)
        document["files"][0]["peak_memory_mib"] *= 1.03

    found = compare_records(run("a.json"), run("b.json", grow), Limits(0.05))
    assert [one.title for one in found.regressions] == ["file size"]
    assert finding(found, "file size").verdict == "larger"
    assert finding(found, "peak memory").verdict == "no difference shown"


def test_a_drop_of_accuracy_is_judged_in_points(run: Run) -> None:
    def score(low: float, middle: float, high: float) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            own = document["files"][0]["accuracy"]
            own["primary"] = middle
            own["values"] |= {"map": middle, "map_low": low, "map_high": high}

        return change

    before = run("a.json", score(0.50, 0.55, 0.60), scored=True)
    close, far = (run("b.json", score(*values), scored=True) for values in ((0.49, 0.54, 0.59), (0.30, 0.35, 0.40)))
    own = finding(compare_records(before, close, Limits(points=0.5)), "mAP@50-95")
    assert (own.verdict, own.regression) == ("no difference shown", True)
    assert own.change is not None
    assert own.change.value == pytest.approx(-1.0)
    # 5 points on each side, independent, at 99 instead of 95 %
    assert own.change.low == pytest.approx(-1 - 50**0.5 * 2.576 / 1.96, abs=0.01)
    assert finding(compare_records(before, far, Limits(points=25)), "mAP@50-95").verdict == "lower"
    assert not compare_records(before, far, Limits(points=25)).regressions


def paired(values: list[float], digest: str = "d", images: int = 3200) -> Callable[[dict[str, Any]], None]:
    """A record of a detector with its mAP without each group of images."""

    def change(document: dict[str, Any]) -> None:
        own, middle = document["files"][0]["accuracy"], sum(values) / len(values)
        own |= {"primary": middle, "left_out": values, "images_digest": digest, "n": images}
        own["values"] |= {"map": middle, "map_low": middle - 0.05, "map_high": middle + 0.05}

    return change


def test_accuracies_of_the_same_images_are_compared_by_pairs(run: Run) -> None:
    # images differ much, and the second file loses one point in all groups: only pairs show it
    hard = [0.55 + 0.001 * (group % 5) for group in range(32)]
    before = run("a.json", paired(hard), scored=True)
    lower = [value - 0.01 for value in hard]
    own = compare_records(before, run("b.json", paired(lower), scored=True), Limits())
    assert finding(own, "mAP@50-95").verdict == "lower"
    assert "accuracy is compared by pairs: both were measured on the same 3,200 images" in own.notes
    other = compare_records(before, run("b.json", paired(lower, digest="e"), scored=True), Limits())
    assert finding(other, "mAP@50-95").verdict == "no difference shown"
    assert "not by pairs: the records do not hold results of the same images" in "; ".join(other.notes)


def test_an_older_record_without_intervals_says_that_it_is_not_certain(run: Run) -> None:
    def plain_accuracy(document: dict[str, Any]) -> None:
        own = document["files"][0]["accuracy"]
        own["values"] = {"map": own["primary"]}
        del own["left_out"], own["images_digest"]

    own = compare_records(run("a.json", plain_accuracy, scored=True), run("b.json", plain_accuracy, scored=True), Limits())
    assert finding(own, "mAP@50-95").verdict == "equal"
    assert "without an interval" in "; ".join(own.notes)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("threads", 2, "threads 4 and 2"),
        ("inputs", "noise", "inputs 64 images of scene:cups and noise"),
        ("engine_device", "gpu", "engine device cpu and gpu"),
        ("data", "", "dataset scene:cups and (none)"),
        ("clocks", {"model": "something else"}, "the meaning of the model clock"),
    ],
)
def test_other_definitions_are_refused_or_named(run: Run, key: str, value: Any, words: str) -> None:
    before, after = run("a.json", scored=True), run("b.json", lambda own: own.update({key: value}), scored=True)
    with pytest.raises(InputError, match="do not measure the same") as raised:
        compare_records(before, after, Limits())
    assert words in str(raised.value)
    assert f"compared by --force: {words}" in compare_records(before, after, Limits(), force=True).notes[0]


def test_another_device_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="device Test Board 5 and Other"):
        compare_records(run("a.json"), run("b.json", lambda own: own["device"].update(name="Other")), Limits())


def test_other_versions_are_noted(run: Run) -> None:
    after = run("b.json", lambda own: own["environment"]["packages"].update(onnxruntime="1.99"))
    assert "differs: onnxruntime 1.32.0 and 1.99" in compare_records(run("a.json"), after, Limits()).notes


def test_files_match_by_name_then_by_digest_then_alone(run: Run) -> None:
    def rename(name: str) -> Callable[[dict[str, Any]], None]:
        return lambda own: own["files"][0].update(name=name, model=name)

    names = ("x-fp32.onnx", "x-int8.onnx")
    by_digest = compare_records(
        run("a.json", lambda own: own["files"][0].update(sha256="1"), files=names),
        run("b.json", lambda own: own["files"][0].update(name="y", model="y", sha256="1"), files=names),
        Limits(),
    )
    assert {one.file for one in by_digest.findings} == {"x-fp32.onnx -> y", "x-int8.onnx"}
    alone = compare_records(run("a.json"), run("b.json", rename("other.onnx")), Limits())
    assert {one.file for one in alone.findings} == {"cups-fp32.onnx -> other.onnx"}
    rest = compare_records(run("a.json"), run("b.json", files=("cups-fp32.onnx", "cups-int8.onnx")), Limits())
    assert "only in b.json: cups-int8.onnx" in rest.notes


def test_files_of_other_tasks_or_sizes_are_refused(run: Run) -> None:
    for key, value, words in (("task", "classify", "model to classify"), ("input_size", [8, 8], "inputs of 64x64 and 8x8")):
        after = run("b.json", lambda own, key=key, value=value: own["files"][0].update({key: value}))
        with pytest.raises(InputError, match=words):
            compare_records(run("a.json"), after, Limits())


def test_files_of_one_record_are_compared_with_its_reference(run: Run) -> None:
    found = compare_files(run("a.json", files=("cups-fp32.onnx", "cups-int8.onnx")), Limits())
    assert [(one.before, one.after) for one in found] == [("cups-fp32.onnx", "cups-int8.onnx")]
    own = finding(found[0], "model p50")
    assert own.verdict == "faster"
    assert own.change is not None
    assert own.change.value == pytest.approx(0.4, rel=0.03)
    with pytest.raises(InputError, match="holds one file"):
        compare_files(run("a.json"), Limits())


def test_runs_that_are_too_short_are_refused(run: Run) -> None:
    def cut(document: dict[str, Any]) -> None:
        for clock in document["files"][0]["clocks"].values():
            clock.update(samples_ms=[1.0, 1.0], round_sizes=[1, 1])

    with pytest.raises(InputError, match="too few runs to say anything"):
        compare_records(run("a.json"), run("b.json", cut), Limits())


def test_bad_records_are_one_line_each(tmp_path: Any, run: Run) -> None:
    broken = tmp_path / "broken.json"
    for content, words in (
        ("{", "is not JSON"),
        ("[1]", "is not a record"),
        ('{"schema": "edgecnn.benchmark", "version": 1}', "version 1"),
    ):
        broken.write_text(content)
        with pytest.raises(InputError, match=words):
            read_record(broken)
    for change in (
        lambda own: own.pop("threads"),
        lambda own: own["files"][0]["clocks"]["model"].update(samples_ms=[0.0]),
        lambda own: own["files"][0]["clocks"]["model"].update(round_sizes=[5]),
        lambda own: own["files"][0]["clocks"].update(wall=own["files"][0]["clocks"]["model"]),
        lambda own: own["device"].update(name=5),
    ):
        with pytest.raises(InputError, match="damaged record"):
            run("a.json", change)


def test_noisy_clocks_of_several_files_are_told_apart(run: Run) -> None:
    def two(document: dict[str, Any]) -> None:
        document["files"].append(copy.deepcopy(document["files"][0]) | {"name": "cups-int8.onnx", "precision": "int8"})
        for file, reason in zip(document["files"], ("varies by 35 %", "varies by 24 %"), strict=True):
            file["clocks"]["model"] |= {"verdict": "NOISY", "reasons": [reason]}

    found = compare_records(run("a.json", two), run("b.json", two, seed=1), Limits())
    words = [one for one in found.noise if one.startswith("a.json")]
    assert words == ["a.json, cups-fp32.onnx, model clock: varies by 35 %", "a.json, cups-int8.onnx, model clock: varies by 24 %"]
