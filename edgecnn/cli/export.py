"""`edgecnn export`: a trained model to verified ONNX, TFLite and OpenVINO files."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.early_checks import check_addresses, check_checkpoint
from edgecnn.cli.options import ALLOW_OVERLAP
from edgecnn.cli.source_options import model_source, source_options, split_list

if TYPE_CHECKING:
    from edgecnn.export.config import ExportConfig
    from edgecnn.export.policy_check import PolicyGate

DATA = "DIR[?PARAMETERS] or scene:cups?..., as for `edgecnn train`, such as DIR?format=coco."


def parse_batch(value: str) -> int:
    """The number of images, -1 for dynamic; raises ``click.BadParameter``."""
    if value == "dynamic":
        return -1
    if not value.isdigit() or not int(value):
        raise click.BadParameter(f"{value!r} is neither a number of images nor dynamic")
    return int(value)


@click.command()
@click.argument("model", metavar="CHECKPOINT")
@optgroup.group("Output files")
@optgroup.option(
    "--format",
    "formats",
    type=split_list,
    default="onnx,tflite,openvino",
    show_default=True,
    metavar="LIST",
    help="Output formats, separated by commas: onnx, tflite, openvino, executorch.",
)
@optgroup.option(
    "--precision",
    "precisions",
    type=split_list,
    default="fp32",
    show_default=True,
    metavar="LIST",
    help="Precisions, separated by commas: fp32, fp16, int8; or auto: the quickest that passes, measured here.",
)
@optgroup.option("--out", type=click.Path(path_type=Path), default=Path(), help="Output folder.  [default: here]")
@optgroup.option("--name", help="Base name of the files: NAME-PRECISION.onnx.  [default: the model's name]")
@optgroup.option("--force", is_flag=True, help="Overwrite existing files.")
@optgroup.group("Input and operators of the files")
@optgroup.option(
    "--layout",
    type=click.Choice(["nhwc", "nchw"]),
    default="nhwc",
    show_default=True,
    help="Order of the image's axes: pixels as cameras give them, or planes.",
)
@optgroup.option(
    "--input-dtype",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    show_default=True,
    help="uint8: BGR pixels, colour order and scale are in the graph. float32: the network's own input, scaled as the card says.",
)
@optgroup.option(
    "--batch",
    type=parse_batch,
    default="1",
    show_default=True,
    metavar="N|dynamic",
    help="Images in one input; dynamic: any number.",
)
@optgroup.option(
    "--opset", type=int, help="Version of the operators of ONNX files.  [default: 18, read by ONNX Runtime 1.14 and later]"
)
@optgroup.option(
    "--nms", is_flag=True, help="Decode and suppress boxes in the graph, so that a device needs no post-processing (detectors)."
)
@optgroup.option("--dynamic-size", is_flag=True, help="Accept images of any height and width (ONNX, OpenVINO).")
@optgroup.group("Calibration of int8")
@optgroup.option("--calibration", metavar="ADDRESS", help=f"Calibration images: {DATA}")
@optgroup.option("--calibration-count", type=click.IntRange(1), default=128, show_default=True, help="Number of images.")
@optgroup.option("--seed", type=int, default=0, show_default=True, help="Random seed of their selection.")
@optgroup.option("--force-calibration", is_flag=True, help="Accept fewer than 64 images, or a split that is not for training.")
@optgroup.option("--strict", is_flag=True, help="Stop at any problem in a dataset.")
@optgroup.group("Verification")
@optgroup.option(
    "--verify-data", "verify", metavar="ADDRESS", help="Real images for verification.  [default: other images of --calibration]"
)
@optgroup.option("--verify-count", type=click.IntRange(1), default=16, show_default=True, help="Number of images.")
@optgroup.option(
    "--evaluate", metavar="ADDRESS", help="Also compare accuracy with PyTorch on this dataset; reject a file that loses too much."
)
@optgroup.option(
    "--max-drop",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="Budget of int8: at most so many points of top-1 or mAP are lost on --evaluate, without it of agreement with PyTorch; "
    "free methods are tried, then the most sensitive layers stay in float.",
)
@optgroup.option(
    "--accept", is_flag=True, help="Keep files that are out of tolerance; info, run and selftest tell the deviation."
)
@optgroup.option("--evaluate-limit", type=click.IntRange(1), help="Evaluate on at most N images.")
@optgroup.option(*ALLOW_OVERLAP[0], **ALLOW_OVERLAP[1])
@optgroup.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Policy of `edgecnn check`: a file that does not keep to it is not written.",
)
@source_options
def command(model: str, policy: Path | None, **values: Any) -> None:
    """Export CHECKPOINT and verify each file against PyTorch; a file that differs is not kept.

    \b
    edgecnn export cups --format onnx
    edgecnn export model.safetensors --precision fp32,int8 --calibration DIR
    edgecnn export model.safetensors --precision int8 --calibration DIR --evaluate DIR --max-drop 0.5
    edgecnn export model.safetensors --precision fp32,int8 --calibration DIR --policy policy.toml
    edgecnn export net.pt2 --task classify --labels names.txt

    CHECKPOINT is a checkpoint of `edgecnn train`, the name of a shipped model (cups), a .pt2 program, or package.module:factory, a
    function that returns a torch model. The last two need --task and --labels; a factory also needs --input and --weights.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    from edgecnn.export.config import ExportConfig, GraphOptions
    from edgecnn.models.factories import is_factory

    options = model_source(values)
    graph = GraphOptions(**{key: values.pop(key) for key in ("layout", "input_dtype", "batch", "dynamic_size", "opset", "nms")})
    config = ExportConfig(model=model, model_options=options, graph=graph, **values)
    if Path(model).suffix != ".pt2" and not is_factory(model):
        check_checkpoint(model)
        check_addresses(config.calibration, config.verify, config.evaluate)
    from edgecnn.export.run import run_exports

    run_exports(config, click.echo, partial(click.echo, err=True), None if policy is None else _gate(policy, config))


def _gate(policy: Path, config: ExportConfig) -> PolicyGate:
    """The check of --policy."""
    from edgecnn.trust.gate.for_export import export_gate
    from edgecnn.trust.gate.policy_file import read_policy

    return export_gate(read_policy(policy), config.tried, allow_overlap=config.allow_overlap)


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
