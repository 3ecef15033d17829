"""Networks of timm, torchvision and segmentation-models-pytorch, for the trial of ``architectures``: name, source, input and task.

Each is a factory of this module for ``edgecnn export``: ``edgecnn.benchmarks.figures.architecture_list:timm_resnet18``. The packages are
not dependencies: ``pip install --no-deps --target DIR torchvision timm segmentation_models_pytorch huggingface_hub``, then
``PYTHONPATH=DIR``. Weights are random with a fixed seed, and the batch norms have the statistics of blurred noise: without them the
values of a random network vanish or grow from layer to layer, which no precision holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SETTLE = 32  # images for the statistics of the batch norms
VARIABLE = "EDGECNN_ARCHITECTURE_WEIGHTS"  # a folder of NAME.pth with trained weights, for those that can be had


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network by its package's name; ``size`` is the side of its square input, ``task`` that of `edgecnn export`."""

    package: str
    model: str
    size: int = 224
    task: str = "classify"
    classes: int = 1000

    @property
    def name(self) -> str:
        """The name of its factory in this module."""
        return f"{self.package}_{self.model}".lower()


def _timm(*models: str, **given: Any) -> list[Architecture]:
    return [Architecture("timm", model, **given) for model in models]


ARCHITECTURES = (
    *_timm("mobilenetv3_large_100", "mobilenetv2_100", "mobilenetv4_conv_small", "efficientnet_b0", "efficientnet_lite0"),
    *_timm("ghostnet_100", "repvgg_a0", "mobileone_s0", "resnet18", "densenet121", "convnext_atto"),
    *_timm("mobilevit_s", size=256),
    *_timm("inception_v3", size=299),
    *_timm("regnety_002", "mnasnet_100", "fbnetc_100", "rexnet_100", "tinynet_a", "lcnet_050", "mixnet_s"),
    *_timm("edgenext_xx_small", "fastvit_t8", size=256),
    *_timm("selecsls42", "starnet_s1", "efficientformer_l1"),
    Architecture("torchvision", "shufflenet_v2_x1_0"),
    Architecture("torchvision", "squeezenet1_1"),
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
    """The network in eval mode, with trained weights from the folder in ``VARIABLE`` where it holds them, else random and settled."""
    torch.manual_seed(0)
    network = _BUILDERS[architecture.package](architecture)
    folder = os.environ.get(VARIABLE)
    weights = Path(folder, f"{architecture.name}.pth") if folder else None
    if weights is not None and weights.exists():
        network.load_state_dict(torch.load(weights, weights_only=True))
    else:
        _settle(network, architecture.size)
    return network.eval()


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


_BUILDERS: dict[str, Callable[[Architecture], nn.Module]] = {
    "timm": _build_timm,
    "torchvision": _build_torchvision,
    "smp": _build_smp,
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


def _settle(network: nn.Module, size: int) -> None:
    """Give the batch norms the mean and variance that they meet on blurred noise."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average of all batches
    network.eval()
    for norm in norms:
        norm.train()
    with torch.no_grad():
        for _ in range(2):
            network(_noise(SETTLE // 2, size))


def _noise(count: int, size: int) -> Tensor:
    """Images (count, 3, size, size) of values around 0 with structure at several scales, like normalised photographs."""
    scales = [torch.randn(count, 3, max(size // part, 2), max(size // part, 2)) for part in (4, 16, 64)]
    return torch.stack([nn.functional.interpolate(scale, (size, size), mode="bilinear") for scale in scales]).sum(0) / 1.7
