"""Reports on a single image say "1 image"."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.check_record import check_words
from edgecnn.data.overlap import SharedImages
from edgecnn.reference_profile.seen_images import SeenImages
from edgecnn.trust.attack.findings import findings
from edgecnn.trust.attack.result import AttackedFile, AttackLevel, AttackReport
from edgecnn.trust.attack.text import heading as attack_heading
from edgecnn.trust.explain.section import Explanation
from edgecnn.trust.explain.text import heading as explain_heading
from edgecnn.trust.gate.policy import Policy, SizeBudget
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.text import check_table

LEVEL = AttackLevel(method="none", eps=0, metric="top1", value=1.0, low=None, high=None, images=1)
ATTACKED = AttackedFile(name="net.onnx", format="onnx", precision="fp32", levels=(LEVEL,))


def attack() -> str:
    report = AttackReport(
        dataset="table",
        split="",
        images=1,
        metric="top1",
        methods=("none",),
        strengths=(),
        source="",
        steps=1,
        queries=1,
        seed=0,
        files=(ATTACKED,),
        warnings=(),
        left_out=(),
    )
    return attack_heading(report)


def check() -> str:
    report = CheckReport(
        file=Path("net.onnx"),
        format="onnx",
        precision="fp32",
        policy=Policy(size=SizeBudget(max_mb=1)),
        verdicts=(),
        seconds={},
        date="",
        version="",
        device="",
        dataset="table",
        images=1,
    )
    return check_table(report)


def info() -> str:
    record = {
        "passed": True,
        "date": "2026-11-28",
        "policy": {"name": "policy.toml", "sha256": "0" * 64, "certain": False},
        "data": {"name": "table", "split": "", "images": 1, "sha256": ""},
        "budgets": [],
    }
    return check_words({"check": record})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (attack(), "on 1 image of table under attack"),
        (findings([ATTACKED], "")[-1], "1 image is too few: "),
        (explain_heading(Explanation("net.onnx", "onnx", "fp32", "net", "8 x 8", "", "table", 1, 0)), "; 1 image of table"),
        (check(), "table: 1 image"),
        (info(), "on 1 image of table"),
        (str(SharedImages("net.onnx", SeenImages.of("training", "table", [7]), 1, 1, ["a.png"])), "1 of 1 image compared is in"),
    ],
    ids=["attack", "too few", "explain", "check", "info", "overlap"],
)
def test_one_image(text: str, words: str) -> None:
    assert words in text
    assert "1 images" not in text
