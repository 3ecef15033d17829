from __future__ import annotations

import dataclasses
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner

from edgecnn.card import Align, Color, Resize
from edgecnn.cli.options import CONFIG_OPTIONS, model_options
from edgecnn.engine_device import CPU
from edgecnn.live.config import CARD_PARSERS
from edgecnn.live.parsers import OneOf
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.task_names import TaskName

seen: dict[str, Any] = {}


@click.command()
@click.argument("file")
@model_options
def command(**values: Any) -> None:
    seen.clear()
    seen.update(values)


def call(*arguments: str) -> Any:
    return CliRunner().invoke(command, ["file", *arguments])


def test_the_choices_are_those_of_the_card() -> None:
    for name, kind in (("task", TaskName), ("resize", Resize), ("align", Align), ("color", Color)):
        parser = CONFIG_OPTIONS[name].parse
        assert isinstance(parser, OneOf)
        assert parser.words == get_args(kind)
    assert {field.name for field in dataclasses.fields(CardOptions)} == set(CARD_PARSERS)


def test_nothing_given() -> None:
    assert call().exit_code == 0
    expected = {
        "file": "file",
        "device": CPU,
        "engine": None,
        "threads": None,
        "require_signature": None,
        "options": CardOptions(),
    }
    assert seen == expected


def test_everything_given() -> None:
    done = call(
        *shlex.split(
            "--device auto --threads 3 --task detect --decode yolox --labels a.txt --size 240x320 --resize crop --align corner"
        ),
        *shlex.split(
            "--pad-value 0 --color bgr --mean 1,2.5,3 --std 255 --score-threshold 0.3 --iou-threshold 0.5 --max-detections 7"
        ),
        *shlex.split("--label-threshold 0.6 --class-thresholds face=.25,person=0.4 --engine openvino:bf16"),
    )
    assert done.exit_code == 0, done.output
    assert (str(seen["device"]), seen["engine"], seen["threads"]) == ("auto", "openvino:bf16", 3)
    assert seen["options"] == CardOptions(
        task="detect",
        decode="yolox",
        labels=Path("a.txt"),
        size=(240, 320),
        resize="crop",
        align="corner",
        pad_value=0,
        color="bgr",
        mean=(1.0, 2.5, 3.0),
        std=(255.0,),
        score_threshold=0.3,
        iou_threshold=0.5,
        max_detections=7,
        label_threshold=0.6,
        class_thresholds=(("face", 0.25), ("person", 0.4)),
    )


def test_one_score_for_all_classes_takes_those_of_the_card_away() -> None:
    call("--score-threshold", "0.4")
    assert seen["options"] == CardOptions(score_threshold=0.4, class_thresholds=())


def test_one_number_is_a_square() -> None:
    call("--size", "416")
    assert seen["options"].size == (416, 416)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--size", "0x3"),
        ("--size", "axb"),
        ("--size", "1x2x3"),
        ("--mean", "1,x"),
        ("--device", "tpu"),
        ("--threads", "0"),
        ("--score-threshold", "2"),
        ("--class-thresholds", "person"),
        ("--class-thresholds", "=0.4"),
        ("--class-thresholds", "person=2"),
        ("--class-thresholds", "person=x"),
        ("--class-thresholds", "person=0.4,person=0.5"),
        ("--class-thresholds", ","),
    ],
    ids=" ".join,
)
def test_wrong_values(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert arguments[0] in done.output


def test_options_need_no_numpy() -> None:
    code = "import sys, edgecnn.cli.options; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
