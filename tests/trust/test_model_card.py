"""The model card that people read: from the file, from measurements of this very file, and from what people state."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.runtime.model.description import describe
from edgecnn.shipped import artifact
from edgecnn.trust.model_card.statements import Statements, read_statements

pytest.importorskip("onnxruntime")
ABOUT = """
license = "apache-2.0"
developers = "Example Ltd."
direct_use = "Counts cups."
out_of_scope_use = "Decisions about people."
bias_risks_limitations = "Rendered cups only."
model_card_contact = "vision@example.org"
citation_bibtex = "@misc{cups, title={Cups}}"
datasets = ["example/cups"]
"""
HEADINGS = (  # of Hugging Face's template
    "## Model Details", "### Model Description", "### Model Sources", "## Uses", "### Direct Use", "### Downstream Use",
    "### Out-of-Scope Use", "## Bias, Risks, and Limitations", "### Recommendations", "## How to Get Started with the Model",
    "## Training Details", "### Training Data", "### Training Procedure", "#### Preprocessing", "#### Training Hyperparameters",
    "#### Speeds, Sizes, Times", "## Evaluation", "### Testing Data, Factors & Metrics", "#### Testing Data", "#### Factors",
    "#### Metrics", "### Results", "## Environmental Impact", "## Technical Specifications", "### Model Architecture and Objective",
    "### Compute Infrastructure", "#### Hardware", "#### Software", "## Citation", "## Model Card Authors", "## Model Card Contact",
)  # fmt: skip


def called(*words: object) -> Result:
    return CliRunner().invoke(main, ["model-card", *map(str, words)])


@pytest.fixture(scope="module")
def digest() -> str:
    found = describe(artifact("cups")).digests
    assert found is not None
    return found.graph


def scores(digest: str) -> dict[str, Any]:
    figure = {"value": 0.5, "low": 0.4, "high": 0.5999999999999998}
    return {
        "schema": "edgecnn.evaluation",
        "version": 3,
        "file": "elsewhere/cups.onnx",
        "digest": digest,
        "dataset": {"name": "Table | photos", "split": "test", "image_count": 1200, "problems": []},
        "overlap": {"allowed": True, "parts": [{"part": "training", "compared": 1200, "shared": 30}]},
        "score": {
            "task": "detect",
            "n": 1200,
            "values": {"map": 0.5, "ap50": 0.7},
            "per_class": {"mug": 0.7, "plate": 0.3},
            "support": {"mug": 40, "plate": 20},
            "notes": ["one image is unreadable"],
        },
        "detail": {"figures": {"map": figure}, "classes": {"mug": {"ap": figure}}},
    }


def benchmark(digest: str) -> dict[str, Any]:
    clock = {"samples_ms": [1.0, 2.0, 3.0, 5.0], "round_sizes": [2, 2], "p50_ms": 2.5, "p99_ms": 5.0, "count": 4}
    own = {"name": "cups.onnx", "graph_sha256": digest, "peak_memory_mib": 90.0, "cold_start": {"total_ms": 300.0}}
    other = {"name": "cups.tflite", "graph_sha256": "0" * 64}
    return {
        "schema": "edgecnn.benchmark",
        "device": {"name": "Raspberry Pi 5", "cpu": "Cortex-A76"},
        "engine_device": "cpu",
        "threads": 4,
        "files": [other, {**own, "clocks": {"task": {**clock, "verdict": "STABLE", "reasons": []}}}],
    }


def written(path: Path, document: object) -> Path:
    path.write_text(dump_json(document))
    return path


def test_what_is_not_known_is_not_stated_and_never_guessed(tmp_path: Path) -> None:
    out = tmp_path / "card.md"
    done = called("cups", "--out", out)
    assert done.exit_code == 0, done.output
    text = out.read_text()
    places = [text.index(f"\n{heading}\n") for heading in HEADINGS]
    assert places == sorted(places)
    for name in ("Developed by", "License", "Paper", "Carbon Emitted"):
        assert f"- **{name}:** not stated" in text
    assert "- **Classes:** mug, glass, bowl, plate" in text
    assert "not stated: license, developers, direct_use" in done.output
    metadata = yaml.safe_load(text.split("---\n")[1])
    assert metadata == {"library_name": "edgecnn", "pipeline_tag": "object-detection", "tags": ["edgecnn", "onnx", "int8"]}
    assert called("cups").stdout == text


def test_figures_have_their_interval_and_dataset_and_people_their_say(tmp_path: Path, digest: str) -> None:
    pytest.importorskip("jinja2")
    about, out, page = tmp_path / "about.toml", tmp_path / "card.md", tmp_path / "card.html"
    about.write_text(ABOUT)
    results = [written(tmp_path / "s.json", scores(digest)), written(tmp_path / "b.json", benchmark(digest))]
    done = called("cups", "--from", results[0], "--from", results[1], "--about", about, "--out", out, "--out", page)
    assert done.exit_code == 0, done.output
    assert "not stated" not in done.output
    text = out.read_text()
    assert "**Accuracy on Table \\| photos, split test, 1,200 images**" in text
    assert "| mAP@50-95 | 50.0 % | 40.0 % to 60.0 % |" in text
    assert "| AP50 | 70.0 % | no interval |" in text
    assert text.index("| plate | 20 | 30.0 % |") < text.index("| mug | 40 | 70.0 % | 40.0 % to 60.0 % |")
    assert "**Latency on Raspberry Pi 5, cpu, 4 threads**" in text
    assert "| task | 2.5 ms | 1.5 to 4 ms | 5 ms | 4 | STABLE |" in text
    assert "30 of 1,200 images that were compared are in the training data" in text
    assert "```bibtex\n@misc{cups, title={Cups}}\n```" in text
    shown = page.read_text()
    for words in ("Table | photos, split test, 1,200 images", "Decisions about people.", "40.0 % to 60.0 %", "Raspberry Pi 5"):
        assert words in shown
    assert not re.search(r'(src|href)="?https?:', shown)
    metadata = yaml.safe_load(text.split("---\n")[1])
    assert (metadata["license"], metadata["datasets"], metadata["metrics"]) == ("apache-2.0", ["example/cups"], ["map"])
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"] == {"type": "table-photos", "name": "Table | photos", "split": "test"}
    assert result["metrics"][0] == {
        "type": "map", "value": 0.5, "name": "mAP@50-95", "args": {"images": 1200, "confidence": 0.95, "low": 0.4, "high": 0.6},
    }  # fmt: skip


def test_the_hub_reads_it(tmp_path: Path, digest: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    out, about = tmp_path / "README.md", tmp_path / "about.toml"
    about.write_text(ABOUT)
    called("cups", "--from", written(tmp_path / "s.json", scores(digest)), "--about", about, "--out", out)
    card = hub.ModelCard.load(out)
    assert card.data.license == "apache-2.0"
    assert [(one.metric_type, one.metric_value) for one in card.data.eval_results] == [("map", 0.5), ("ap50", 0.7)]
    assert card.data.eval_results[0].dataset_name == "Table | photos"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"digest": "0" * 64}, "s.json holds figures of another file than cups.onnx, by its digest: cups.onnx"),
        ({"digest": ""}, "s.json does not say by a digest which file it measured"),
        ({"schema": "edgecnn.choice"}, "s.json is no measurement that a model card shows"),
        ({"score": {"task": "detect", "values": {}}}, "s.json lacks fields of edgecnn.evaluation"),
    ],
)
def test_figures_that_are_not_of_this_file_are_refused(change: dict[str, Any], problem: str, tmp_path: Path, digest: str) -> None:
    out = tmp_path / "card.md"
    done = called("cups", "--from", written(tmp_path / "s.json", scores(digest) | change), "--out", out)
    assert isinstance(done.exception, SystemExit)
    assert done.exit_code == 2
    assert problem in done.output
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('licence = "mit"', "licence is not a known field; write license"),
        ('direct-use = "a"', "direct-use is not a known field; write direct_use"),
        (
            'colour = "red"',
            "colour is not a known field; use the names of the model card template of Hugging Face, such as license",
        ),
        ('license = "Apache License 2.0"', "is no identifier of a licence"),
        ('license = "other"', "needs a name and an address"),
        ("license = ", "is not TOML"),
        ('datasets = "one"', "datasets is 'one', not a list; correct it"),
    ],
)
def test_statements_that_are_none_are_named(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "about.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(problem)):
        read_statements(path)


def test_a_licence_of_ones_own_has_a_name_and_an_address() -> None:
    own = Statements(license="other", license_name="Example 1.0", license_link="LICENSE")
    assert "license" not in own.missing


def test_another_ending_is_refused_and_a_file_that_is_read_is_kept(tmp_path: Path, digest: str) -> None:
    assert "ends neither in .md nor in .html" in called("cups", "--out", tmp_path / "card.txt").output
    document = written(tmp_path / "s.md", scores(digest))
    done = called("cups", "--from", document, "--out", document)
    assert done.exit_code == 2
    assert json.loads(document.read_text())["schema"] == "edgecnn.evaluation"


def test_a_check_that_is_in_the_file_is_shown(tmp_path: Path) -> None:
    policy, file, out = tmp_path / "policy.toml", tmp_path / "cups.onnx", tmp_path / "card.md"
    policy.write_text("[size]\nmax_mb = 2.0\n")
    done = CliRunner().invoke(main, ["check", "cups", "--policy", str(policy), "--write-card", "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert called(file, "--out", out).exit_code == 0
    text = out.read_text()
    assert "**Policy that the file was checked against**" in text
    assert "| at most 2 | " in text
    assert "Passed policy.toml" in text
