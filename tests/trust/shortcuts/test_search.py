from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

import cv2  # noqa: E402

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection  # noqa: E402
from edgecnn.cli import main  # noqa: E402
from edgecnn.errors import InputError  # noqa: E402
from edgecnn.models import create, save_checkpoint  # noqa: E402
from edgecnn.models.new_card import new_card  # noqa: E402
from edgecnn.trust.shortcuts.config import ShortcutsConfig  # noqa: E402
from edgecnn.trust.shortcuts.page import shortcuts_page  # noqa: E402
from edgecnn.trust.shortcuts.report import ShortcutsReport  # noqa: E402
from edgecnn.trust.shortcuts.search import find_shortcuts  # noqa: E402
from edgecnn.trust.shortcuts.text import report_text  # noqa: E402

SIDE = 32


def linear(path: Path, weight: np.ndarray, threshold: float, labels: tuple[str, str], scale: float = 20.0) -> Path:
    """A checkpoint that says the second class where the sum of weight (h, w) times brightness (0..1) is above ``threshold``."""
    options = {"classes": 2, "channels": 1, "size": weight.shape, "hidden": 4}
    model = create("mlp", **options)
    first, second, last = (model.layers[index] for index in (1, 3, 5))
    with torch.no_grad():
        for layer in (first, second, last):
            layer.weight.zero_()
            layer.bias.zero_()
        for row, sign in enumerate((1.0, -1.0)):
            first.weight[row] = sign * torch.from_numpy(weight.ravel().astype(np.float32))
            first.bias[row] = -sign * threshold
            second.weight[row, row] = 1.0
            last.weight[:, row] = torch.tensor([-sign, sign]) * scale
    save_checkpoint(path, model, new_card("mlp", options, labels))
    return path


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO: a bright or a dark square at a random place on grey noise."""
    folder = tmp_path_factory.mktemp("squares")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    images, boxes = [], []
    for index in range(40):
        image = random.normal(128, 6, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
        x, y = random.integers(2, SIDE - 10, 2).tolist()
        image[y : y + 8, x : x + 8] = 240 if index % 2 else 15
        cv2.imwrite(str(folder / "images" / f"{index:03d}.png"), image)
        images.append({"id": index, "file_name": f"{index:03d}.png", "width": SIDE, "height": SIDE})
        boxes.append(
            {"id": index, "image_id": index, "category_id": 1 + index % 2, "bbox": [x, y, 8, 8], "area": 64, "iscrowd": 0}
        )
    categories = [{"id": 1, "name": "dark"}, {"id": 2, "name": "bright"}]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    return path


def search(file: Path, data: str, **more: object) -> ShortcutsReport:
    return find_shortcuts(ShortcutsConfig(file=file, data=DatasetSelection(data), explained=24, **more))  # type: ignore[arg-type]


def verdicts(report: ShortcutsReport) -> dict[str, str]:
    return {one.change.name: one.verdict for one in report.effects}


def test_a_network_that_reads_the_tag_is_caught_by_the_corners(tmp_path: Path) -> None:
    weight = np.zeros((64, 64))
    weight[4:8, 4:6] = 1 / 8  # a bright part of the tag
    file = linear(tmp_path / "tag.safetensors", weight, 0.75, ("smooth", "spiked"))
    report = search(file, "scene:tags?shortcut=1&count=40&seed=3")
    found = verdicts(report)
    assert report.accuracy.value == 1
    assert report.verdict == "shortcut"
    for name in ("corners-masked", "borders-masked", "background-swapped", "object-removed"):
        assert found[name] == "uses", name
    assert found["background-uniform"] == "no proof"
    assert found["object-moved"] == "does not use"
    assert [one.verdict for one in report.evidence] == ["elsewhere"]
    assert report.evidence[0].inside.value < 0.01
    removed = next(one for one in report.effects if one.change.name == "object-removed")
    assert removed.effect.value == 1


def test_a_network_that_looks_at_the_square_passes(squares: Path, tmp_path: Path) -> None:
    file = linear(tmp_path / "mean.safetensors", np.full((SIDE, SIDE), 1 / SIDE**2), 128 / 255, ("dark", "bright"), 200)
    report = search(file, str(squares))
    assert report.accuracy.value == 1
    assert report.verdict == "no shortcut found"
    assert set(verdicts(report).values()) == {"does not use"}
    assert report.evidence[0].images == 24


def test_a_network_that_reads_the_position_is_caught_by_moving_only(tmp_path: Path) -> None:
    weight = np.tile(np.linspace(-1, 1, 64), (64, 1)) / 64  # is the bright instance on the right?
    file = linear(tmp_path / "place.safetensors", weight, 0.0, ("moon", "star"))
    report = search(file, "scene:stars?shortcut=1&count=40&seed=3")
    found = verdicts(report)
    assert report.accuracy.value > 0.9
    assert found["object-moved"] == "uses"
    assert found["object-removed"] != "uses"
    assert len(report.findings) == 1
    assert report.findings[0].startswith("uses the place of the object: with the object moved")
    assert report.evidence[0].verdict == "on the object"  # a map can't show this shortcut


def test_equal_seeds_give_equal_reports(squares: Path, tmp_path: Path) -> None:
    file = linear(tmp_path / "mean.safetensors", np.full((SIDE, SIDE), 1 / SIDE**2), 128 / 255, ("dark", "bright"))
    first, again, other = (search(file, str(squares), seed=seed, count=12).to_document() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_set_without_boxes_gets_the_changes_that_need_none(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(24):
        image = random.normal(120, 5, (SIDE, SIDE)).astype(np.uint8)
        image[12:20, 12:20] = 15
        image[:5, :5] = 240 if index % 2 else 120  # the class is in the corner
        folder = tmp_path / "data" / ("marked" if index % 2 else "plain")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{index:02d}.png"), image)
    weight = np.zeros((SIDE, SIDE))
    weight[:4, :4] = 1 / 16
    file = linear(tmp_path / "corner.safetensors", weight, 0.7, ("plain", "marked"))
    report = search(file, str(tmp_path / "data"))
    found = verdicts(report)
    assert set(found) == {"corners-masked", "borders-masked", "centre-masked"}
    assert found["corners-masked"] == "uses"
    assert found["centre-masked"] == "no proof"
    assert report.verdict == "possible shortcut"
    assert "not known whether the object is there" in report_text(report)
    assert not report.evidence
    assert any("no boxes" in note for note in report.notes)


def test_few_images_and_weak_networks_show_nothing(squares: Path, tmp_path: Path) -> None:
    file = linear(tmp_path / "mean.safetensors", np.full((SIDE, SIDE), 1 / SIDE**2), 128 / 255, ("dark", "bright"))
    assert search(file, str(squares), count=6).verdict == "not shown"
    weak = linear(tmp_path / "weak.safetensors", np.zeros((SIDE, SIDE)), 1.0, ("dark", "bright"))
    report = search(weak, str(squares))
    assert {one.verdict for one in report.effects if one.change.truth == "kept"} == {"not shown"}
    assert report.verdict != "shortcut"


def test_text_and_page_say_the_same(tmp_path: Path) -> None:
    weight = np.zeros((64, 64))
    weight[4:8, 4:6] = 1 / 8
    file = linear(tmp_path / "tag.safetensors", weight, 0.75, ("smooth", "spiked"))
    report = search(file, "scene:tags?shortcut=1&count=20&seed=3", examples=2)
    text, page = report_text(report), shortcuts_page([report])
    for one in report.findings:
        assert one in text
        assert one in page
    assert page.count("data:image/jpeg;base64,") == sum(2 + len(one.variants) for one in report.examples)
    assert 'class="bad"' in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_command_compares_files_on_the_same_images(squares: Path, tmp_path: Path) -> None:
    good = linear(tmp_path / "good.safetensors", np.full((SIDE, SIDE), 1 / SIDE**2), 128 / 255, ("dark", "bright"), 200)
    target, page = tmp_path / "out.json", tmp_path / "out.html"
    words = ["shortcuts", str(good), str(good), "--data", str(squares), "--method", "gradient", "--count", "20"]
    result = CliRunner().invoke(main, [*words, "--json", str(target), "--html", str(page), "--examples", "1"])
    assert result.exit_code == 0, result.output
    document = json.loads(target.read_text())
    assert (document["schema"], document["version"]) == ("edgecnn.shortcuts", 2)
    assert document["files"][0] == document["files"][1]
    assert document["files"][0]["verdict"] == "no shortcut found"
    assert result.output.count("no shortcut found") == 2
    assert page.read_text().count("<section>") == 2


def test_other_tasks_are_refused(tmp_path: Path, squares: Path) -> None:
    options = {"classes": 1, "channels": 1, "size": (SIDE, SIDE), "head": "regress"}
    save_checkpoint(tmp_path / "value.safetensors", create("mlp", **options), new_card("mlp", options, ("length",)))
    with pytest.raises(InputError, match="searched in classifiers and detectors"):
        find_shortcuts(ShortcutsConfig(file=tmp_path / "value.safetensors", data=DatasetSelection(str(squares)), explained=0))
